"""From what a one-shot run learned to a bundle: what it says of itself, and that a cross-validation judges each once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from training.engine.one_shot.conftest import inputs_in, run_config
from training.engine.one_shot.test_scans import drained
from training.engine.one_shot.test_scans import wanted as of_scan

from ctviewer.models.bundle import CARD, load_bundle
from ctviewer.training.control import never
from ctviewer.training.engine.one_shot.scans import ScanJudge
from ctviewer.training.engine.parallel import SINGLE
from ctviewer.training.engine.run import run
from ctviewer.training.engine.slice_store import SliceStore
from ctviewer.training.events import RunFinished
from ctviewer.training.ledger import Ledger
from ctviewer.training.run_folder import PREDICTIONS
from ctviewer.training.slice_predictions import read_slice_predictions
from ctviewer.training.slices.facts import content_of
from ctviewer.training.slices.images import image_digest


def digests(slices):
    return [image_digest(slices, i) for i in range(len(slices.names))]


def made_by(wanted):
    *_, last = run(wanted)
    assert isinstance(last, RunFinished)
    return last


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of one epoch on one split: its inputs, what it said last, and its bundle."""
    wanted = inputs_in(tmp_path_factory.mktemp("run"), run_config(epochs=1))
    contents = {scan: content_of(wanted.source.load_slices(scan)).sha256 for scan in wanted.source.ids()}
    images = {scan: tuple(digests(wanted.source.load_slices(scan))) for scan in wanted.source.ids()}
    wanted = replace(wanted, report=replace(wanted.report, study_sha256=contents, images=images))
    last = made_by(wanted)
    return wanted, last, load_bundle(Path(last.bundle))


def test_the_bundle_says_what_it_is(finished):
    wanted, last, bundle = finished
    m = bundle.metadata
    assert (m.task, m.name, m.version, last.key) == ("one_shot", "toy", "1.0.0", "toy 1.0.0")
    assert m.classes == ("background", "lung", "ground glass", "consolidation")
    assert m.lesion_classes == ("ground glass", "consolidation")
    assert m.image_classes[0] == m.negative_class == "control" and len(m.image_classes) == 3
    assert m.preprocessing.per_image and m.preprocessing.size == 64
    assert 0.05 <= m.thresholds.detection_score < 1.0
    assert m.run.holdouts[0].part == "test"
    assert m.run.holdouts[0].studies == len(wanted.report.split.test)
    assert m.training_data.summary.endswith("patients.") and "scan" in m.training_data.summary
    assert "not calibrated" in m.probabilities and "sum to 1" in m.probabilities
    assert any("shown from score" in note or "display threshold" in note for note in m.run.notes)
    card = (bundle.folder / CARD).read_text(encoding="utf-8")
    assert "| Classes of slices | control," in card and "each slice by its own mean" in card
    assert "an instance is shown from score" in card


def test_figures_have_a_number_a_unit_and_a_part(finished):
    metrics = finished[2].metadata.metrics
    names = {one.name for one in metrics}
    assert {"AP .5, lung", "per_image_ap, at .5", "slice sensitivity, weighted by class shares"} <= names
    assert all(one.unit == "patients" and one.n > 0 and one.data.startswith("test, ") for one in metrics)
    assert finished[1].metrics == {one.name: one.value for one in metrics}


def test_answers_are_kept_under_the_name_of_the_bundle_and_are_those_of_its_weights(finished):
    wanted, _, bundle = finished
    kept = read_slice_predictions(wanted.folder / PREDICTIONS)
    assert kept.model == "toy 1.0.0" and kept.threshold == bundle.metadata.thresholds.detection_score
    assert {case.split for case in kept.cases} == {"test"}
    assert {case.scan for case in kept.cases} == set(wanted.report.split.test)
    assert "patient of" not in (wanted.folder / PREDICTIONS).read_text()

    m = bundle.metadata
    store = SliceStore(wanted.source, m.preprocessing, m.classes, m.image_classes, wanted.folder / "again")
    contents = wanted.report.study_sha256
    judging = ScanJudge(bundle.build(), store, m.lesion_classes, "float32", wanted.source.patient, contents, of_scan)
    again, _ = drained(judging.judge(wanted.report.split.test, "test", SINGLE, never))
    assert again.cases == kept.cases, "bit by bit: the net was judged with the values that the bundle keeps"


def test_finishing_again_makes_no_second_version(finished):
    wanted, last, _ = finished
    memory = wanted.folder / "engine.json"
    told = json.loads(memory.read_text())
    memory.write_text(json.dumps({**told, "bundle": ""}))  # as if the process died right after the bundle was made
    again = made_by(replace(wanted, resume=True))
    assert again.key == last.key


def test_what_was_learned_from_is_kept(finished):
    wanted, _, bundle = finished
    ledger = Ledger.beside(wanted.bundles)
    weights, contents = bundle.metadata.weights_sha256, wanted.report.study_sha256
    assert ledger.seen(weights, [contents[scan] for scan in wanted.report.split.train]) == 2
    assert ledger.seen(weights, [contents[scan] for scan in wanted.report.split.test]) == 0
    assert sum(ledger.looks([contents[scan] for scan in wanted.report.split.test]).values()) == 1
    images = [wanted.report.images[scan] for scan in (*wanted.report.split.train, *wanted.report.split.test)]
    assert ledger.seen_any(weights, images) == 2, "whatever is outlined on them by then"


def test_a_cross_validation_judges_each_patient_once(inputs, config):
    wanted = inputs(config(epochs=1, data={"cross_validation": "always", "folds": 3, "repeats": 1}), name="cv")
    last = made_by(wanted)
    kept = read_slice_predictions(wanted.folder / PREDICTIONS)
    assert {case.split for case in kept.cases} == {"cross-validation"}
    assert sorted({case.scan for case in kept.cases}) == sorted(wanted.source.ids())
    assert len({(case.scan, case.name) for case in kept.cases}) == len(kept.cases)
    m = load_bundle(Path(last.bundle)).metadata
    assert m.run.folds == 3 and m.run.holdouts[0].part == "cross-validation"
    assert any("same out-of-fold answers" in note for note in m.run.notes)
    assert "all scans afterwards" in m.run.split


def test_a_run_without_classes_of_slices_makes_a_model_that_tells_none(inputs, config, sources):
    wanted = inputs(config(epochs=1, model={"negative_class": ""}), source=sources(3, 0), name="plain")
    last = made_by(wanted)
    m = load_bundle(Path(last.bundle)).metadata
    assert m.image_classes == () and m.probabilities == "" and m.negative_class == ""
    assert not any("slice sensitivity" in one.name for one in m.metrics)
    assert "tells no class of a slice" in m.limits
