"""Whole one-shot runs: left anywhere and taken up again they make the same model, on one split and in a cross-validation."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from training.engine.conftest import After, collected
from training.engine.one_shot.conftest import NET, inputs_in, run_config, two_sources

from ctviewer.core.errors import InputError
from ctviewer.core.events import Message
from ctviewer.models.bundle import load_bundle
from ctviewer.training.control import Wish, never
from ctviewer.training.engine import run as runs
from ctviewer.training.events import EpochDone, Paused, RunBegun, RunCancelled, RunFinished, StepDone
from ctviewer.training.splits import Split

COPIED = {"net": {**{k: v for k, v in NET.items() if k != "backbone"}, "branches": "copied"}}


@pytest.fixture(autouse=True)
def no_figures(monkeypatch) -> None:
    """Figures and intervals take seconds; they are tested where they are made."""
    monkeypatch.setattr("ctviewer.training.engine.one_shot.finish.evaluate_slices", lambda predictions, data: ())


class Counting:
    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> Wish:
        self.asked += 1
        return Wish.GO_ON


def weights(said) -> str:
    assert isinstance(said.last, RunFinished)
    return load_bundle(Path(said.last.bundle)).metadata.weights_sha256


def paused_at(wanted, number: int):
    """The run's events and those of its rest, as if it had never been left."""
    first = collected(dataclasses.replace(wanted, control=After(number, Wish.PAUSE)))
    assert isinstance(first.last, Paused), number
    rest = collected(dataclasses.replace(wanted, resume=True))
    losses = {place[:2]: place for place in (*first.losses, *rest.losses)}
    judged = {place[:2]: place for place in (*first.judged, *rest.judged)}
    return list(losses.values()), list(judged.values()), weights(rest)


def test_paused_anywhere_it_makes_the_same_model(tmp_path) -> None:
    config = run_config(epochs=1, model=COPIED, augmentation="tuned", keep="best")
    counting = Counting()
    whole = collected(inputs_in(tmp_path, config, name="whole", control=counting))
    expected = (whole.losses, whole.judged, weights(whole))
    assert [event.train for event in whole.of(RunBegun)] == [2]
    for number in range(4, counting.asked, 19):
        assert paused_at(inputs_in(tmp_path, config, name=f"paused-{number}"), number) == expected, number


def test_a_cross_validation_judges_every_scan_once_and_is_taken_up(tmp_path) -> None:
    config = run_config(epochs=1, data={"cross_validation": "always", "folds": 3, "repeats": 1})
    source = two_sources(4, 4)
    split, counting = Split(source.ids()), Counting()
    whole = collected(inputs_in(tmp_path, config, source, split, "whole", control=counting))
    expected = (whole.losses, whole.judged, weights(whole))
    assert {place[0] for place in whole.losses} == {0, 1, 2, 3}
    wanted = inputs_in(tmp_path, config, source, split, "paused")
    assert paused_at(wanted, counting.asked // 2) == expected


def test_stopped_it_makes_a_model_of_what_it_has_learned(tmp_path) -> None:
    wanted = inputs_in(tmp_path, run_config(epochs=9), control=After(30, Wish.STOP))
    said = collected(wanted)
    assert said.last.stopped
    assert len(said.of(EpochDone)) < 9
    assert load_bundle(Path(said.last.bundle)).metadata.task == "one_shot"


def test_cancelled_it_leaves_nothing(tmp_path) -> None:
    wanted = inputs_in(tmp_path, run_config(), control=After(25, Wish.CANCEL))
    assert isinstance(collected(wanted).last, RunCancelled)
    assert list(wanted.folder.iterdir()) == []


def test_other_classes_or_sets_are_refused_in_a_resume(tmp_path) -> None:
    wanted = inputs_in(tmp_path, run_config(), control=After(25, Wish.PAUSE))
    collected(wanted)
    again = dataclasses.replace(wanted, control=never, resume=True)
    moved = dataclasses.replace(wanted.config, lesions=(dataclasses.replace(wanted.config.lesions[0], folder="far"),))
    other = dataclasses.replace(wanted.config, recipe=dataclasses.replace(wanted.config.recipe, losses="sum"))
    with pytest.raises(InputError, match="losses"):
        collected(dataclasses.replace(again, config=other))
    assert isinstance(collected(dataclasses.replace(again, config=moved)).last, RunFinished)


def test_without_pre_flights_word_classes_are_those_of_the_sets(tmp_path) -> None:
    wanted = inputs_in(tmp_path, run_config(epochs=1))
    assert not wanted.report.outlined
    shop = runs.OneShotWorkshop(wanted, runs.plans.cases_of(wanted.source, wanted.report.split))
    assert shop.start.task.classes == ("background", "lung", "ground glass", "consolidation")
    told = dataclasses.replace(wanted.report, outlined=("lung", "consolidation"), slice_classes=("control", "COVID-19"))
    shop = runs.OneShotWorkshop(dataclasses.replace(wanted, report=told), ())
    assert shop.start.task.classes == ("background", "lung", "consolidation")
    assert shop.start.task.image_classes == ("control", "COVID-19")


def test_the_precision_is_measured_once(tmp_path, monkeypatch) -> None:
    answers = iter(["bfloat16"])
    monkeypatch.setattr("ctviewer.training.engine.devices.measured_precision", lambda *told: next(answers))
    wanted = inputs_in(tmp_path, run_config(precision="auto", epochs=1), control=After(25, Wish.PAUSE))
    first = collected(wanted)
    rest = collected(dataclasses.replace(wanted, control=never, resume=True))
    assert [event.precision for event in (*first.of(RunBegun), *rest.of(RunBegun))] == ["bfloat16"] * 2
    assert all(event.loss > 0 for event in rest.of(StepDone))


def test_predictions_after_an_epoch_are_for_study_classifiers(tmp_path) -> None:
    with pytest.raises(InputError, match="study classifiers"):
        collected(inputs_in(tmp_path, run_config(), predict_at=(1,)))


def test_what_it_starts_from_is_told(tmp_path) -> None:
    said = collected(inputs_in(tmp_path, run_config(epochs=1)))
    assert said.of(Message)[0].text == "All weights start from random values."
