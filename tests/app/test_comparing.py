"""What becomes of a run's predictions: compared with what it began with, kept, and never a reason to fail."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ctviewer.app import comparing, comparisons
from ctviewer.app.folders import data_folder
from ctviewer.core.events import Done, Message
from ctviewer.datasets.phantom import Family, PhantomSpec, Variant
from ctviewer.datasets.regression_set import RegressionSource
from ctviewer.models.bundle import save_bundle
from ctviewer.training.comparison import read_comparison
from ctviewer.training.predicting import predict
from ctviewer.training.predictions_file import read_predictions, write_predictions
from ctviewer.training.run_folder import BASE_PREDICTIONS, COMPARISON, PREDICTIONS

SPECS = [PhantomSpec(1, variant, Family.E, matrix=48, slices=6) for variant in (Variant.CONTROL, Variant.COVID)]


class Source:
    """Six chests of two classes; the last is of an external set."""

    def __init__(self, volume_of, chest_hu):
        self.loaded = 0
        self._make = lambda number: volume_of(chest_hu(6, 48, number))

    def ids(self):
        return tuple(f"s{number}" for number in range(6))

    def patient(self, study):
        return f"patient {study}"

    def label(self, study):
        return ("clear", "infection")[int(study[-1]) % 2]

    def classes(self, study):
        return (self.label(study),)

    def split(self, study):
        return "external:far" if study == "s5" else "test"

    def load(self, study):
        self.loaded += 1
        return self._make(int(study[-1])), None


@pytest.fixture
def source(volume_of, chest_hu):
    return Source(volume_of, chest_hu)


@pytest.fixture
def made(tiny_models):
    """A version made of the tiny classifier."""
    parent = tiny_models[0]
    state = parent.build().state_dict()
    state["aggregator.head.bias"] = torch.tensor([-3.0, 3.0, 0.0])
    metadata = replace(parent.metadata, version="0.2.0", parent=parent.key)
    return save_bundle(data_folder() / "bundles" / "tiny-study-classifier-0.2.0", metadata, state)


@pytest.fixture
def folder(tmp_path, made, source):
    """Of a run that made it."""
    *_, last = predict(made, source, source.ids(), device="cpu")
    source.loaded = 0
    write_predictions(tmp_path / "run" / PREDICTIONS, last.value)
    return tmp_path / "run"


@pytest.fixture
def small_set(monkeypatch):
    monkeypatch.setattr(comparing, "RegressionSource", lambda: RegressionSource(SPECS))


def ended(events):
    """The comparison, and what was said."""
    *told, last = events
    assert isinstance(last, Done)
    return last.value, [event.text for event in told if isinstance(event, Message)]


def test_a_run_is_compared_with_its_base_on_the_hold_out_alone(folder, source, made, tiny_models, small_set):
    comparison, said = ended(comparing.compare_after_run(folder, source, made, tiny_models[0], "cpu", 4))
    assert (comparison.old, comparison.new) == (tiny_models[0].key, made.key) and not said
    assert comparison.studies == 5 and comparison.regression.studies == 2  # the external study is told elsewhere
    assert read_comparison(folder / COMPARISON) == comparison == comparisons.find(made, tiny_models[0])
    assert read_predictions(folder / BASE_PREDICTIONS).model == tiny_models[0].key
    assert source.loaded == 5
    again, _ = ended(comparing.compare_after_run(folder, source, made, tiny_models[0], "cpu", 4))
    assert again == comparison and source.loaded == 5  # a run that is resumed here asks nobody again


def test_without_a_base_it_is_the_one_in_use_and_nothing_can_be_forgotten(folder, source, made, tiny_models):
    fresh = save_bundle(
        data_folder() / "bundles" / "fresh-1.0.0", replace(made.metadata, name="fresh", version="1.0.0", parent=""),
        made.build().state_dict(),
    )  # fmt: skip
    for base in (None, tiny_models[1]):  # a detector lends its encoder at most
        comparison, _ = ended(comparing.compare_after_run(folder, source, fresh, base, "cpu", 4))
        assert comparison.old == tiny_models[0].key and comparison.regression is None


def test_why_there_is_no_comparison_is_told_and_nothing_fails(tmp_path, source, made, tiny_models, folder):
    comparison, said = ended(comparing.compare_after_run(tmp_path / "no", source, made, tiny_models[0], "cpu", 4))
    assert comparison is None and "could not be compared" in said[0] and "no hold-out" in said[0]
    (folder / PREDICTIONS).write_text("{")
    comparison, said = ended(comparing.compare_after_run(folder, source, made, tiny_models[0], "cpu", 4))
    assert comparison is None and str(folder / PREDICTIONS) in said[0]
    comparison, said = ended(comparing.compare_after_run(folder, source, tiny_models[0], None, "cpu", 4))
    assert comparison is None and "no other study classifier" in said[0]


def test_a_model_without_a_negative_class_has_no_fixed_set_and_says_so(folder, source, made, tiny_models, small_set):
    bare = replace(made.metadata, version="0.3.0", negative_class="")
    child = save_bundle(data_folder() / "bundles" / "bare", bare, made.build().state_dict())
    predictions = read_predictions(folder / PREDICTIONS)
    write_predictions(folder / PREDICTIONS, replace(predictions, negative_class=""))
    parent = replace(tiny_models[0].metadata, version="0.0.9", negative_class="")
    old = save_bundle(data_folder() / "bundles" / "bare-parent", parent, tiny_models[0].build().state_dict())
    child = replace(child, metadata=replace(child.metadata, parent=old.key))
    comparison, _ = ended(comparing.compare_after_run(folder, source, child, old, "cpu", 4))
    assert comparison is not None and comparison.regression is None
    assert any("no class that means no finding" in note for note in comparison.notes)
