"""Each rule of geometry, in every plane, with files and image numbers forward and reversed.

The truth is what was written: origins, normal, stored values. A rule names its slices by volume index, whichever way the
files run.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import numpy as np
import pytest

from ctviewer.core.series import Severity, VolumeUse
from ctviewer.dicom import load_volume

COUNT, STEP = 9, 2.5
PLANES = ["axial", "coronal", "sagittal", "oblique"]
NUMBERING = {"opposite-direction", "numbers-disagree", "repeated-numbers"}  # about numbers alone: tested below


@dataclass
class Stack:
    """A synthetic stack that a rule can bend."""

    written: object
    edit: object

    @property
    def geometry(self):
        return self.written.geometry

    def move(self, offsets: dict[int, tuple[float, float]]) -> None:
        """Move slices: volume index to mm along the normal and along a row."""
        row = np.array(self.geometry.row_cosines)

        def change(dataset, index):
            along, aside = offsets.get(index, (0.0, 0.0))
            place = self.geometry.origins[index] + along * self.geometry.normal + aside * row
            dataset.ImagePositionPatient = [round(float(v), 6) for v in place]

        self.edit(self.written.paths, change)

    def remove(self, *indices: int) -> None:
        for index in indices:
            self.written.paths[index].unlink()


@pytest.fixture(params=PLANES)
def plane(request):
    return request.param


@pytest.fixture(params=["forward", "reversed"])
def stack(request, plane, written, edit):
    """A stack whose file names and image numbers follow the volume index, or run against it."""
    made = written(plane=plane, shape=(COUNT, 6, 8), step=STEP, series_number=3)
    order = range(1, COUNT + 1) if request.param == "forward" else range(COUNT, 0, -1)
    edit(made.paths, lambda dataset, index: setattr(dataset, "InstanceNumber", list(order)[index]))
    made.paths = [
        shutil.move(path, made.folder / f"slice{number:02}.dcm") for path, number in zip(made.paths, order, strict=True)
    ]
    return Stack(made, edit)


def _told(series, code):
    assert [n.code for n in series.notices if n.code not in NUMBERING] == [code]
    (notice,) = [n for n in series.notices if n.code == code]
    return notice


def test_a_straight_stack(stack, only):
    series = only(stack.written.folder)
    volume = load_volume(series)
    assert np.array_equal(volume.stored, stack.written.stored)
    np.testing.assert_allclose(volume.geometry.origins, stack.geometry.origins, atol=1e-6)
    np.testing.assert_allclose(volume.geometry.normal, stack.geometry.normal, atol=1e-6)
    assert np.array_equal(volume.geometry.display_order, stack.geometry.display_order)
    assert series.slice_spacing == pytest.approx(STEP, abs=1e-5)
    assert (series.use, series.use_reason) == (VolumeUse.VOLUME, "")
    assert [n.code for n in series.notices if n.code not in NUMBERING] == []
    numbers = [series.slices[i].instance_number for i in volume.geometry.display_order]
    assert ("opposite-direction" in {n.code for n in series.notices}) == (numbers == sorted(numbers)[::-1])


def test_missing_slices(stack, only):
    stack.remove(3, 4, 7)
    series = only(stack.written.folder)
    notice = _told(series, "missing-slices")
    assert notice.slices == (2, 3, 4, 5) and notice.severity is Severity.WARNING
    assert notice.text.startswith("3 slices are missing: 2 between Se 3 / Im ")
    assert "2-D reading only: no reformatting, no volumes across the holes." in notice.text
    assert (series.use, series.use_reason) == (VolumeUse.SLICES_ONLY, "slices are missing")
    assert series.slice_spacing == pytest.approx(STEP, abs=1e-5), "of the slices that are there"
    assert np.array_equal(load_volume(series).stored, stack.written.stored[[0, 1, 2, 5, 6, 8]])
    extents = series.private.geometry.slice_extents()
    np.testing.assert_allclose(extents, [2.5, 2.5, 1.25, 1.25, 1.25, 1.25], atol=1e-5)


@pytest.mark.parametrize(("share", "use"), [(0.05, VolumeUse.VOLUME), (0.3, VolumeUse.SLICES_ONLY)])
def test_irregular_gaps(stack, only, share, use):
    stack.move({4: (share * STEP, 0)})
    series = only(stack.written.folder)
    notice = _told(series, "irregular-gaps")
    assert notice.slices == (3, 4, 5) and series.use is use
    assert (notice.severity is Severity.WARNING) == (use is VolumeUse.SLICES_ONLY)
    assert np.array_equal(load_volume(series).stored, stack.written.stored)


def test_a_little_irregular_is_not_told(stack, only):
    stack.move({4: (0.008 * STEP, 0)})
    series = only(stack.written.folder)
    assert series.use is VolumeUse.VOLUME and not {n.code for n in series.notices} - NUMBERING


def test_duplicate_positions(stack, only):
    stack.move({4: (STEP, 0)})
    series = only(stack.written.folder)
    assert series.use_reason == "several slices lie at the same position"
    codes = {n.code: n for n in series.notices}
    assert set(codes) - NUMBERING == {"duplicate-positions", "missing-slices"}, (
        "and where it should lie there is a hole"
    )
    assert codes["duplicate-positions"].slices == (4, 5) and codes["missing-slices"].slices == (3, 4)
    extents = series.private.geometry.slice_extents()
    assert np.isnan(extents[4]) and np.isnan(extents[5]) and not np.isnan(np.delete(extents, (4, 5))).any()
    assert len(series.slices) == COUNT, "all are there"


@pytest.mark.parametrize("degrees", [7.0, -20.0])
def test_gantry_tilt(stack, only, degrees):
    lean = np.tan(np.radians(degrees)) * STEP
    stack.move({i: (0, i * lean) for i in range(COUNT)})
    series = only(stack.written.folder)
    notice = _told(series, "gantry-tilt")
    assert f"{abs(degrees):.1f} degrees" in notice.text and notice.slices == ()
    assert series.use is VolumeUse.SHEARED and "tilted" in series.use_reason
    assert series.slice_spacing == pytest.approx(STEP, abs=1e-5), "perpendicular, not along the table"
    assert np.array_equal(load_volume(series).stored, stack.written.stored)


def test_a_tilted_stack_with_one_slice_beside_it(stack, only):
    lean = np.tan(np.radians(15)) * STEP
    stack.move({i: (0, i * lean + (9.0 if i == 6 else 0.0)) for i in range(COUNT)})
    series = only(stack.written.folder)
    codes = {n.code: n for n in series.notices}
    assert "15.0 degrees" in codes["gantry-tilt"].text and codes["shifted-slices"].slices == (6,)
    assert series.use is VolumeUse.SLICES_ONLY


def test_half_of_the_slices_shifted_is_no_tilt(stack, only):
    stack.move(dict.fromkeys(range(5, COUNT), (0, 12.0)))
    series = only(stack.written.folder)
    notice = _told(series, "shifted-slices")
    assert notice.slices == tuple(range(5, COUNT)) and series.use is VolumeUse.SLICES_ONLY


@pytest.mark.parametrize(("row", "column"), [(-1, -1), (-1, 1), (1, -1)])
def test_slices_of_opposite_direction_are_apart(stack, catalog, row, column):
    """Half of the slices state vectors of the opposite sign: turned by 180 degrees, or mirrored."""

    def turn(dataset, index):
        x = [float(v) for v in dataset.ImageOrientationPatient]
        dataset.ImageOrientationPatient = [row * v for v in x[:3]] + [column * v for v in x[3:]]

    stack.edit(stack.written.paths[5:], turn)
    found = catalog(stack.written.folder).series
    assert sorted(len(s.slices) for s in found) == [4, 5]
    assert len({s.key for s in found}) == 2
    for series in found:
        (notice,) = [n for n in series.notices if n.code == "series-split"]
        assert "differ in orientation" in notice.text and len(notice.paths) == (4 if len(series.slices) == 5 else 0)
        locations = series.private.geometry.locations
        assert (np.diff(locations) > 0).all()


def test_one_slice_of_another_orientation_is_named(stack, catalog):
    stack.edit(stack.written.paths[4], ImageOrientationPatient=[0.6, 0.8, 0, 0, 0, 1])
    large, odd = sorted(catalog(stack.written.folder).series, key=lambda s: -len(s.slices))
    (notice,) = [n for n in large.notices if n.code == "series-split"]
    number = odd.slices[0].instance_number
    assert f"Apart from it: Se 3 / Im {number}." in notice.text
    assert notice.paths == (odd.slices[0].path,) and "orientation" in notice.text
    (hole,) = [n for n in large.notices if n.code == "missing-slices"]
    assert hole.slices == (3, 4)


def test_rounding_noise_in_the_orientation_splits_nothing(stack, only):
    noise = np.random.default_rng(5).uniform(-4e-4, 4e-4, (COUNT, 6))

    def blur(dataset, index):
        dataset.ImageOrientationPatient = [
            f"{float(v) + n:.6f}" for v, n in zip(dataset.ImageOrientationPatient, noise[index], strict=True)
        ]

    stack.edit(stack.written.paths, blur)
    assert np.array_equal(load_volume(only(stack.written.folder)).stored, stack.written.stored)


def test_positions_with_one_decimal(stack, only):
    def rounded(dataset, index):
        dataset.ImagePositionPatient = [f"{float(v):.1f}" for v in dataset.ImagePositionPatient]

    stack.edit(stack.written.paths, rounded)
    series = only(stack.written.folder)
    assert not {n.code for n in series.notices} - NUMBERING, "rounding is no fault"
    assert series.use is VolumeUse.VOLUME and series.slice_spacing == pytest.approx(STEP, abs=0.03)
    assert np.array_equal(load_volume(series).stored, stack.written.stored)


def test_all_numbers_and_uids_equal(stack, only):
    stack.edit(stack.written.paths, InstanceNumber=1, SOPInstanceUID="1.2.3")
    series = only(stack.written.folder)
    assert np.array_equal(load_volume(series).stored, stack.written.stored)
    codes = {n.code: n.slices for n in series.notices}
    assert codes == {"repeated-uids": tuple(range(COUNT)), "repeated-numbers": ()}
    assert series.use is VolumeUse.VOLUME


def test_numbers_that_jump_are_named(stack, only):
    stack.edit(stack.written.paths, lambda d, i: setattr(d, "InstanceNumber", [1, 2, 3, 8, 5, 6, 7, 4, 9][i]))
    series = only(stack.written.folder)
    (notice,) = series.notices
    assert (notice.code, notice.severity, notice.slices) == ("numbers-disagree", Severity.INFO, (3, 4, 6, 7))
    assert np.array_equal(load_volume(series).stored, stack.written.stored)


@pytest.mark.parametrize("sign", [1, -1])
def test_slice_locations_that_contradict_positions_are_told(stack, only, sign):
    stack.edit(
        stack.written.paths, lambda d, i: setattr(d, "SliceLocation", sign * 2.5 * [0, 1, 2, 6, 4, 5, 3, 7, 8][i])
    )
    notice = _told(only(stack.written.folder), "locations-disagree")
    assert notice.slices == (3, 4, 5, 6) and notice.severity is Severity.WARNING
    stack.edit(stack.written.paths, lambda d, i: setattr(d, "SliceLocation", 1000 + sign * 2.5 * i))
    assert not {n.code for n in only(stack.written.folder).notices} - NUMBERING, "either direction, any origin"


def test_a_position_that_is_constant_by_mistake(stack, only):
    def freeze(dataset, index):
        dataset.ImagePositionPatient = [0, 0, 0]
        dataset.SliceLocation = 2.5 * index

    stack.edit(stack.written.paths, freeze)
    series = only(stack.written.folder)
    notice = _told(series, "constant-position")
    assert notice.slices == tuple(range(COUNT)) and "the positions are wrong" in notice.text
    assert series.use is VolumeUse.SLICES_ONLY and series.slice_spacing is None
    numbers = [ref.instance_number for ref in series.slices]
    assert numbers == sorted(numbers), "in the order of image numbers"
    assert series.private.geometry.slice_extents() is None, "no volumes"


def test_slices_over_time_at_one_position(stack, only):
    stack.edit(stack.written.paths, ImagePositionPatient=[0, 0, 0], SliceLocation=7.0)
    series = only(stack.written.folder)
    assert "as images over time do" in _told(series, "one-position").text
    assert series.use_reason == "all slices lie at one position"


@pytest.mark.parametrize(
    ("thickness", "code"),
    [(2.5, ""), (1.25, "gaps-between-slices"), (5.0, "overlapping-slices"), (3.0, ""), (None, "")],
)
def test_thickness_is_not_spacing(stack, only, thickness, code):
    stack.edit(stack.written.paths, SliceThickness=thickness)
    series = only(stack.written.folder)
    assert series.slice_spacing == pytest.approx(STEP, abs=1e-5) and series.use is VolumeUse.VOLUME
    assert [n.code for n in series.notices if n.code not in NUMBERING] == [code] * bool(code)


def test_slices_of_different_thickness_are_named(stack, only):
    stack.edit(stack.written.paths, SliceThickness=2.5)
    stack.edit(stack.written.paths[2:4], SliceThickness=5.0)
    notice = _told(only(stack.written.folder), "thickness-differs")
    assert notice.slices == (2, 3) and "from 2.5 to 5 mm" in notice.text
    stack.edit(stack.written.paths[2:4], SliceThickness=2.505)  # rounding
    assert "thickness-differs" not in {one.code for one in only(stack.written.folder).notices}


def test_a_distance_that_changes_is_not_called_missing_slices_alone(stack, only):
    stack.move({index: (2 * STEP * (index - 5), 0.0) for index in range(6, COUNT)})
    notice = _told(only(stack.written.folder), "missing-slices")
    assert "6 slices are missing, or were taken farther apart: 2 between" in notice.text


def test_all_slices_of_one_position_are_named(stack, only):
    stack.move({COUNT - 2: (-STEP, 0.0), COUNT - 1: (-2 * STEP, 0.0)})
    series = only(stack.written.folder)
    text = _told(series, "duplicate-positions").text
    assert all(series.citation(index) in text for index in range(COUNT - 3, COUNT)) and " with " in text


def test_no_spacing_and_pixels_that_are_not_square(stack, only):
    stack.edit(stack.written.paths, PixelSpacing=[0.5, 0.75])
    series = only(stack.written.folder)
    assert _told(series, "non-square-pixels").severity is Severity.INFO and series.use is VolumeUse.VOLUME
    stack.edit(stack.written.paths, PixelSpacing=None)
    series = only(stack.written.folder)
    assert "no volumes" in _told(series, "no-spacing").text
    assert (series.use, series.use_reason) == (VolumeUse.SLICES_ONLY, "the pixel spacing is not known")


def test_no_positions(stack, only):
    stack.edit(stack.written.paths, ImagePositionPatient=None)
    series = only(stack.written.folder)
    assert "2-D reading only" in _told(series, "no-positions").text
    assert (series.use, series.use_reason) == (VolumeUse.SLICES_ONLY, "positions of the slices are not known")
    numbers = [ref.instance_number for ref in series.slices]
    assert numbers == sorted(numbers)
