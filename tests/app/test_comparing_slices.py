"""One-shot models compared: after a run on its hold-out, and on slices that somebody names."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from training.slices.conftest import MadeUp
from training.test_slice_predicting import scan

from ctviewer.app import comparing, comparisons
from ctviewer.app.folders import data_folder
from ctviewer.app.models import installed
from ctviewer.core.events import Done, Message
from ctviewer.datasets.phantom import Family, PhantomSpec, Variant, generate
from ctviewer.datasets.slices.samples import write_cncb
from ctviewer.models.bundle import save_bundle
from ctviewer.training.comparison import read_comparison
from ctviewer.training.run_folder import BASE_PREDICTIONS, COMPARISON, PREDICTIONS
from ctviewer.training.slice_predicting import predict_slices
from ctviewer.training.slice_predictions import read_slice_predictions, write_slice_predictions
from ctviewer.training.slices.two_sources import Part, TwoSources

OLD, NEW = "tiny-one-shot 0.1.0", "tiny-one-shot 0.2.0"


@pytest.fixture
def versions(private_folders, tiny_one_shot):
    """The tiny model, in use, and a version made of it with other weights for classes of slices."""
    m, folder = tiny_one_shot.metadata, data_folder() / "bundles"
    state = tiny_one_shot.build().state_dict()
    old = save_bundle(folder / "old", dataclasses.replace(m, weights_sha256=""), state)
    changed = {name: -t if "positive_classes" in name else t for name, t in state.items()}
    new = save_bundle(folder / "new", dataclasses.replace(m, version="0.2.0", parent=OLD, weights_sha256=""), changed)
    installed().activate(old)
    return old, new


@pytest.fixture
def source():
    """Two sets: outlined scans, and slices with a class; the last of each is of an external set."""

    class Parted(MadeUp):
        def split(self, name):
            return "external:far" if name.endswith("2") else "test"

    lesions = {f"l{i}": scan() for i in range(3)}
    bare = dataclasses.replace(
        scan(), labels=None, label_classes=("background",), complete=torch.zeros(3).bool().numpy()
    )
    classed = {f"i{i}": dataclasses.replace(bare, image_classes=("clear", "covid", "pneumonia")) for i in range(3)}
    return TwoSources([Part(Parted(lesions))], [Part(Parted(classed))])


@pytest.fixture
def folder(tmp_path, versions, source):
    """Of a run that made the new version."""
    from ctviewer.training.engine.one_shot.scans import Wanted

    def wanted(name):
        return Wanted(name.startswith("lesions"), name.startswith("images"))

    *_, last = predict_slices(versions[1], source, source.ids(), device="cpu", wanted=wanted)
    write_slice_predictions(tmp_path / "run" / PREDICTIONS, last.value)
    return tmp_path / "run"


def ended(events):
    """The last event's value, and what was said."""
    *rest, last = list(events)
    assert isinstance(last, Done)
    return last.value, [event.text for event in rest if isinstance(event, Message)]


def test_a_run_is_compared_with_what_it_began_with_on_its_hold_out(folder, source, versions):
    old, new = versions
    told, said = ended(comparing.compare_after_run(folder, source, new, old, "cpu", 8))
    assert said == []
    assert (told.old, told.new, told.unit) == (OLD, NEW, "slice")
    assert told.studies == 12, "without the external set"
    assert {one.study for one in told.changed} <= {"images/0/i0", "images/0/i1"}
    names = {one.name for one in told.differences}
    assert {"Dice per scan, ggo", "slice F1, weighted by class shares"} <= names
    assert told.regression is None
    assert read_comparison(folder / COMPARISON) == told == comparisons.find(new, old)
    kept = read_slice_predictions(folder / BASE_PREDICTIONS)
    assert kept.model == OLD and len(kept.cases) == 12


def test_answers_of_the_old_version_are_not_asked_for_again(folder, source, versions, monkeypatch):
    old, new = versions
    first, _ = ended(comparing.compare_after_run(folder, source, new, old, "cpu", 8))
    monkeypatch.setattr(source, "load_slices", None)
    again, said = ended(comparing.compare_after_run(folder, source, new, old, "cpu", 8))
    assert again == first and said == []


def test_without_a_base_it_is_the_one_in_use_and_why_there_is_none_is_told(folder, source, versions, classifier):
    old, new = versions
    told, _ = ended(comparing.compare_after_run(folder, source, new, classifier, "cpu", 8))
    assert told.old == OLD, "a study classifier lent its encoder alone"
    installed().activate(new)
    told, said = ended(comparing.compare_after_run(folder, source, new, None, "cpu", 8))
    assert told is None and said == ["There is no other one-shot model to compare the new version with."]
    (folder / PREDICTIONS).unlink()
    told, said = ended(comparing.compare_after_run(folder, source, new, old, "cpu", 8))
    assert told is None and "the run has no hold-out" in said[0]


def test_models_compare_on_slices_that_somebody_names(run, versions, tmp_path):
    _, new = versions
    phantoms = [generate(PhantomSpec(n, Variant.COVID, Family.A, matrix=64, slices=6)) for n in (1, 2)]
    write_cncb(tmp_path / "set", phantoms)
    code, out, _ = run("models", "compare", "tiny-one-shot", "--quiet")
    assert code == 0 and "were not compared on patients yet" in out
    code, out, err = run(
        "models", "compare", new.key, "--data", tmp_path / "set", "--format", "cncb", "--device", "cpu"
    )
    assert code == 0 and "On the same slices (" in out and "Outlining scans" in err, err
    assert "Dice per scan, any lesion" in out and "right: both" not in out
    code, out, _ = run("models", "compare", new.key, OLD, "--json", "--quiet")  # what is kept
    data = json.loads(out)
    assert data["comparison"]["unit"] == "slice" and data["fixed_set"] is None
    code, out, _ = run("models", "activate", new.key)
    assert code == 0 and "was not compared" not in out and "fixed set" not in out
