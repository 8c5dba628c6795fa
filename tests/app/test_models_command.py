"""`ctviewer models`: list, activate with what speaks against it, go back, compare."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from ctviewer.app import comparing, comparisons
from ctviewer.app.folders import data_folder
from ctviewer.app.models import installed
from ctviewer.datasets.phantom import Family, PhantomSpec, Variant
from ctviewer.datasets.regression_set import RegressionSource
from ctviewer.dicom import SeriesAttributes, write_ct_series
from ctviewer.models.bundle import METADATA, Bundle, save_bundle
from ctviewer.training.ledger import Ledger

SPECS = [
    PhantomSpec(seed, variant, Family.D, matrix=48, slices=6) for seed in (1, 2) for variant in (Variant.CONTROL, Variant.COVID)
]  # fmt: skip
CLASSIFIER, CHILD = "tiny-study-classifier 0.1.0", "tiny-study-classifier 0.2.0"


@pytest.fixture
def child(tiny_models) -> Bundle:
    """A version made of the tiny classifier that is in use; its last layer answers otherwise."""
    parent = tiny_models[0]
    state = parent.build().state_dict()
    state["aggregator.head.bias"] = torch.tensor([-3.0, 3.0, 0.0])
    metadata = replace(parent.metadata, version="0.2.0", parent=parent.key, trained_on="tuned on two studies")
    return save_bundle(data_folder() / "bundles" / "tiny-study-classifier-0.2.0", metadata, state)


@pytest.fixture
def small_set(monkeypatch):
    """Four small phantoms in the place of the fixed set."""
    monkeypatch.setattr(comparing, "RegressionSource", lambda: RegressionSource(SPECS))


@pytest.fixture
def studies(tmp_path, volume_of, chest_hu):
    """Twelve patients with labels."""
    folder = tmp_path / "opened"
    lines = ["study,patient,class,split"]
    for number in range(12):
        volume = volume_of(chest_hu(6, 48, number))
        write_ct_series(
            folder / f"s{number:02d}", np.asarray(volume.stored), geometry=volume.geometry,
            attributes=SeriesAttributes(patient_id=f"P{number}"),
        )  # fmt: skip
        lines.append(
            f"s{number:02d},Doe^{number},{('clear', 'infection')[number % 2]},{'test' if number > 1 else 'train'}"
        )
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_the_list_shows_families(run, child):
    code, out, _ = run("models")
    assert (
        code == 0
        and f"* {CLASSIFIER}" in out
        and f"  {CHILD}  study_classifier  tuned on two studies  from {CLASSIFIER}" in out
    )
    for arguments in (("models", "--json"), ("models", "list", "--json"), ("models", "--json", "list")):
        code, out, _ = run(*arguments)
        rows = {f"{row['name']} {row['version']}": row for row in json.loads(out)["models"]}
        assert code == 0 and rows[CLASSIFIER]["active"] and not rows[CHILD]["active"]
        assert rows[CLASSIFIER]["children"] == [CHILD] and rows[CHILD]["parent"] == CLASSIFIER


@pytest.mark.parametrize("name", [CHILD, "tiny-study-classifier-0.2.0", "tiny-study-classifier", f" {CHILD} "])
def test_activate_warns_and_rollback_goes_back(run, child, name):
    code, out, _ = run("models", "activate", name)
    assert code == 0 and f"! {CHILD} was not compared with {CLASSIFIER}" in out and "`ctviewer models rollback`" in out
    assert installed().active("study_classifier") == child
    code, out, _ = run("models", "rollback")
    assert code == 0 and f"{CLASSIFIER} is used again." in out
    assert installed().active("study_classifier").key == CLASSIFIER


def test_the_same_as_json(run, child):
    code, out, _ = run("models", "activate", CHILD, "--json")
    told = json.loads(out)
    assert code == 0 and (told["active"], told["before"]) == (CHILD, CLASSIFIER) and len(told["doubts"]) == 1
    code, out, _ = run("models", "rollback", "--json")
    assert code == 0 and json.loads(out)["active"] == CLASSIFIER


def test_what_is_not_there_is_told(run, child):
    code, _, err = run("models", "activate", "nobody 1.0.0")
    assert code == 2 and "The model nobody 1.0.0 is not installed; there are:" in err and CHILD in err
    code, _, err = run("models", "compare", "tiny-one-shot")
    assert code == 2 and "has no parent to compare it with, and no other is in use" in err
    code, _, err = run("models", "compare", CHILD, "tiny-one-shot")
    assert code == 2 and "is no study classifier" in err
    code, _, err = run("models", "compare", "tiny-one-shot", CHILD)
    assert code == 2 and f"{CHILD} is no one-shot model." in err
    code, _, err = run("models", "compare", CHILD, "--format", "cncb", "--data", ".")
    assert code == 2 and "--format is for one-shot models" in err
    code, _, err = run("models", "compare", CHILD, CHILD)
    assert code == 2 and "are the same model" in err
    for _ in range(3):
        code, _, err = run("models", "rollback", "one_shot")
    assert code == 2 and "no earlier model to go back to" in err
    with pytest.raises(SystemExit):
        run("models", "rollback", "oracle")


def test_a_version_that_vanished_is_told_and_nothing_changes(run, child):
    run("models", "activate", CHILD)
    shutil.rmtree(data_folder() / "bundles" / "tiny-study-classifier")
    code, _, err = run("models", "rollback")
    assert code == 2 and f"{CLASSIFIER} is not installed or is damaged" in err and "Nothing was changed" in err
    assert installed().active("study_classifier") == child


def test_without_data_the_fixed_set_is_compared(run, child, small_set):
    code, out, _ = run("models", "compare", CHILD, "--device", "cpu", "--quiet")
    assert code == 0 and "were not compared on patients yet" in out
    assert "On the fixed set of phantoms (4 studies of 2 patients)" in out
    code, out, _ = run("models", "compare", CHILD, "--json", "--quiet")
    told = json.loads(out)
    assert told["comparison"] is None and told["fixed_set"]["studies"] == 4


def test_comparing_on_data_counts_as_a_look_and_is_kept_for_activating(run, child, studies, small_set):
    before = sorted(path for path in studies.rglob("*"))
    code, out, err = run("models", "compare", CHILD, "--data", studies, "--device", "cpu", "--studies")
    assert code == 0 and "On the same studies (10 studies of 10 patients)" in out, err
    assert "accuracy" in out and "On the fixed set" in out and "log loss" in out
    assert "Doe" not in out + err
    assert sorted(path for path in studies.rglob("*")) == before
    code, out, _ = run("models", "compare", CHILD, CLASSIFIER, "--json")  # what is kept
    told = json.loads(out)["comparison"]
    assert told["studies"] == 10 and told["regression"]["studies"] == 4
    _, out, _ = run("models", "compare", CHILD, "--data", studies, "--quiet")
    assert "were looked at once before" in out
    _, out, _ = run("models", "activate", CHILD)
    assert "was not compared" not in out and "! " in out
    parent = next(one for one in installed().scan()[0] if one.key == CLASSIFIER)
    assert comparisons.doubts_about(parent)  # going back is not shown to be better either, and says so


def test_a_damaged_comparison_is_none(child, tiny_models):
    path = comparisons._path(child, tiny_models[0])
    path.parent.mkdir()
    path.write_text("{")
    assert comparisons.find(child, tiny_models[0]) is None
    assert len(comparisons.doubts_about(child)) == 1


def test_what_was_learned_from_is_noted(run, child, studies, small_set):
    from ctviewer.datasets.study_folder import StudyFolder
    from ctviewer.training.preflight.facts import content_of

    source = StudyFolder(studies)
    contents = [content_of(source.load(study)[0]).sha256 for study in ("s02", "s03")]
    Ledger.beside(data_folder() / "bundles").learned(child.metadata.weights_sha256, contents)
    _, out, _ = run("models", "compare", CHILD, "--data", studies, "--quiet")
    assert f"2 of 10 studies had been learned from by {CHILD}" in out


def test_damaged_bundles_are_listed_with_the_reason(run, child):
    (child.folder / METADATA).write_text("{")
    code, out, _ = run("models")
    assert code == 0 and "! The model bundle" in out and "not valid JSON" in out
