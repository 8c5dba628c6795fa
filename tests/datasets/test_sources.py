"""Phantoms as studies for training."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.core.geometry import Plane
from ctviewer.datasets.phantom import Family, PhantomSpec, Variant, generate
from ctviewer.datasets.sources import PhantomStudySource, phantom_series, phantom_specs, phantom_volume

SPECS = phantom_specs([Family.A, Family.D], [1, 2], matrix=48, slices=8)


def test_specs_cover_families_seeds_and_variants():
    source = PhantomStudySource(SPECS)

    assert len(source.ids()) == 2 * 2 * 3 == len(set(source.ids()))
    assert {source.label(s) for s in source.ids()} == {"control", "pneumonia", "covid"}
    assert len({source.patient(s) for s in source.ids()}) == 4, "the variants of a seed are one patient"


def test_parts_are_given_by_patient():
    source = PhantomStudySource(SPECS, splits={"A-0001": "train", "D-0002": "external:D"})
    assert source.classes("A-covid-0001") == ("covid",)
    assert {source.split(s) for s in source.ids() if s.startswith("A") and s.endswith("1")} == {"train"}
    assert source.split("D-control-0002") == "external:D" and source.split("A-covid-0002") == ""


def test_a_study_loads_as_volume_and_labels():
    source = PhantomStudySource(SPECS)
    study = source.ids()[2]
    volume, labels = source.load(study)

    expected = generate(SPECS[2])
    assert volume.unit == "HU"
    assert np.array_equal(volume.hu(3), expected.hu[3])
    assert labels is not None and np.array_equal(labels, expected.labels)
    assert volume.loaded.all() and not volume.failed.any()


def test_two_specs_of_one_name_are_refused():
    with pytest.raises(InputError):
        PhantomStudySource([SPECS[0], SPECS[0]])


def test_the_series_describes_the_volume():
    series = phantom_series(generate(SPECS[0]))

    assert series.plane is Plane.AXIAL and series.modality == "CT" and series.is_original
    assert len({s.sop_instance_uid for s in series.slices}) == 8
    assert all(s.sop_instance_uid.startswith("2.25.") and len(s.sop_instance_uid) <= 64 for s in series.slices)
    assert not any(s.path.exists() for s in series.slices)
    heights = [s.position[2] for s in series.slices]
    assert heights == sorted(heights)


@pytest.mark.parametrize("head_first", [True, False])
def test_numbers_start_at_the_end_that_was_scanned_first(head_first):
    spec = PhantomSpec(1, Variant.CONTROL, Family.A, matrix=48, slices=8, head_first=head_first)
    volume = phantom_volume(generate(spec))

    first = next(i for i, s in enumerate(volume.series.slices) if s.instance_number == 1)
    assert first == (7 if head_first else 0)
    assert volume.geometry.display_order[0] == 7, "the head is shown first in any case"
