from __future__ import annotations

import shutil

import numpy as np
import pytest

from ctviewer.core.geometry import Plane
from ctviewer.dicom import load_volume

EXPECTED_PLANE = {
    "axial": Plane.AXIAL,
    "axial prone": Plane.AXIAL,
    "axial feet up": Plane.AXIAL,
    "coronal": Plane.CORONAL,
    "sagittal": Plane.SAGITTAL,
    "oblique": Plane.OBLIQUE,
}


@pytest.mark.parametrize("plane", EXPECTED_PLANE)
@pytest.mark.parametrize("names", ["as written", "reversed", "shuffled"])
def test_slices_follow_the_right_handed_normal(written, edit, volume_of, only, plane, names):
    made = written(plane=plane)
    numbers = list(range(1, 8))
    if names == "reversed":
        numbers.reverse()
    elif names == "shuffled":
        numbers = [5, 1, 7, 3, 2, 6, 4]
    edit(made.paths, lambda dataset, index: setattr(dataset, "InstanceNumber", numbers[index]))
    for path, number in zip(made.paths, numbers, strict=True):
        shutil.move(path, made.folder / f"renamed{number}.dcm")
    volume = volume_of(made.folder)
    assert np.array_equal(volume.stored, made.stored)
    assert np.allclose(volume.geometry.origins, made.geometry.origins, atol=1e-9)
    assert np.all(np.diff(volume.geometry.locations) > 0)
    assert volume.series.plane is EXPECTED_PLANE[plane]
    assert volume.series.slice_spacing == pytest.approx(2.5)
    assert [ref.instance_number for ref in volume.series.slices] == numbers
    assert [ref.position for ref in volume.series.slices] == [
        pytest.approx(tuple(origin)) for origin in made.geometry.origins
    ]
    shown = [numbers[index] for index in volume.geometry.display_order]
    told = (
        []
        if shown == sorted(shown)
        else ["opposite-direction"]
        if shown == sorted(shown)[::-1]
        else ["numbers-disagree"]
    )
    assert [notice.code for notice in volume.series.notices] == told


def test_equal_instance_numbers_do_not_shuffle(written, edit, volume_of, notice_of):
    made = written()
    edit(made.paths, InstanceNumber=1)
    volume = volume_of(made.folder)
    assert np.array_equal(volume.stored, made.stored)
    assert "7 slices share their image number" in notice_of(volume.series, "repeated-numbers").text


def test_without_positions_the_image_numbers_count_and_it_is_told(written, edit, volume_of, notice_of):
    made = written()
    edit(made.paths, lambda d, i: setattr(d, "InstanceNumber", [4, 1, 7, 3, 2, 6, 5][i]), ImagePositionPatient=None)
    volume = volume_of(made.folder)
    assert np.array_equal(volume.stored, made.stored[[1, 4, 3, 0, 6, 5, 2]])
    assert volume.geometry.origins is None and volume.series.plane is Plane.UNKNOWN
    assert volume.series.slice_spacing is None
    assert "order of their image numbers" in notice_of(volume.series, "no-positions").text


def test_without_positions_and_numbers_file_names_count_naturally(written, edit, volume_of, notice_of):
    made = written(shape=(12, 6, 6))
    edit(made.paths, InstanceNumber=0, ImagePositionPatient=None)
    for index, path in enumerate(made.paths):
        path.rename(made.folder / f"IM_{index + 1}.dcm")
    volume = volume_of(made.folder)
    assert np.array_equal(volume.stored, made.stored)
    assert "order of file names" in notice_of(volume.series, "no-positions").text


@pytest.mark.parametrize(
    "orientation",
    [
        [0, 0, 0, 0, 0, 0],
        [1, 0, 0, 1, 0, 0],
        [1, 0, 0, 0.1, 1, 0],
        [90, 0, 0, 0, 90, 0],
        [1, 0, 0],
        ["nan", 0, 0, 0, 1, 0],
    ],
)
def test_impossible_orientation_is_no_orientation(written, edit, only, notice_of, orientation):
    made = written()
    edit(made.paths, lambda d, i: d["ImageOrientationPatient"].__setattr__("_value", orientation))
    series = only(made.folder)
    assert series.plane is Plane.UNKNOWN
    notice_of(series, "no-positions")


def test_directions_of_another_length_are_directions(written, edit, only, notice_of):
    made = written(plane="oblique")
    edit(made.paths, lambda d, i: setattr(d, "ImageOrientationPatient", [2, 0, 0, 0, 0.7, 0.7]))
    series = only(made.folder)
    assert np.allclose(series.private.geometry.locations, made.geometry.locations)
    assert "not of length 1" in notice_of(series, "scaled-directions").text


def test_nearly_orthonormal_cosines_are_made_exact(written, edit, only):
    made = written()
    edit(made.paths, ImageOrientationPatient=[0.9999, 0.0002, 0, 0, 1.0003, 0])
    geometry = only(made.folder).private.geometry
    row, column = np.array(geometry.row_cosines), np.array(geometry.column_cosines)
    assert np.linalg.norm(row) == pytest.approx(1, abs=1e-12)
    assert np.linalg.norm(column) == pytest.approx(1, abs=1e-12)
    assert row @ column == pytest.approx(0, abs=1e-12)


def test_a_single_slice_opens(written, volume_of, notice_of):
    made = written(shape=(1, 8, 8))
    volume = volume_of(made.folder)
    assert np.array_equal(volume.stored, made.stored)
    assert volume.series.slice_spacing is None
    notice_of(volume.series, "single-slice")


def test_all_uids_equal_still_loads_every_slice(written, edit, volume_of, notice_of):
    made = written()
    edit(made.paths, SOPInstanceUID="1.2.3")
    volume = volume_of(made.folder)
    assert np.array_equal(volume.stored, made.stored)
    assert notice_of(volume.series, "repeated-uids").slices == tuple(range(7))


def test_a_series_in_several_folders_is_one(written, catalog):
    made = written()
    other = made.folder.parent / "other" / "deeper"
    other.mkdir(parents=True)
    for path in made.paths[::2]:
        shutil.move(path, other / path.name)
    (series,) = catalog(made.folder.parent).series
    assert np.array_equal(load_volume(series).stored, made.stored)
