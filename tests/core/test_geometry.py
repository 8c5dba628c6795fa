"""Geometry: every plane, both directions, gaps, letters. The truths are written out by hand, in LPS mm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.geometry import Geometry, Plane, direction_letters

# name: row cosines, column cosines, normal, plane, letters at the left, right, top, bottom edge
STACKS = {
    "axial": ((1, 0, 0), (0, 1, 0), (0, 0, 1), Plane.AXIAL, ("R", "L", "A", "P")),
    "axial prone": ((-1, 0, 0), (0, -1, 0), (0, 0, 1), Plane.AXIAL, ("L", "R", "P", "A")),
    "axial seen from the head": ((-1, 0, 0), (0, 1, 0), (0, 0, -1), Plane.AXIAL, ("L", "R", "A", "P")),
    "coronal": ((1, 0, 0), (0, 0, -1), (0, 1, 0), Plane.CORONAL, ("R", "L", "H", "F")),
    "coronal from behind": ((-1, 0, 0), (0, 0, -1), (0, -1, 0), Plane.CORONAL, ("L", "R", "H", "F")),
    "sagittal": ((0, 1, 0), (0, 0, -1), (-1, 0, 0), Plane.SAGITTAL, ("A", "P", "H", "F")),
    "sagittal from the right": ((0, -1, 0), (0, 0, -1), (1, 0, 0), Plane.SAGITTAL, ("P", "A", "H", "F")),
}


def stack(name: str = "axial", locations: tuple[float, ...] = (0, 2, 4, 6, 8), **changes) -> Geometry:
    """A stack whose slices lie at the given projections on its normal."""
    row, column, normal, _, _ = STACKS[name]
    origins = np.outer(locations, normal).astype(float) + np.array([-100.0, -90.0, 5.0]) * (1 - np.abs(normal))
    values = {"shape": (len(locations), 40, 50), "pixel_spacing": (0.5, 0.8)} | changes
    return Geometry(origins=origins, row_cosines=row, column_cosines=column, **values)


@pytest.mark.parametrize("name", STACKS)
def test_normal_plane_and_letters(name):
    geometry = stack(name)
    _, _, normal, plane, letters = STACKS[name]
    np.testing.assert_array_equal(geometry.normal, normal)
    assert geometry.plane is plane
    assert geometry.edge_letters() == letters
    np.testing.assert_allclose(geometry.locations, [0, 2, 4, 6, 8])


@pytest.mark.parametrize(
    ("name", "first_shown"),
    [
        ("axial", 4),  # index rises to the head, and the head is shown first
        ("axial prone", 4),
        ("axial seen from the head", 0),  # index rises to the feet
        ("coronal", 0),  # index rises to the back, and the front is shown first
        ("coronal from behind", 4),
        ("sagittal", 4),  # index rises to the right, and the right is shown first
        ("sagittal from the right", 0),
    ],
)
def test_display_order(name, first_shown):
    geometry = stack(name)
    order = geometry.display_order
    assert order[0] == first_shown
    assert sorted(order) == [0, 1, 2, 3, 4]
    shown = geometry.origins[order]
    step = shown[1] - shown[0]
    axis = int(np.argmax(np.abs(step)))
    assert axis == int(np.argmax(np.abs(geometry.normal)))
    assert (step[axis] < 0) == (axis == 2), "head first is falling z; front first and right first are rising y and x"


def test_display_order_is_a_fresh_array():
    order = stack().display_order
    order[0] = 99
    assert stack().display_order[0] == 4


def test_without_positions():
    geometry = Geometry(shape=(3, 4, 5), origins=None, pixel_spacing=(1, 1))
    assert geometry.plane is Plane.UNKNOWN
    assert geometry.locations is None
    assert geometry.slice_spacing is None
    assert geometry.slice_extents() is None
    assert geometry.point(0, 0, 0) is None
    assert geometry.edge_letters() == ("", "", "", "")
    assert not geometry.is_regular()
    assert list(geometry.display_order) == [0, 1, 2]


def tilted(degrees: float) -> Geometry:
    """An axial stack tilted about x, as by a gantry."""
    angle = np.deg2rad(degrees)
    column = (0.0, float(np.cos(angle)), float(np.sin(angle)))
    return Geometry(shape=(2, 4, 5), origins=np.array([[0, 0, 0], [0, 0, 3.0]]), column_cosines=column)


@pytest.mark.parametrize(("degrees", "plane"), [(0, "axial"), (29.9, "axial"), (30.1, "oblique"), (59.9, "oblique")])
def test_oblique_begins_above_30_degrees(degrees, plane):
    assert tilted(degrees).plane.value == plane
    assert tilted(-degrees).plane.value == plane


def test_tilt_shortens_the_spacing_along_the_normal():
    assert tilted(20).slice_spacing == pytest.approx(3 * np.cos(np.deg2rad(20)))


@pytest.mark.parametrize(
    ("direction", "letters"),
    [
        ((1, 0, 0), "L"),
        ((0, -1, 0), "A"),
        ((0, 0, 1), "H"),
        ((0, 0.6, -0.8), "FP"),
        ((-0.8, 0.6, 0), "RP"),
        ((0.99, 0.1, 0.1), "L"),
        ((0.577, 0.577, 0.577), "LPH"),
        ((0.7, 0.31, -0.64), "LFP"),
        ((0, 0, 0), ""),
    ],
)
def test_direction_letters(direction, letters):
    assert direction_letters(direction) == letters


@given(st.tuples(*[st.floats(-1, 1)] * 3))
def test_opposite_directions_have_opposite_letters(direction):
    opposite = str.maketrans("LRPAHF", "RLAPFH")
    assert direction_letters(tuple(-v for v in direction)) == direction_letters(direction).translate(opposite)


@pytest.mark.parametrize("name", STACKS)
def test_point(name):
    geometry = stack(name)
    row, column, _, _, _ = STACKS[name]
    expected = geometry.origins[2] + 10 * 0.8 * np.array(row) + 4 * 0.5 * np.array(column)
    np.testing.assert_allclose(geometry.point(2, row=4, column=10), expected)


def test_point_between_pixels_and_without_spacing():
    np.testing.assert_allclose(stack().point(0, 0.5, 0.5) - stack().point(0, 0, 0), [0.4, 0.25, 0])
    assert stack(pixel_spacing=None).point(0, 0, 0) is None


def test_slice_spacing_is_the_median():
    assert stack(locations=(0, 2, 4, 9, 11)).slice_spacing == 2
    assert stack(locations=(0,)).slice_spacing is None


@pytest.mark.parametrize(
    ("locations", "regular"),
    [
        ((0, 2, 4), True),
        ((0, 2, 4.3, 6.3, 8.3), True),
        ((0, 2, 4.5, 6.5, 8.5), False),
        ((0, 2, 2, 4, 6), False),
        ((0,), False),
    ],
)
def test_is_regular(locations, regular):
    assert stack(locations=locations).is_regular() is regular


def test_equal_positions_are_not_regular():
    assert not stack(locations=(3, 3, 3)).is_regular()


@pytest.mark.parametrize(
    ("locations", "extents"),
    [
        ((0, 2, 4, 6), (2, 2, 2, 2)),
        ((0, 2, 4, 10, 12, 14), (2, 2, 1, 1, 2, 2)),  # nothing is counted in the hole
        ((0, 2, 4.2, 6.2), (2, 2.1, 2.1, 2)),  # 10 % more: halved between both
        ((0, 2, 4, 5, 7), (2, 2, 1.5, 1.5, 2)),  # overlapping slices share
        ((0, 10), (10, 10)),
    ],
)
def test_slice_extents(locations, extents):
    np.testing.assert_allclose(stack(locations=locations).slice_extents(), extents)


def test_slice_extents_need_two_slices():
    assert stack(locations=(0,)).slice_extents() is None


@given(st.lists(st.floats(0.5, 20), min_size=1, max_size=30))
def test_extents_never_exceed_the_stack_and_its_rims(gaps):
    locations = tuple(np.concatenate([[0], np.cumsum(gaps)]))
    geometry = stack(locations=locations)
    extents = geometry.slice_extents()
    assert extents.shape == (len(locations),)
    assert (extents >= 0).all()
    assert extents.sum() <= locations[-1] + geometry.slice_spacing + 1e-9


@pytest.mark.parametrize("name", STACKS)
def test_extents_are_the_same_in_every_plane(name):
    np.testing.assert_allclose(stack(name, (0, 2, 4, 10)).slice_extents(), [2, 2, 1, 1])


@pytest.mark.parametrize(
    ("row", "column", "texts"),
    [
        ((1, 0, 0), (0, 1, 0), ("z 30.0 mm", "z 32.5 mm")),
        ((1, 0, 0), (0, 0, -1), ("y -20.0 mm", "y -17.5 mm")),
        ((0, 1, 0), (0, 0, -1), ("x -10.0 mm", "x -12.5 mm")),  # the normal points to the right: x falls
        ((1, 0, 0), (0, 0.6**0.5, 0.4**0.5), ("loc 35.9 mm", "loc 38.4 mm")),
    ],
)
def test_places_are_patient_coordinates(row, column, texts):
    origins = np.array([-10.0, -20.0, 30.0]) + np.outer([0, 2.5], np.cross(row, column))
    assert Geometry((2, 5, 5), origins, row, column, (0.8, 0.8)).place_texts == texts


def test_the_place_of_a_tilted_slice_is_that_of_its_middle():
    tilt = np.deg2rad(20)
    column = (0.0, float(np.cos(tilt)), float(np.sin(tilt)))
    geometry = Geometry((1, 101, 101), np.array([[0.0, 0.0, 0.0]]), (1.0, 0.0, 0.0), column, (2.0, 2.0))
    assert geometry.place_texts == (f"z {100 * np.sin(tilt):.1f} mm",)
