"""Planes placed on a stack, against the definition: a pixel and its voxel are one point of the patient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctviewer.core.geometry import Geometry
from ctviewer.core.planes import MisplacedError, PixelPlane, Stack

SHAPE = (4, 5, 6)
SPACING = (0.7, 0.9)
STEP = 2.0


def stack_of(turn: np.ndarray, shear: float = 0.0) -> Geometry:
    row, column = turn[:, 0], turn[:, 1]
    origins = np.array([10.0, -20.0, 30.0]) + np.outer(np.arange(SHAPE[0]), STEP * turn[:, 2] + shear * column)
    return Geometry(SHAPE, origins, tuple(row), tuple(column), SPACING)


def point(geometry: Geometry, s: float, r: float, c: float) -> np.ndarray:
    row, column = np.asarray(geometry.row_cosines), np.asarray(geometry.column_cosines)
    return geometry.origins[int(s)] + row * c * SPACING[1] + column * r * SPACING[0]


def turn_of(angles) -> np.ndarray:
    """A rotation by three angles."""
    out = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        one = np.eye(3)
        one[i, i] = one[j, j] = np.cos(angle)
        one[i, j], one[j, i] = -np.sin(angle), np.sin(angle)
        out = out @ one
    return out


def plane_of(geometry: Geometry, across: int, at: int, swap: bool, flips: tuple[bool, bool]) -> PixelPlane:
    """The plane of voxels whose index `across` is `at`, its two axes in any order and direction."""
    axes = [axis for axis in range(3) if axis != across]
    axes = axes[::-1] if swap else axes
    first = np.zeros(3)
    first[across] = at
    steps = []
    for axis, flip in zip(axes, flips, strict=True):
        first[axis] = SHAPE[axis] - 1 if flip else 0
        unit = np.zeros(3)
        unit[axis] = 1.0
        ends = [point(geometry, *(unit * k)) for k in (0, 1)]
        steps.append((ends[1] - ends[0]) * (-1 if flip else 1))
    lengths = [float(np.linalg.norm(step)) for step in steps]
    down, along = (tuple(step / length) for step, length in zip(steps, lengths, strict=True))
    return PixelPlane((SHAPE[axes[0]], SHAPE[axes[1]]), tuple(point(geometry, *first)), along, down, tuple(lengths))


@settings(max_examples=60, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3.0, 3.0)] * 3),
    shear=st.sampled_from([0.0, 0.3]),
    across=st.integers(0, 2),
    at=st.integers(0, 3),
    swap=st.booleans(),
    flips=st.tuples(st.booleans(), st.booleans()),
)
def test_each_pixel_is_the_voxel_at_its_point(angles, shear, across, at, swap, flips):
    geometry = stack_of(turn_of(angles), shear if across == 0 else 0.0)
    plane = plane_of(geometry, across, at, swap, flips)
    placed = Stack(geometry).place(plane, at if across == 0 else None)
    assert placed.slice_index == (at if across == 0 else None)
    pixels = np.random.default_rng(0).random(plane.shape) < 0.5
    found = placed.voxels(pixels, SHAPE)
    for r, c, *voxel in zip(*np.nonzero(pixels), *found, strict=True):
        wanted = np.asarray(plane.origin) + np.asarray(plane.row_cosines) * c * plane.spacing[1]
        wanted = wanted + np.asarray(plane.column_cosines) * r * plane.spacing[0]
        np.testing.assert_allclose(point(geometry, *voxel), wanted, atol=1e-6)


def test_repeated_positions_need_a_word_on_which_slice_is_meant():
    geometry = stack_of(np.eye(3))
    origins = geometry.origins.copy()
    origins[2] = origins[1]
    twice = Geometry(SHAPE, origins, pixel_spacing=SPACING)
    plane = plane_of(twice, 0, 2, False, (False, False))
    assert Stack(twice).place(plane, 2).slice_index == 2
    assert Stack(twice).place(plane, 1).slice_index == 1
    with pytest.raises(MisplacedError, match="several slices"):
        Stack(twice).place(plane)


def test_a_stack_without_places_takes_no_planes():
    with pytest.raises(MisplacedError, match="no positions to compare with"):
        Stack(Geometry(SHAPE, None, pixel_spacing=SPACING))
    with pytest.raises(MisplacedError, match="no positions to compare with"):
        Stack(Geometry(SHAPE, np.zeros((4, 3))))
