"""The sample study is a real DICOM series, made once, made again when broken."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pydicom
import pytest

from ctviewer.core.errors import StorageError
from ctviewer.core.events import Done, Progress
from ctviewer.core.series import Catalog
from ctviewer.datasets.phantom import HELD_OUT_FAMILIES, Family, PhantomSpec, Variant, generate
from ctviewer.datasets.sample import SAMPLE_SPEC, sample_study, sample_truth
from ctviewer.dicom import load_volume, scan

SPEC = PhantomSpec(5, Variant.COVID, Family.D, matrix=64, slices=10)


def _make(folder: Path, spec: PhantomSpec = SPEC) -> tuple[Path, int]:
    events = list(sample_study(folder, spec))
    last = events[-1]
    assert isinstance(last, Done)
    return last.value, sum(isinstance(e, Progress) for e in events)


def _stamps(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def sample(tmp_path) -> Path:
    _make(tmp_path / "sample")
    return tmp_path / "sample"


def test_the_shipped_sample_is_from_a_family_no_model_saw():
    assert SAMPLE_SPEC.family in HELD_OUT_FAMILIES
    assert SAMPLE_SPEC.variant is Variant.COVID
    assert SAMPLE_SPEC.matrix == 512 and SAMPLE_SPEC.slices >= 120


def test_read_back_it_equals_what_was_generated(sample):
    catalog = next(e.value for e in scan(sample / "dicom") if isinstance(e, Done))
    assert isinstance(catalog, Catalog)
    (series,) = catalog.series
    volume = load_volume(series)
    phantom = generate(SPEC)

    assert series.readable
    assert [notice.code for notice in series.notices] == ["gaps-between-slices"]  # ten thin slices for a whole chest
    assert series.patient.name == "SAMPLE^PHANTOM" and series.patient.patient_id == "PHANTOM-1"
    assert series.description == "Generated chest phantom" and series.manufacturer == "ctviewer phantom"
    assert np.array_equal(np.stack([volume.hu(i) for i in range(10)]), phantom.hu)
    assert volume.geometry.origins == pytest.approx(phantom.geometry.origins, abs=1e-4)
    assert volume.geometry.pixel_spacing == pytest.approx(phantom.geometry.pixel_spacing)
    assert volume.geometry.edge_letters() == ("R", "L", "A", "P")


def test_numbers_run_from_the_head(sample):
    files = sorted((sample / "dicom").iterdir())
    heads = [pydicom.dcmread(f, stop_before_pixels=True) for f in files]

    assert [int(h.InstanceNumber) for h in heads] == list(range(1, 11))
    assert all(a.ImagePositionPatient[2] > b.ImagePositionPatient[2] for a, b in pairwise(heads))


def test_the_truth_lies_outside_of_the_dicom_folder(sample):
    truth = sample_truth(sample)
    phantom = generate(SPEC)

    assert {p.suffix for p in (sample / "dicom").iterdir()} == {".dcm"}
    assert np.array_equal(truth["labels"], phantom.labels)
    assert np.array_equal(truth["infected"], phantom.infected_slices)


def test_a_finished_sample_is_not_made_again(sample):
    before = _stamps(sample)
    folder, steps = _make(sample)

    assert folder == sample / "dicom" and steps == 1
    assert _stamps(sample) == before


@pytest.mark.parametrize("broken", ["complete.json", "truth.npz", "dicom/IM0003.dcm"])
def test_a_half_written_sample_is_made_again(sample, broken):
    contents = {p.name: p.read_bytes() for p in (sample / "dicom").iterdir()}
    (sample / broken).unlink()
    (sample / ".dicom.left.part").mkdir()

    _, steps = _make(sample)

    assert steps > SPEC.slices
    assert {p.name: p.read_bytes() for p in (sample / "dicom").iterdir()} == contents
    assert sorted(p.name for p in sample.iterdir()) == ["complete.json", "dicom", "truth.npz"]


def test_another_spec_replaces_the_sample(sample):
    _make(sample, PhantomSpec(6, Variant.CONTROL, Family.E, matrix=48, slices=6))

    assert len(list((sample / "dicom").iterdir())) == 6
    assert not sample_truth(sample)["infected"].any()


def test_a_run_that_is_stopped_leaves_no_marker(tmp_path):
    events = sample_study(tmp_path / "sample", SPEC)
    for _ in range(4):
        next(events)
    events.close()

    assert not (tmp_path / "sample" / "complete.json").exists()
    _make(tmp_path / "sample")


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")

    with pytest.raises(StorageError, match="could not be"):
        list(sample_study(blocked / "sample", SPEC))


def test_no_truth_is_told(tmp_path):
    with pytest.raises(StorageError, match=r"truth\.npz"):
        sample_truth(tmp_path)
