"""Pause, stop and cancel: each is obeyed within one chunk of slices, and keeps what it says."""

from __future__ import annotations

import dataclasses
import json

import pytest

from ctviewer.core.events import Message
from ctviewer.models.bundle import load_bundle
from ctviewer.training.control import Wish
from ctviewer.training.engine.run import run
from ctviewer.training.events import EpochDone, Paused, RunCancelled, RunFinished, Saved, StepDone
from ctviewer.training.predictions_file import read_predictions
from ctviewer.training.splits import Split

pytestmark = pytest.mark.usefixtures("no_figures")
FOLDS = {"cross_validation": "always", "folds": 3, "repeats": 1}


class Wishing:
    """Says what it is told to from some event on, and counts the slices that are encoded after that."""

    def __init__(self) -> None:
        self.wish = Wish.GO_ON

    def __call__(self) -> Wish:
        return self.wish


def until(events, wishing: Wishing, wish: Wish, kind: type, count: int) -> list:
    """Run to the end; the wish is said when so many events of a kind were seen."""
    seen = []
    for event in events:
        seen.append(event)
        if isinstance(event, kind) and len([e for e in seen if isinstance(e, kind)]) == count:
            wishing.wish = wish
    return seen


@pytest.mark.parametrize("wish", [Wish.PAUSE, Wish.CANCEL, Wish.STOP])
def test_obeyed_within_a_chunk(inputs, after, small_config, monkeypatch, wish) -> None:
    """In the middle of a step of long studies no slice is encoded after the wish was heard."""
    from ctviewer.nets.study_classifier import StudyClassifier

    passed: list[int] = []
    encode = StudyClassifier.encode
    monkeypatch.setattr(StudyClassifier, "encode", lambda net, x: passed.append(len(x)) or encode(net, x))
    control = after(18, wish)  # ten studies are prepared before
    heard: list[int] = []

    def listening() -> Wish:
        said = control()
        if said is not Wish.GO_ON:
            heard.append(len(passed))
        return said

    list(run(inputs(small_config(chunk=1), control=listening)))
    assert heard, "the wish was never heard"
    assert 0 < heard[0] < 15, "not in the middle of the first step"
    assert len(passed) == heard[0]


def test_cancel_keeps_nothing(inputs, after, labelled) -> None:
    wanted = inputs(control=after(60, Wish.CANCEL))
    (wanted.folder / "config.toml").write_text("the command line's")
    found = list(run(wanted))
    assert isinstance(found[-1], RunCancelled)
    assert [path.name for path in wanted.folder.iterdir()] == ["config.toml"]
    assert not wanted.bundles.exists()


def test_stop_keeps_the_best_so_far_and_makes_the_bundle(inputs, small_config, said) -> None:
    """The weights are those of the best epoch, not the ones on the way; they are calibrated all the same."""
    config = small_config(epochs=5, calibrate=True)
    best = said(inputs(small_config(epochs=1, calibrate=True, schedule="constant", warm_up=0.0), name="one"))
    wishing = Wishing()
    wanted = inputs(dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, schedule="constant", warm_up=0.0)),
                    name="stopped", control=wishing)  # fmt: skip
    seen = until(run(wanted), wishing, Wish.STOP, StepDone, 3)  # one epoch is done, the second begun
    assert isinstance(seen[-1], RunFinished)
    assert seen[-1].stopped
    assert len([e for e in seen if isinstance(e, StepDone)]) == 3
    assert load_bundle(wanted.bundles / "toy-1.1.0").metadata.run.stopped
    ours, theirs = (load_bundle(wanted.bundles / f"toy-1.{i}.0").build().state_dict() for i in (1, 0))
    assert all(bool((ours[name] == theirs[name]).all()) for name in theirs)
    assert best.last.stopped is False


def test_stop_then_pause_then_go_on(inputs, small_config, said) -> None:
    """A run that was stopped only finishes, also in another process."""
    wishing = Wishing()
    wanted = inputs(small_config(epochs=5), control=wishing)
    seen = []
    for event in run(wanted):
        seen.append(event)
        if isinstance(event, EpochDone):
            wishing.wish = Wish.STOP
        if isinstance(event, Saved) and wishing.wish is Wish.STOP:
            wishing.wish = Wish.PAUSE
    assert isinstance(seen[-1], Paused)
    rest = said(dataclasses.replace(wanted, resume=True, control=lambda: Wish.GO_ON))
    assert not rest.of(StepDone)
    assert rest.last.stopped


def test_stop_before_anything_was_learned(inputs, after) -> None:
    wanted = inputs(control=after(3, Wish.STOP))
    seen = list(run(wanted))
    assert isinstance(seen[-1], RunCancelled)
    assert "nothing to keep" in [e.text for e in seen if isinstance(e, Message)][-1]
    assert not list(wanted.folder.iterdir())


def test_stop_at_once_after_resuming_keeps_what_was_learned(inputs, small_config, said) -> None:
    wishing = Wishing()
    wanted = inputs(small_config(epochs=5), control=wishing)
    until(run(wanted), wishing, Wish.PAUSE, EpochDone, 2)
    found = said(dataclasses.replace(wanted, resume=True, control=lambda: Wish.STOP))
    assert found.last.stopped
    assert not found.of(StepDone)
    assert load_bundle(wanted.bundles / "toy-1.0.0").metadata.run.epochs in (1, 2)


@pytest.mark.parametrize(("steps", "fold"), [(1, 0), (2, 0), (5, 1)])
def test_stop_in_a_cross_validation(inputs, small_config, labelled, steps: int, fold: int) -> None:
    """The net of a fold is kept and judged by the patients that this fold had not seen."""
    source, wishing = labelled(7, slices=3), Wishing()
    config = small_config(data=FOLDS, epochs=2, batch=8, long_study=0)
    wanted = inputs(config, source, Split(source.ids()), control=wishing)
    seen = until(run(wanted), wishing, Wish.STOP, StepDone, steps)
    assert isinstance(seen[-1], RunFinished)
    assert seen[-1].stopped
    kept = read_predictions(wanted.folder / "predictions.json")
    parts = json.loads((wanted.folder / "split.json").read_text())
    assert {case.study for case in kept.cases} == set(parts[fold]["test"])
    card = load_bundle(wanted.bundles / "toy-1.0.0").metadata
    assert card.run.folds == 0
    assert f"fold {fold + 1} of a cross-validation" in card.run.split
