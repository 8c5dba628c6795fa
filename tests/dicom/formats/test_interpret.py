from __future__ import annotations

import nibabel
import numpy as np
import pytest
from PIL import Image

from ctviewer.core.geometry import Plane
from ctviewer.core.interpretation import STATED, Interpretation, statements
from ctviewer.core.series import VolumeUse
from ctviewer.dicom import VolumeTold, interpret, load, load_volume


@pytest.fixture
def nifti(folder, only):
    def make(data, orientation=True):
        image = nibabel.Nifti1Image(data, np.diag([-0.7, -0.8, 2.5, 1]))
        if not orientation:
            image.set_sform(None, 0)
            image.set_qform(None, 0)
        nibabel.save(image, folder / "a.nii")
        return only(folder / "a.nii")

    return make


@pytest.fixture
def pictures(folder, only):
    def make(numbers):
        data = np.random.default_rng(0).integers(0, 4000, (len(numbers), 6, 7)).astype("u2")
        for number, values in zip(numbers, data, strict=True):
            Image.fromarray(values).save(folder / f"{number}.png")
        return only(folder), data

    return make


@pytest.mark.parametrize("dtype", ["i2", "u2", "i4", "f4"])
@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (1.0, -1024.0), (0.5, -1000.0)])
def test_hounsfield_units_come_from_the_readers_slope_and_intercept(nifti, dtype, slope, intercept):
    data = np.random.default_rng(0).integers(0, 3000, (6, 7, 4)).astype(dtype)
    series = nifti(data)
    made = interpret(series, Interpretation("HU", slope, intercept, stated_on="2026-11-22"))
    volume = load_volume(made)
    assert (made.modality, volume.unit, made.questions) == ("CT", "HU", ())
    assert np.array_equal([volume.hu(i) for i in range(4)], data.transpose(2, 1, 0) * slope + intercept)
    assert statements(made)[0].startswith("Stated by the reader on 2026-11-22, not by the file: ")
    assert not any(notice.code == "values-unknown" for notice in made.notices)
    assert (made.key == series.key) == ((slope, intercept) == (1.0, 0.0))  # what is kept belongs to its values


def test_plain_grey_values_are_an_answer_too(nifti):
    series = nifti(np.arange(168, dtype=np.int16).reshape(6, 7, 4))
    made = interpret(series, Interpretation(unit=""))
    assert made.questions == () and load_volume(made).unit == "" and made.modality == "OT"


def test_nothing_stated_changes_nothing(nifti):
    series = nifti(np.arange(168, dtype=np.int16).reshape(6, 7, 4))
    assert interpret(series, Interpretation()) is series


def test_what_the_file_states_is_never_overruled(nifti):
    series = nifti(np.arange(168, dtype=np.int16).reshape(6, 7, 4))
    stated = Interpretation(pixel_spacing=(3.0, 3.0), slice_spacing=9.0, order="head-first")
    assert interpret(series, stated) is series


def test_dicom_is_never_touched(written, only):
    series = only(written().folder)
    assert interpret(series, Interpretation("HU", 1.0, -1024.0)) is series


def test_distances_alone_give_areas_and_no_volume(pictures):
    series, data = pictures([1, 2, 3, 4])
    made = interpret(series, Interpretation(pixel_spacing=(0.7, 0.8), slice_spacing=2.0))
    assert (made.pixel_spacing, made.slice_spacing) == ((0.7, 0.8), 2.0)
    assert made.plane is Plane.UNKNOWN and made.use is VolumeUse.SLICES_ONLY
    assert made.questions == ("values", "orientation")
    volume = load_volume(made)
    assert volume.geometry.origins is None and volume.geometry.slice_extents() is None
    assert np.array_equal(volume.stored, data)


@pytest.mark.parametrize(("order", "first_shown"), [("head-first", 0), ("feet-first", 3)])
def test_a_stated_order_gives_a_volume_with_the_head_shown_first(pictures, order, first_shown):
    series, data = pictures([1, 2, 3, 4])
    made = interpret(series, Interpretation("HU", 1.0, -1024.0, (0.7, 0.7), 2.0, order))
    volume = load_volume(made)
    geometry = volume.geometry
    assert made.plane is Plane.AXIAL and made.use is VolumeUse.VOLUME and made.questions == ()
    assert geometry.edge_letters() == ("R", "L", "A", "P")
    assert np.diff(geometry.locations).tolist() == [2.0] * 3
    top = int(geometry.display_order[0])
    assert np.array_equal(volume.stored[top], data[first_shown])
    assert made.slices[top].path.name == f"{first_shown + 1}.png" and made.slices[top].position == (0.0, 0.0, 6.0)
    assert len(statements(made)) == 3


@pytest.mark.parametrize("order", ["head-first", "feet-first"])
def test_missing_numbers_stay_a_hole(pictures, order):
    series, _ = pictures([1, 2, 3, 6, 7])
    made = interpret(series, Interpretation(None, 1, 0, (1.0, 1.0), 2.0, order))
    gaps = np.diff(load_volume(made).geometry.locations).tolist()
    assert gaps == ([2, 6, 2, 2] if order == "head-first" else [2, 2, 6, 2])
    assert made.use is VolumeUse.SLICES_ONLY and made.use_reason == "slices are missing"


def test_an_order_without_distances_places_nothing(pictures):
    series, _ = pictures([1, 2, 3])
    assert interpret(series, Interpretation(order="head-first")) is series
    made = interpret(series, Interpretation(pixel_spacing=(1.0, 1.0), order="head-first"))
    assert "orientation" in made.questions and made.plane is Plane.UNKNOWN


def test_a_nifti_file_without_orientation_takes_an_order(nifti):
    series = nifti(np.arange(168, dtype=np.int16).reshape(6, 7, 4), orientation=False)
    made = interpret(series, Interpretation(order="feet-first"))
    assert made.plane is Plane.AXIAL and made.slice_spacing == pytest.approx(2.5)
    assert [notice.code for notice in made.notices if notice.code == STATED] == [STATED]


def test_what_rounding_did_is_told_of_the_slices_as_they_lie_now(nifti):
    """The series was loaded before something was stated: its slices had other indices then."""
    data = np.zeros((6, 7, 4), np.float32)
    data[1, 1, 0], data[2, 2, 0] = np.nan, np.pi
    series = nifti(data, orientation=False)
    made = interpret(series, Interpretation("HU", 10.0, 0.0, (0.7, 0.7), 2.5, "head-first"))
    for one, index in ((series, 0), (made, 3), (series, 0)):
        told = [notice for event in load(one) if isinstance(event, VolumeTold) for notice in event.notices]
        assert {notice.code: notice.slices for notice in told} == {"values-rounded": (index,), "not-a-number": (index,)}
