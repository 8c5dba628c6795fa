"""What is measured of one lesion: volume, diameter, density, side, and its share of the lungs.

Volume is pixel area times the perpendicular extent of each slice, so nothing is counted in a hole of the series. The
diameter is taken within the slice, with the spacing of both directions. The side comes from the patient's x (LPS), never
from image columns; where the midline is in doubt no side is claimed. Ground glass and consolidation are shares of the
lesion's pixels by their Hounsfield units: a measurement that needs no model and is no prediction of one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.anatomy import patient_x
from ctviewer.core.findings import Instance, Lungs
from ctviewer.core.geometry import Geometry
from ctviewer.core.masks import BoxMask
from ctviewer.core.volume import Volume

Midline = tuple[float, float] | None
"""Range of LPS x in mm in which the patient's midline lies (`anatomy.find_midline`); None: no side is told."""

GROUND_GLASS_HU = (-750.0, -300.0)
"""Both ends belong to it; what is above is consolidation."""

_STRADDLES_FROM = 0.1  # share of a lesion's pixels beyond the midline from which it is on both sides


@dataclass(frozen=True)
class Measurements:
    """What is measured of a lesion; see `Lesion` for units and for what None means."""

    volume_ml: float | None
    diameter_mm: float | None
    mean_hu: float | None
    side: str
    ground_glass: float | None = None
    consolidation: float | None = None
    lung_share: float | None = None


def measure(
    volume: Volume, instances: Sequence[Instance], midline: Midline = None, lungs: Lungs | None = None
) -> Measurements:
    """Measure one lesion.

    Args:
        volume: what the instances lie on.
        instances: of one lesion, none sharing pixels on a slice.
        midline: range of LPS x in mm in which the patient's midline lies (`anatomy.find_midline`); None: no side.
        lungs: with all lesions in them; None: no share of them.
    """
    values = _values(volume, instances)
    millilitres = _volume_ml(volume.geometry, instances)
    return Measurements(
        volume_ml=millilitres,
        diameter_mm=_diameter_mm(volume.geometry, instances),
        mean_hu=_share_of(values, values),
        side=_side(volume, instances, midline),
        ground_glass=_share_of(values, (values >= GROUND_GLASS_HU[0]) & (values <= GROUND_GLASS_HU[1])),
        consolidation=_share_of(values, values > GROUND_GLASS_HU[1]),
        lung_share=_lung_share(millilitres, lungs),
    )


def _share_of(values: NDArray[np.float32], part: NDArray[np.float32] | NDArray[np.bool_]) -> float | None:
    """Mean of `part` over the pixels measured; None where there is none."""
    return float(part.sum(dtype=np.float64)) / values.size if values.size else None


def _lung_share(millilitres: float | None, lungs: Lungs | None) -> float | None:
    if millilitres is None or lungs is None or not lungs.total_ml:
        return None
    return millilitres / lungs.total_ml


def _volume_ml(geometry: Geometry, instances: Sequence[Instance]) -> float | None:
    extents = geometry.slice_extents()
    if extents is None or geometry.pixel_spacing is None:
        return None
    dr, dc = geometry.pixel_spacing
    total = sum(i.mask.area * dr * dc * float(extents[i.slice_index]) for i in instances) / 1000.0
    return None if math.isnan(total) else total  # on slices that share a position no volume can be told


def _diameter_mm(geometry: Geometry, instances: Sequence[Instance]) -> float | None:
    if geometry.pixel_spacing is None:
        return None
    return max(mask_diameter(i.mask, geometry.pixel_spacing) for i in instances)


@lru_cache(maxsize=4096)  # a lesion that is edited on one slice is measured anew: its other slices are as before
def mask_diameter(mask: BoxMask, spacing: tuple[float, float]) -> float:
    """Longest in-plane distance in mm between two points of a mask's outline.

    The outline runs through the middle of the edges between pixels in and out, so that n pixels in a row are n pixels long.

    Args:
        mask: of one slice.
        spacing: mm between rows, mm between columns.
    """
    box = mask.array()
    rows, columns = np.arange(mask.height), np.arange(mask.width)
    first, last = box.argmax(axis=1) - 0.5, mask.width - 0.5 - box[:, ::-1].argmax(axis=1)
    top, bottom = box.argmax(axis=0) - 0.5, mask.height - 0.5 - box[::-1].argmax(axis=0)
    in_rows, in_columns = box.any(axis=1), box.any(axis=0)
    outline = np.concatenate(
        [
            np.stack([rows, first], 1)[in_rows],
            np.stack([rows, last], 1)[in_rows],
            np.stack([top, columns], 1)[in_columns],
            np.stack([bottom, columns], 1)[in_columns],
        ]
    ) * np.asarray(spacing)
    hull = _convex_hull(outline)
    return float(np.sqrt(((hull[:, None] - hull[None]) ** 2).sum(axis=-1).max()))


def _convex_hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners of the convex hull of `[n, 2]` points (Andrew's monotone chain), so that few pairs are compared."""
    ordered = sorted({(y, x) for y, x in points.tolist()})

    def chain(walk: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
        corners: list[tuple[float, float]] = []
        for y, x in walk:
            while len(corners) >= 2:
                (y0, x0), (y1, x1) = corners[-2], corners[-1]
                if (y1 - y0) * (x - x0) - (x1 - x0) * (y - y0) > 0:
                    break
                corners.pop()
            corners.append((y, x))
        return corners

    return np.array(chain(ordered) + chain(reversed(ordered)))


def _values(volume: Volume, instances: Sequence[Instance]) -> NDArray[np.float32]:
    """HU of all pixels that are not padding, on slices that could be decoded; none in another unit."""
    if volume.unit != "HU":
        return np.zeros(0, np.float32)
    found = [np.zeros(0, np.float32)]
    for instance in instances:
        if volume.failed[instance.slice_index] or not volume.loaded[instance.slice_index]:
            continue
        m = instance.mask
        box = (slice(m.top, m.top + m.height), slice(m.left, m.left + m.width))
        inside = m.array() & volume.valid(instance.slice_index)[box]
        found.append(volume.hu(instance.slice_index)[box][inside])
    return np.concatenate(found)


def _side(volume: Volume, instances: Sequence[Instance], midline: Midline) -> str:
    """Right, left or both; empty where there is no midline or too much of the lesion lies where it may run."""
    if midline is None:
        return ""
    right = left = total = 0
    for instance in instances:
        m = instance.mask
        rows, columns = np.nonzero(m.array())
        x = patient_x(volume, instance.slice_index, rows + m.top, columns + m.left)
        if x is None:
            return ""
        right += int((x < midline[0]).sum())
        left += int((x > midline[1]).sum())
        total += x.size
    if min(right, left) >= _STRADDLES_FROM * total:
        return "both"
    if max(right, left) <= total / 2:
        return ""
    return "right" if right > left else "left"
