"""A coarse look at a CT series in Hounsfield units: whether lungs are there, how much of them, and what lies around them.

Made to tell a chest from whatever else is sent: about fifty slices on a grid of three millimetres, and nothing that needs
a model. Lung is what has the density of aerated lung over several millimetres, with the body on at least three of its four
sides. Gas in the bowel is near -1000 HU with a thin shell of in-between values, which goes by the opening; mattresses and
head rests have the body on one side only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.upright import Upright
from ctviewer.core.volume import Volume

LUNG_HU = (-960.0, -350.0)
"""Means over the grid's cells that count as aerated lung: emphysema to dense ground glass."""

_SLICES_LOOKED_AT = 48
_CELL_MM = 3.0
_AIR_HU = -1024.0  # padding becomes this: scanners fill what lies outside their circle with -2000 and less
_TISSUE_ABOVE_HU = -300.0
_BONE_ABOVE_HU = 200.0
_LUNG_SLICE_CM2 = 8.0  # of a slice that counts as showing lung: more than a bronchus, or gas taken for lung
_TRACE_CM2 = 1.0
_CUT_OFF = 0.1  # share of the largest lung section that the outermost slice shows where lungs are cut off
_FRONT_HALF = 0.5  # of the lungs' depth: heart and great vessels lie there, the spine does not
_DEEPER = 1.15  # than wide: bodies of patients are wider than deep, with or without arms
_IN_FRONT = 2.0  # times the bone behind the lungs: breastbone and bright blood in the heart stay below it
_BRIGHT_PERCENTILE = 85.0
_WIDE_CM2, _WIDE_SHARE = 120.0, 0.7  # sections of the lungs below the collar bones, which are bright between them
_LEAST_VESSEL_CELLS = 200
_NOISE_SLICES, _NOISE_MM, _NOISE_PERCENTILE = 8, 5.0, 20.0
_NOISE_TISSUE_HU = (-20.0, 100.0)


@dataclass(frozen=True)
class Thorax:
    """What was found. Volumes count aerated lung alone; sides are the patient's.

    Attributes:
        right_ml, left_ml: aerated lung in each half of the body.
        height_mm: from the first to the last slice that shows lung, with the extent that they stand for.
        share: of the slices' extent that shows lung, 0..1.
        traces: of the slices' extent that shows a little of it in both halves of the body, 0..1.
        cut_above, cut_below: the lungs go on beyond the series towards the head, towards the feet.
        cut_aside: they reach the edge of the image.
        lung_hu: their mean; NaN without any.
        bone_share: of the body.
        vessel_hu: 85th percentile of what lies between the front halves of both lungs; None where that is not seen.
        noise_hu: standard deviation within the most even 5 mm of soft tissue; None without soft tissue.
        standing: the body is deeper than wide, or runs through the front and back edge of the images and not through their
            sides: slices of a chest like that are coronal, sagittal or turned by a quarter, whatever the file says.
        spine_in_front: there is far more bone in front of the lungs than behind them.
    """

    right_ml: float
    left_ml: float
    height_mm: float
    share: float
    traces: float
    cut_above: bool
    cut_below: bool
    cut_aside: bool
    lung_hu: float
    bone_share: float
    vessel_hu: float | None
    noise_hu: float | None
    standing: bool
    spine_in_front: bool

    @property
    def lung_ml(self) -> float:
        """Of both halves."""
        return self.right_ml + self.left_ml


def look(volume: Volume) -> Thorax | None:
    """Look at a series of axial slices in Hounsfield units; flips and transposes of how it is stored change nothing.

    Args:
        volume: all slices loaded or failed.

    Returns:
        None where positions, spacing or all slices are missing: nothing can be said in millimetres.
    """
    g = volume.geometry
    order = g.display_order
    readable = order[(volume.loaded & ~volume.failed)[order]]
    if g.pixel_spacing is None or g.locations is None or g.slice_spacing is None or not readable.size:
        return None
    picks = readable[np.unique(np.rint(np.linspace(0, readable.size - 1, _SLICES_LOOKED_AT)).astype(np.intp))]
    grid = _Grid.of(volume, picks)
    body = _opened(grid.hu > _TISSUE_ABOVE_HU)
    inside = _enclosed(body)
    lung = _opened((grid.hu > LUNG_HU[0]) & (grid.hu < LUNG_HU[1])) & inside
    return _described(volume, grid, body, lung)


