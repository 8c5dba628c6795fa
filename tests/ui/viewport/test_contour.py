"""Borders of masks against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PySide6.QtCore import QPointF
from scipy import ndimage

from ctviewer.core.masks import BoxMask
from ctviewer.ui.viewport.contour import trace
from ctviewer.ui.viewport.overlay import outline

masks = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.booleans())


def even_odd(loops: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Fill by counting the vertical segments to the left of each pixel's centre."""
    out = np.zeros(shape, int)
    for loop in loops:
        for (x0, y0), (x1, y1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
            if x0 == x1:
                out[min(y0, y1) : max(y0, y1), x0:] += 1
    return out % 2 == 1


def edges(mask: np.ndarray) -> int:
    padded = np.pad(mask, 1).astype(int)
    return int(np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum())


@given(masks)
def test_filling_the_loops_gives_the_mask_back(mask: np.ndarray) -> None:
    assert np.array_equal(even_odd(trace(mask), mask.shape), mask)


@given(masks)
def test_loops_are_rectilinear_and_as_long_as_the_border(mask: np.ndarray) -> None:
    length = 0
    for loop in trace(mask):
        steps = np.roll(loop, -1, axis=0) - loop
        assert np.all((steps == 0).sum(axis=1) == 1)  # each step along one axis
        turns = (steps[:, 0] == 0) != (np.roll(steps, -1, axis=0)[:, 0] == 0)
        assert turns.all()  # corners only
        length += int(np.abs(steps).sum())
    assert length == edges(mask)


@given(masks)
def test_one_loop_for_each_piece_and_each_hole(mask: np.ndarray) -> None:
    pieces = ndimage.label(mask)[1]
    outside_and_holes = ndimage.label(~np.pad(mask, 1), np.ones((3, 3)))[1]
    assert len(trace(mask)) == pieces + outside_and_holes - 1


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        (["10", "01"], 2),  # touching at a corner, both diagonals
        (["01", "10"], 2),
        (["111", "101", "111"], 2),  # a hole
        (["1"], 1),
        (["0"], 0),
        (["11111", "10001", "10101", "10001", "11111"], 3),  # an island in a hole
    ],
)
def test_number_of_loops(rows: list[str], count: int) -> None:
    assert len(trace(np.array([[c == "1" for c in row] for row in rows]))) == count


def test_coordinates_are_pixel_borders_of_the_slice() -> None:
    (loop,) = trace(np.ones((1, 2), bool), top=5, left=7)
    assert {tuple(p) for p in loop.tolist()} == {(7, 5), (9, 5), (9, 6), (7, 6)}


@given(masks)
def test_the_painter_path_covers_the_pixels_of_the_mask(mask: np.ndarray) -> None:
    full = np.zeros((20, 20), bool)
    full[3 : 3 + mask.shape[0], 4 : 4 + mask.shape[1]] = mask
    box = BoxMask.from_array(full)
    if box is None:
        return
    path = outline(box)
    found = [[path.contains(QPointF(x + 0.5, y + 0.5)) for x in range(20)] for y in range(20)]
    assert np.array_equal(np.array(found), full)
