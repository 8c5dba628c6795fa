"""Answers on the fixed set: asked once for each version, kept by weights, compared by finding against none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Message
from ctviewer.core.volume import Volume
from ctviewer.models.bundle import Bundle
from ctviewer.training.predictions import Prediction, Predictions
from ctviewer.training.regression import answers, compare_answers

SET = ("healthy", "ill")


class Source:
    """Four chests, two of them ill; counts how often each is loaded."""

    def __init__(self, volume_of, chest_hu) -> None:
        self.loaded: list[str] = []
        self._make = lambda study: volume_of(chest_hu(12, 64, int(study[-1])))

    def ids(self) -> tuple[str, ...]:
        return ("s0", "s1", "s2", "s3")

    def patient(self, study: str) -> str:
        return study

    def label(self, study: str) -> str:
        return SET[int(study[-1]) % 2]

    def classes(self, study: str) -> tuple[str, ...]:
        return (self.label(study),)

    def split(self, study: str) -> str:
        return "external:regression"

    def load(self, study: str) -> tuple[Volume, None]:
        self.loaded.append(study)
        return self._make(study), None


@pytest.fixture
def source(volume_of, chest_hu) -> Source:
    return Source(volume_of, chest_hu)


def asked(bundle: Bundle, source: Source, cache: Path, name: str = "set-1") -> tuple[Predictions, list[object]]:
    *events, last = answers(bundle, source, name, cache, "cpu")
    assert isinstance(last, Done)
    return last.value, events


def test_a_version_is_asked_once(classifier: Bundle, source: Source, tmp_path: Path) -> None:
    first, events = asked(classifier, source, tmp_path)
    assert source.loaded == list(source.ids()) and first.model == classifier.key
    assert {getattr(event, "stage", "") for event in events} == {f"Answering the fixed set ({classifier.key})"}
    again, events = asked(classifier, source, tmp_path)
    assert again == first and not events and len(source.loaded) == 4
    asked(classifier, source, tmp_path, "set-2")  # another set
    assert len(source.loaded) == 8


def test_what_is_kept_goes_by_weights_and_input_and_is_told_under_the_name_of_the_version(
    classifier: Bundle, source: Source, tmp_path: Path
) -> None:
    first, _ = asked(classifier, source, tmp_path)
    m = classifier.metadata
    renamed = replace(m, version="9.0.0", thresholds=replace(m.thresholds, finding_probability=0.9))
    told, _ = asked(Bundle(classifier.folder, renamed), source, tmp_path)
    assert (told.model, told.threshold) == ("tiny-study-classifier 9.0.0", 0.9)
    assert told.cases == first.cases and len(source.loaded) == 4
    window = replace(m, preprocessing=replace(m.preprocessing, window_centre=40.0))
    other, _ = asked(Bundle(classifier.folder, window), source, tmp_path)
    assert len(source.loaded) == 8 and other.cases != first.cases


@pytest.mark.parametrize("harm", [b"", b"{", b"[]", None])
def test_damaged_answers_are_asked_for_again(
    classifier: Bundle, source: Source, tmp_path: Path, harm: bytes | None
) -> None:
    first, _ = asked(classifier, source, tmp_path)
    (path,) = (tmp_path / "regression").iterdir()
    path.write_bytes(path.read_bytes().replace(b"s0", b"s9") if harm is None else harm)
    assert asked(classifier, source, tmp_path)[0] == first and len(source.loaded) == 8


def test_a_cache_that_cannot_be_written_costs_time_alone(classifier: Bundle, source: Source, tmp_path: Path) -> None:
    (tmp_path / "regression").write_text("")
    found, events = asked(classifier, source, tmp_path)
    assert len(found.cases) == 4
    assert any(isinstance(event, Message) and "could not be written" in event.text for event in events)


def said(model: str, classes: tuple[str, ...], negative: str, ill: float) -> Predictions:
    """Ten patients; the probability of any finding is 0.1 in healthy studies and `ill` in the others."""
    cases = []
    for number in range(20):
        finding = (0.1, ill)[number % 2]
        p = np.full(len(classes), finding / (len(classes) - 1))
        if negative:
            p[classes.index(negative)] = 1 - finding
        logits = tuple(float(x) for x in np.log(p))
        cases.append(Prediction(f"s{number}", f"p{number // 2}", (SET[number % 2],), logits, "external:regression"))
    return Predictions(model, classes, negative, True, 0.5, tuple(cases))


def test_models_of_other_classes_are_compared_by_finding_against_none() -> None:
    old = said("a 1.0.0", ("clear", "covid", "pneumonia"), "clear", 0.9)
    new = said("b 1.0.0", ("nodule", "none"), "none", 0.05)
    made = compare_answers(old, new, "healthy")
    figures = {one.name: one for one in made.differences}
    auc = figures["AUC-ROC, any finding"]
    assert (auc.old, auc.new) == (1.0, 0.0)
    assert (made.sides.old_right, made.studies, made.patients) == (10, 20, 10)
    assert "phantoms" in made.notes[0]
    assert compare_answers(old, old, "healthy").main.difference == 0.0


def test_a_model_without_a_negative_class_is_not_compared() -> None:
    old, new = said("a 1.0.0", ("x", "y"), "x", 0.9), said("b 1.0.0", ("x", "y"), "", 0.9)
    with pytest.raises(InputError, match=r"b 1\.0\.0 has no class that means no finding"):
        compare_answers(old, new, "healthy")