@dataclass(frozen=True, eq=False)
class _Grid:
    """Means over cells of some slices, in patient axes, head to feet.

    Attributes:
        hu: `[slices, rows, columns]` float32; rows to posterior, columns to the patient's left.
        picks: `[slices]` volume indices.
        extents: `[slices]` mm of the patient that each stands for.
        sides: mm of a cell's rows and columns.
    """

    hu: NDArray[np.float32]
    picks: NDArray[np.intp]
    extents: NDArray[np.float64]
    sides: tuple[float, float]

    @property
    def cell_cm2(self) -> float:
        """Area of a cell."""
        return self.sides[0] * self.sides[1] / 100.0

    @classmethod
    def of(cls, volume: Volume, picks: NDArray[np.intp]) -> _Grid:
        spacing, upright = volume.geometry.pixel_spacing, Upright.of(volume.geometry)
        assert spacing is not None  # `look` has made sure
        if upright.transpose:
            spacing = spacing[1], spacing[0]
        per_cell = max(1, round(_CELL_MM / spacing[0])), max(1, round(_CELL_MM / spacing[1]))
        hu = np.stack([_cells(upright.apply(_values(volume, int(index))), per_cell) for index in picks])
        return cls(hu, picks, _extents(volume, picks), (per_cell[0] * spacing[0], per_cell[1] * spacing[1]))


def _values(volume: Volume, index: int) -> NDArray[np.float32]:
    """One slice in HU, padding and what lies below air made air."""
    values = np.maximum(volume.hu(index), np.float32(_AIR_HU))
    if volume.padding is not None:
        values[~volume.valid(index)] = _AIR_HU
    return np.asarray(values)


