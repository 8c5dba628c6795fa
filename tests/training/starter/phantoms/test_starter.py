"""The whole starter run on toy studies: it learns, writes bundles that load, and repeats itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctviewer.core.errors import BundleError, InputError
from ctviewer.core.events import Done, Event
from ctviewer.models.bundle import Bundle, load_bundle
from ctviewer.training.starter.loop import EpochDone, Plan
from ctviewer.training.starter.phantoms.build import StarterSettings, StarterSources, train_starter


def settings(**changes: object) -> StarterSettings:
    short = {
        "size": 64, "crop": 56, "width": 16, "draws": 1, "validation_limit": 2,
        "encoder": Plan(2, 12, 3e-3, warm_up=4), "aggregator": Plan(3, 15, 5e-3, warm_up=4),
        "detector": Plan(1, 3, 1e-3, warm_up=1),
    }  # fmt: skip
    return StarterSettings({"well": "no finding", "sick": "finding"}, "well", **{**short, **changes})  # type: ignore[arg-type]


def sources(toy: type) -> StarterSources:
    return StarterSources(toy("a", 8), toy("b", 4), {"toy, held out": toy("c", 4)})


def run(toy: type, out: Path, **changes: object) -> tuple[list[Event], tuple[Bundle, ...]]:
    events = list(train_starter(sources(toy), out, settings(**changes)))
    assert isinstance(events[-1], Done)
    return events, events[-1].value


def test_both_models_are_trained_saved_and_reproducible(toy: type, tmp_path: Path) -> None:
    events, (detector, classifier) = run(toy, tmp_path / "one")
    epochs = [e for e in events if isinstance(e, EpochDone) and "study" in e.stage]
    assert epochs[-1].loss < epochs[0].loss
    figures = {m.name: m.value for m in classifier.metadata.metrics}
    assert figures["AUC-ROC, any finding against none"] == 1.0
    assert figures["AUC-ROC of attention, infected against clean slices, mean over studies"] > 0.8
    assert classifier.metadata.training_data.counts["train / finding"] == 4
    m = detector.metadata
    assert m.classes[0] == "background" and m.lesion_classes == ("ground glass", "consolidation")
    assert m.preprocessing.crop == m.preprocessing.size == 64 and 0.3 <= m.thresholds.detection_score <= 0.9
    for bundle in (detector, classifier):
        load_bundle(bundle.folder).build()
    # the classifier alone, from the detector found there, is what it was in one run with it
    (tmp_path / "two").mkdir()
    detector.folder.rename(tmp_path / "two" / detector.folder.name)
    _, (again,) = run(toy, tmp_path / "two", tasks=("study_classifier",))
    assert again.metadata.weights_sha256 == classifier.metadata.weights_sha256


def test_the_classifier_needs_the_detector_to_start_from(toy: type, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"starter-lesion-detector-0\.1\.0"):
        run(toy, tmp_path, tasks=("study_classifier",))


def test_an_existing_version_is_refused_before_any_work(toy: type, tmp_path: Path) -> None:
    (tmp_path / "starter-lesion-detector-0.1.0").mkdir()
    with pytest.raises(InputError, match="exists already"):
        next(train_starter(sources(toy), tmp_path, settings()))


def test_an_unknown_class_is_refused(toy: type, tmp_path: Path) -> None:
    bad = StarterSettings({"well": "no finding"}, "well", size=64, crop=56)
    with pytest.raises(InputError, match="study a1 has the unknown class sick"):
        list(train_starter(sources(toy), tmp_path, bad))


def test_a_patient_in_two_splits_is_refused(toy: type, tmp_path: Path) -> None:
    shared = StarterSources(toy("a", 2), toy("a", 2), {})
    with pytest.raises(InputError, match="both sides of a split"):
        list(train_starter(shared, tmp_path, settings()))
