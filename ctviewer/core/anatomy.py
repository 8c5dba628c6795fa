"""Where the patient's midline runs, by plain Hounsfield units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.volume import Volume

_AERATED_LUNG_HU = (-950.0, -600.0)
_TISSUE_ABOVE_HU = -300.0
_SLICES_LOOKED_AT = 32
_ROWS_LOOKED_AT = 128


def find_midline(volume: Volume) -> tuple[float, float] | None:
    """Range of LPS x in mm in which the patient's midline lies: it holds the middle of the body and that of both lungs.

    At most 32 evenly spread slices that could be decoded are looked at, and some pixels of each.

    Returns:
        From and to; None without positions, spacing or body, or where values are not HU.
    """
    if volume.unit != "HU":
        return None
    usable = np.flatnonzero(volume.loaded & ~volume.failed)
    body_x: list[NDArray[np.float64]] = []
    lung_x: list[NDArray[np.float64]] = []
    step = max(1, max(volume.stored.shape[1:]) // _ROWS_LOOKED_AT)
    for index in usable[:: max(1, -(-len(usable) // _SLICES_LOOKED_AT))]:
        hu = volume.hu(int(index))[::step, ::step]
        valid = volume.valid(int(index))[::step, ::step]
        body = valid & (hu > _TISSUE_ABOVE_HU)
        inside = _between_first_and_last(body, 1) & _between_first_and_last(body, 0) & valid
        lung = inside & (hu > _AERATED_LUNG_HU[0]) & (hu < _AERATED_LUNG_HU[1])
        rows, columns = np.arange(body.shape[0])[:, None], np.arange(body.shape[1])[None]
        x = patient_x(volume, int(index), rows, columns, step)
        if x is not None:
            body_x.append(x[body])
            lung_x.append(x[lung])
    middles = [middle for middle in (_middle(body_x), _middle(lung_x)) if middle is not None]
    return (min(middles), max(middles)) if middles else None


def patient_x(
    volume: Volume, slice_index: int, rows: NDArray[np.intp], columns: NDArray[np.intp], step: int = 1
) -> NDArray[np.float64] | None:
    """LPS x in mm (rising towards the patient's left) of pixels; None without positions or spacing.

    Args:
        volume: the volume.
        slice_index: volume index.
        rows: row indices, in units of `step` pixels, of any shape.
        columns: column indices, in units of `step` pixels, of a shape that goes with `rows`.
        step: pixels per index.
    """
    g = volume.geometry
    if g.origins is None or g.pixel_spacing is None:
        return None
    per_row = g.column_cosines[0] * g.pixel_spacing[0] * step
    per_column = g.row_cosines[0] * g.pixel_spacing[1] * step
    return np.asarray(g.origins[slice_index, 0] + rows * per_row + columns * per_column)


def _between_first_and_last(mask: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Along `axis`, everything from the first to the last pixel set."""
    forward = np.logical_or.accumulate(mask, axis=axis)
    backward = np.flip(np.logical_or.accumulate(np.flip(mask, axis), axis=axis), axis)
    return np.asarray(forward & backward)


def _middle(parts: list[NDArray[np.float64]]) -> float | None:
    """Middle between the outermost points, the last 2 % at both ends (table, arms, stray pixels) left out."""
    x = np.concatenate(parts) if parts else np.zeros(0)
    if x.size < 100:
        return None
    low, high = np.percentile(x, (2, 98))
    return float((low + high) / 2)