def _cells(values: NDArray[np.float32], per_cell: tuple[int, int]) -> NDArray[np.float32]:
    """Means over cells of so many rows and columns; the last rows and columns are left out where they fill no cell."""
    rows, columns = (side // n * n for side, n in zip(values.shape, per_cell, strict=True))
    down = values[:rows, :columns].reshape(-1, per_cell[0], columns).sum(axis=1)  # rows first: long runs of memory
    total = sum(down[:, first :: per_cell[1]] for first in range(per_cell[1]))
    return np.asarray(total / np.float32(per_cell[0] * per_cell[1]), np.float32)


def _extents(volume: Volume, picks: NDArray[np.intp]) -> NDArray[np.float64]:
    """Mm that each of the slices stands for: half of both gaps, at the ends half a spacing outwards."""
    places, step = volume.geometry.locations, volume.geometry.slice_spacing
    assert places is not None and step is not None  # `look` has made sure
    half = np.abs(np.diff(places[picks])) / 2
    return np.asarray(np.concatenate([[step / 2], half]) + np.concatenate([half, [step / 2]]))


def _described(volume: Volume, grid: _Grid, body: NDArray[np.bool_], lung: NDArray[np.bool_]) -> Thorax:
    middle = _middle_column(body)
    halves = np.stack([half.sum(axis=(1, 2)) * grid.cell_cm2 for half in (lung[..., :middle], lung[..., middle:])])
    right, left = (halves * grid.extents / 10.0).sum(axis=1)
    sections = halves.sum(axis=0)
    shows, traces = sections >= _LUNG_SLICE_CM2, (halves >= _TRACE_CM2).all(axis=0)
    seen = np.flatnonzero(shows)
    cut = sections >= max(_LUNG_SLICE_CM2, _CUT_OFF * float(sections.max()))
    edge = lung[:, :, [0, -1]].sum() + lung[:, [0, -1]].sum()
    return Thorax(
        right_ml=float(right),
        left_ml=float(left),
        height_mm=float(grid.extents[seen[0] : seen[-1] + 1].sum()) if seen.size else 0.0,
        share=float(grid.extents[shows].sum() / grid.extents.sum()),
        traces=float(grid.extents[traces].sum() / grid.extents.sum()),
        cut_above=bool(cut[0]),
        cut_below=bool(cut[-1]),
        cut_aside=bool(edge > 0.01 * lung.sum()),
        lung_hu=float(grid.hu[lung].mean()) if lung.any() else float("nan"),
        bone_share=float((grid.hu > _BONE_ABOVE_HU).sum() / max(1, body.sum())),
        vessel_hu=_between_lungs(grid.hu, lung, sections >= max(_WIDE_CM2, _WIDE_SHARE * float(sections.max()))),
        noise_hu=_noise(volume, grid.picks),
        standing=_stands(body, grid.sides),
        spine_in_front=_is_spine_in_front(grid.hu, lung, shows),
    )


def _middle_column(body: NDArray[np.bool_]) -> int:
    """The column that has as much of the body on its left as on its right."""
    columns = body.sum(axis=(0, 1)).cumsum()
    return int(np.searchsorted(columns, columns[-1] / 2)) if columns[-1] else body.shape[2] // 2


def _enclosed(body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where the body lies on three of four sides at least: a lung that the image cuts off is enclosed too."""
    sides = sum(
        np.flip(np.logical_or.accumulate(np.flip(body, axis), axis=axis), axis).astype(np.uint8)
        + np.logical_or.accumulate(body, axis=axis).astype(np.uint8)
        for axis in (1, 2)
    )
    return np.asarray(sides >= 3)


def _opened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Within each slice, what holds squares of three by three cells; the image goes on beyond its edge."""
    return _grown(~_grown(~mask))


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Each cell and its eight neighbours."""
    down = mask.copy()
    down[:, 1:] |= mask[:, :-1]
    down[:, :-1] |= mask[:, 1:]
    grown = down.copy()
    grown[:, :, 1:] |= down[:, :, :-1]
    grown[:, :, :-1] |= down[:, :, 1:]
    return grown


def _between_lungs(hu: NDArray[np.float32], lung: NDArray[np.bool_], wide: NDArray[np.bool_]) -> float | None:
    """How bright the brightest of heart and great vessels are; None where they are not seen between two lungs."""
    found: list[NDArray[np.float32]] = []
    for values, here in zip(hu[wide], lung[wide], strict=True):
        rows, columns = here.any(axis=1).nonzero()[0], here.any(axis=0).nonzero()[0]
        middle = (columns[0] + columns[-1]) // 2
        last = rows[0] + int((rows[-1] - rows[0]) * _FRONT_HALF)
        for row in range(rows[0], last + 1):
            right, left = here[row, :middle].nonzero()[0], here[row, middle:].nonzero()[0]
            if right.size and left.size:
                found.append(values[row, right[-1] + 3 : max(middle + left[0] - 2, 0)])
    between = np.concatenate(found) if found else np.zeros(0, np.float32)
    between = between[between > -100.0]  # no trachea, no lung behind the sternum
    return float(np.percentile(between, _BRIGHT_PERCENTILE)) if between.size >= _LEAST_VESSEL_CELLS else None


def _noise(volume: Volume, picks: NDArray[np.intp]) -> float | None:
    """Standard deviation within small squares of soft tissue, of the most even fifth: no edges, no vessels."""
    spacing = volume.geometry.pixel_spacing
    assert spacing is not None  # `look` has made sure
    side = max(4, round(_NOISE_MM / max(spacing)))
    upright = Upright.of(volume.geometry)
    rows, columns = (length // side for length in upright.apply(volume.stored[0]).shape)
    if not rows or not columns:
        return None
    deviations = []
    for index in picks[np.unique(np.rint(np.linspace(0, picks.size - 1, _NOISE_SLICES)).astype(np.intp))]:
        values = upright.apply(volume.hu(int(index)))
        squares = values[: rows * side, : columns * side].reshape(rows, side, columns, side)
        means = squares.mean(axis=(1, 3))
        tissue = (means > _NOISE_TISSUE_HU[0]) & (means < _NOISE_TISSUE_HU[1])
        deviations.append(squares.transpose(0, 2, 1, 3)[tissue].std(axis=(1, 2)))
    found = np.concatenate(deviations)
    return float(np.percentile(found, _NOISE_PERCENTILE)) if found.size >= 20 else None


def _stands(body: NDArray[np.bool_], sides: tuple[float, float]) -> bool:
    """Whether the body is deeper than wide, or most slices show it through the front and the back edge with its sides free."""
    through = body[:, 0].any(axis=1) & body[:, -1].any(axis=1)
    aside = body[:, :, 0].any(axis=1) | body[:, :, -1].any(axis=1)
    shown = body.any(axis=(1, 2))
    if (through & ~aside).sum() > 0.5 * shown.sum() > 0:
        return True
    depth, width = (_span(body.sum(axis=axes)) * side for axes, side in zip(((0, 2), (0, 1)), sides, strict=True))
    return bool(depth > _DEEPER * width)


def _span(counts: NDArray[np.intp]) -> int:
    """Over how many places the middle 98 % lie."""
    total = counts.cumsum()
    return int(np.searchsorted(total, 0.99 * total[-1]) - np.searchsorted(total, 0.01 * total[-1]))


def _is_spine_in_front(hu: NDArray[np.float32], lung: NDArray[np.bool_], shows: NDArray[np.bool_]) -> bool:
    """Whether bone between the lungs, in the front and back quarter of their depth and beyond, is mostly in front."""
    front = back = 0
    for values, here in zip(hu[shows], lung[shows], strict=True):
        rows, columns = here.any(axis=1).nonzero()[0], here.any(axis=0).nonzero()[0]
        quarter, third = (rows[-1] - rows[0]) // 4, (columns[-1] - columns[0]) // 3
        bone = values[:, columns[0] + third : columns[-1] - third + 1] > _BONE_ABOVE_HU
        front += int(bone[: rows[0] + quarter].sum())
        back += int(bone[rows[-1] - quarter + 1 :].sum())
    return front > _IN_FRONT * back and front > 0
