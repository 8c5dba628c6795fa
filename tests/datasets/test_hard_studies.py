"""Hard studies: the lesion on a few slices only, and nothing else that tells the class."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.events import Done, Progress
from ctviewer.datasets.hard_studies import SMALL, HardSettings, HardStudies, hard_cases, write_hard_studies
from ctviewer.datasets.phantom import Family, Variant
from ctviewer.datasets.study_folder import StudyFolder

ROOT = Path(__file__).resolve().parents[2]
TINY = HardSettings(matrix=32, slices=(5, 6), spacing_mm=None, lesion_slices=2, train=1, val=0, test=0, external=0)
CLASSES = {"no finding", "pneumonia-like", "COVID-19-like"}


def facts(case) -> tuple[object, ...]:
    spec = case.spec
    return (
        case.split,
        spec.family,
        spec.slices,
        spec.slice_spacing_mm,
        spec.field_of_view_mm,
        spec.head_first,
        spec.contrast,
        case.date,
    )


def test_the_usual_set_is_small_enough_and_knows_all_parts():
    cases = hard_cases()
    assert len(cases) <= 60 and max(case.spec.slices for case in cases) <= 20
    assert len({case.patient for case in cases}) == len({case.spec.seed for case in cases}) == len(cases)
    parts = Counter(case.split for case in cases)
    assert set(parts) == {"train", "val", "test", "external:phantom D", "external:phantom E"}
    assert all(case.spec.slice_spacing_mm <= 12 for case in cases), "the shipped models take no more"
    outside = {case.spec.family for case in cases if case.split.startswith("external")}
    assert outside == {Family.D, Family.E}, "families that no training patient is of"


@pytest.mark.parametrize("settings", [HardSettings(), SMALL, replace(SMALL, seed=3)])
def test_what_can_be_known_without_pixels_is_shared_out_alike(settings):
    by_class: dict[str, Counter] = {}
    for case in hard_cases(settings):
        by_class.setdefault(case.label, Counter())[facts(case)] += 1
    assert set(by_class) == CLASSES
    first, *others = by_class.values()
    assert all(first == other for other in others)


def test_names_and_their_order_do_not_tell_the_class():
    cases = hard_cases()
    order = [case.label for case in cases]
    assert [case.study for case in cases] == [f"S{n:03d}" for n in range(1, len(cases) + 1)]
    assert len(set(order[0::3])) > 1 and order != sorted(order)


def test_a_seed_decides_all_and_another_has_other_patients():
    assert hard_cases() == hard_cases(HardSettings())
    ours, others = hard_cases(TINY), hard_cases(replace(TINY, seed=1))
    assert not {c.spec.seed for c in ours} & {c.spec.seed for c in others}


def test_the_lesion_is_on_a_few_neighbouring_slices_and_the_rest_is_the_healthy_patient():
    source = HardStudies(hard_cases(replace(TINY, matrix=64, slices=(10, 12))))
    of_class = {source.label(study): study for study in source.ids()}
    for label, study in of_class.items():
        volume, labels = source.load(study)
        assert labels is not None and volume.unit == "HU"
        marked = np.flatnonzero((labels >= 2).any(axis=(1, 2)))
        if label == "no finding":
            assert not len(marked)
            continue
        assert 1 <= len(marked) <= 2 and marked[-1] - marked[0] == len(marked) - 1
        healthy, _ = HardStudies(
            [replace(source.case(study), spec=replace(source.case(study).spec, variant=Variant.CONTROL))]
        ).load(study)
        changed = np.flatnonzero((volume.stored != healthy.stored).any(axis=(1, 2)))
        assert set(changed) == set(marked)
        told = repr(volume.series)
        assert not any(word in told.lower() for word in ("covid", "pneumonia", "control")), "no name tells the class"


def test_a_folder_is_written_once_read_again_and_says_that_it_is_of_phantoms(tmp_path):
    *_, first, done = write_hard_studies(tmp_path / "set", TINY)
    assert isinstance(first, Progress) and isinstance(done, Done) and done.value == tmp_path / "set"
    folder, source = StudyFolder(tmp_path / "set"), HardStudies(hard_cases(TINY))
    assert folder.ids() == source.ids() and folder.unlisted() == ()
    told = json.loads((tmp_path / "set" / "phantom.json").read_text())
    assert told["phantom"].startswith("Generated")
    for study in folder.ids():
        assert (folder.label(study), folder.split(study)) == (source.label(study), source.split(study))
    for study in folder.ids()[:3]:
        volume, labels = source.load(study)
        written, _ = folder.load(study)
        assert np.array_equal(written.stored, volume.stored) and "PHANTOM" in written.series.patient.patient_id
        assert np.allclose(written.geometry.origins, volume.geometry.origins)
        images = [written.series.slices[int(i)].instance_number for i in np.flatnonzero((labels >= 2).any(axis=(1, 2)))]
        assert sorted(images) == told["studies"][study]["lesion_on_images"]
    before = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*"))
    list(write_hard_studies(tmp_path / "set", TINY))
    assert sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*")) == before, "what is there is not made again"


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(StorageError, match="is not empty"):
        list(write_hard_studies(tmp_path, TINY))
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": 1000},
        {"seed": -1},
        {"slices": (9, 8)},
        {"lesion_slices": 7},
        {"train": -1},
        {"train": 0},
        {"train": 200},
    ],
)
def test_settings_that_are_none_are_refused(wrong):
    with pytest.raises(InputError):
        hard_cases(replace(TINY, **wrong))


def test_the_command_says_what_is_wrong_in_a_sentence(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    command = [sys.executable, str(ROOT / "packaging" / "make_hard_studies.py"), str(tmp_path), "--small", "--quiet"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode != 0 and "is not empty" in done.stderr and "Traceback" not in done.stderr
