"""Patient axes, the square input, and masks on their way back to the volume's own matrix."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.core.geometry import Geometry
from ctviewer.models.placement import Placement, Upright

LEFT, POSTERIOR = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
RIGHT, ANTERIOR = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)
ORIENTATIONS = [(a, b) for a in (LEFT, RIGHT) for b in (POSTERIOR, ANTERIOR)]
ORIENTATIONS += [(b, a) for a, b in ORIENTATIONS]
SHAPES = [(64, 64), (512, 512), (40, 64), (100, 37), (300, 301)]


def geometry(
    shape: tuple[int, int], rows: tuple[float, ...] = LEFT, columns: tuple[float, ...] = POSTERIOR
) -> Geometry:
    return Geometry((1, *shape), np.zeros((1, 3)), rows, columns, (1.0, 1.0))  # type: ignore[arg-type]


@pytest.mark.parametrize(("along_row", "along_column"), ORIENTATIONS)
def test_upright_columns_run_to_the_left_and_rows_to_posterior(
    along_row: tuple[float, ...], along_column: tuple[float, ...]
) -> None:
    rows, columns = np.mgrid[:5, :7]
    # coordinates of each pixel in the patient
    x = columns * along_row[0] + rows * along_column[0]
    y = columns * along_row[1] + rows * along_column[1]
    upright = Upright.of(geometry((5, 7), along_row, along_column))
    assert bool((np.diff(upright.apply(x), axis=1) == 1).all()) and bool((np.diff(upright.apply(y), axis=0) == 1).all())
    np.testing.assert_array_equal(upright.undo(upright.apply(x)), x)


@pytest.mark.parametrize(("along_row", "along_column"), ORIENTATIONS)
@pytest.mark.parametrize("shape", [(40, 64), (100, 37)])
def test_square_keeps_the_aspect_and_pads_both_sides(
    shape: tuple[int, int], along_row: tuple[float, ...], along_column: tuple[float, ...]
) -> None:
    placement = Placement.of(geometry(shape, along_row, along_column), 64)
    image = np.arange(1, shape[0] * shape[1] + 1, dtype=np.float32).reshape(shape)
    square = placement.square(image, -5.0)
    assert square.shape == (max(shape), max(shape))
    rows, columns = placement.upright_shape
    top, left = placement.padding
    np.testing.assert_array_equal(square[top : top + rows, left : left + columns], placement.upright.apply(image))
    assert int((square == -5.0).sum()) == square.size - image.size
    assert abs(2 * top + rows - max(shape)) <= 1 and abs(2 * left + columns - max(shape)) <= 1


@pytest.mark.parametrize(("along_row", "along_column"), ORIENTATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_mask_comes_back_to_where_it_was(
    shape: tuple[int, int], along_row: tuple[float, ...], along_column: tuple[float, ...]
) -> None:
    """Mark a rectangle in the volume, see where the net sees it, paste it back from there."""
    placement = Placement.of(geometry(shape, along_row, along_column), 256)
    labels = np.zeros(shape, np.uint8)
    labels[shape[0] // 4 : shape[0] // 2, shape[1] // 8 : shape[1] // 3] = 1
    seen = placement.labels(labels)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)
    mask = placement.paste(box, np.ones((28, 28)))
    assert mask is not None
    back = mask.full(shape)
    shared = np.logical_and(back, labels).sum() / np.logical_or(back, labels).sum()
    assert shared > (0.99 if max(shape) <= 256 else 0.95)


@pytest.mark.parametrize(("along_row", "along_column"), ORIENTATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_box_comes_back_to_the_edges_of_the_mask_in_it(
    shape: tuple[int, int], along_row: tuple[float, ...], along_column: tuple[float, ...]
) -> None:
    placement = Placement.of(geometry(shape, along_row, along_column), 256)
    side = placement.side / 256
    top, left = placement.padding
    rows, columns = placement.upright_shape
    pixels = np.array([2, 3, columns - 4, rows // 2], float)  # x1, y1, x2, y2 of whole pixels of the upright slice
    box = (pixels + np.array([left, top, left, top])) / side
    mask = placement.paste(box, np.ones((28, 28)))
    assert mask is not None
    edges = (mask.left, mask.top, mask.left + mask.width, mask.top + mask.height)
    assert placement.box(box) == pytest.approx(edges)


def test_a_box_over_the_edge_ends_there() -> None:
    placement = Placement.of(geometry((40, 64), RIGHT, POSTERIOR), 64)
    assert placement.box(np.array([-5.0, -5.0, 20.0, 100.0])) == (44.0, 0.0, 64.0, 40.0)


def test_an_l_shaped_mask_keeps_its_shape_and_place() -> None:
    placement = Placement.of(geometry((512, 512), RIGHT, POSTERIOR), 256)
    mask = np.zeros((28, 28))
    mask[:, :14] = 1.0  # left half of the box as the net sees it
    mask[20:, :] = 1.0  # and its lowest rows
    box_mask = placement.paste(np.array([10.0, 20.0, 66.0, 76.0]), mask)
    assert box_mask is not None
    full = placement.upright.apply(box_mask.full((512, 512)))  # flipped columns undone
    rows, columns = np.flatnonzero(full.any(axis=1)), np.flatnonzero(full.any(axis=0))
    assert (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) == (40, 152, 20, 132)
    assert full[60, 30] and not full[60, 120] and full[148, 120]


def test_pasting_is_bilinear_between_cells() -> None:
    placement = Placement.of(geometry((64, 64)), 64)
    mask = np.repeat(np.linspace(0.0, 1.0, 4)[None, :], 4, axis=0)
    box_mask = placement.paste(np.array([0.0, 0.0, 32.0, 32.0]), mask)
    assert box_mask is not None
    full = box_mask.full((64, 64))
    for column in range(32):
        at = (column + 0.5) / 8 - 0.5
        value = np.interp(at, range(4), np.linspace(0.0, 1.0, 4))
        assert bool(full[5, column]) == (value >= 0.5)


@pytest.mark.parametrize(
    "box", [[-40.0, -40.0, -10.0, -10.0], [70.0, 10.0, 90.0, 20.0], [5.0, 5.0, 5.0, 9.0], [9.0, 9.0, 5.0, 5.0]]
)
def test_boxes_outside_or_without_area_give_nothing(box: list[float]) -> None:
    assert Placement.of(geometry((64, 64)), 64).paste(np.array(box), np.ones((28, 28))) is None


def test_boxes_over_the_edge_are_cut() -> None:
    mask = Placement.of(geometry((64, 64)), 64).paste(np.array([-10.0, 50.0, 10.0, 80.0]), np.ones((28, 28)))
    assert mask is not None
    assert (mask.top, mask.left, mask.height, mask.width) == (50, 0, 14, 10)


def test_a_mask_below_the_threshold_is_nothing() -> None:
    assert Placement.of(geometry((64, 64)), 64).paste(np.array([0.0, 0.0, 9.0, 9.0]), np.full((28, 28), 0.4)) is None
