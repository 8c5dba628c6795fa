"""A classical score per slice, without any learning: how much of the lung is denser than air-filled lung is.

The lung is found by its Hounsfield units and by how it hangs together; what of it lies between -650 and 50 HU and survives an
opening (vessels do not) is dense. A model is to beat this.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ctviewer.core.volume import Volume

DENSE_HU = (-650.0, 50.0)
_AIR_HU = -320.0  # below it: air and lung
_SHARE_OF_LARGEST = 0.2  # a lung beside the other; gas in the stomach is smaller
_CLOSING_MM = 10.0  # vessels and lesions at the edge are lung
_OPENING_MM = 2.0  # vessels of the periphery are thinner than two of it
_LEAST_LUNG_MM2 = 1500.0  # on a slice; where there is less, half of it is the dome of the diaphragm


def lung_mask(volume: Volume) -> NDArray[np.bool_]:
    """Where the lungs are, with what is dense in them, as far as air-filled lung surrounds it.

    Args:
        volume: axial, in HU, with pixel spacing.

    Returns:
        `[slices, rows, columns]` by volume index.
    """
    inside = np.stack([_air_inside(volume, i) for i in range(volume.slice_count)])
    numbered, count = ndimage.label(inside)
    if not count:
        return inside
    sizes = np.bincount(numbered.ravel())
    sizes[0] = 0
    lungs = (sizes >= _SHARE_OF_LARGEST * sizes.max())[numbered]
    radius = _CLOSING_MM / _pixel(volume)
    return np.stack([_closed(each, radius) for each in lungs])


def dense_fractions(volume: Volume, lungs: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of the lung on each slice `[slices]` (volume index) that is dense; 0 where there is hardly any lung.

    Args:
        volume: as for `lung_mask`.
        lungs: of `lung_mask`.
    """
    pixel = _pixel(volume)
    disc = _disc(_OPENING_MM / pixel)
    found = np.zeros(volume.slice_count)
    for i, lung in enumerate(lungs):
        area = int(lung.sum())
        if area * pixel**2 >= _LEAST_LUNG_MM2:
            hu = volume.hu(i)
            dense = lung & (hu > DENSE_HU[0]) & (hu < DENSE_HU[1])
            found[i] = ndimage.binary_opening(dense, disc).sum() / area
    return found


def _pixel(volume: Volume) -> float:
    """Side of a pixel in mm; that of a usual chest where it is not known."""
    spacing = volume.geometry.pixel_spacing
    return 0.7 if spacing is None else float(np.sqrt(spacing[0] * spacing[1]))


def _air_inside(volume: Volume, index: int) -> NDArray[np.bool_]:
    """Air and lung that does not reach the edge of the slice: what is inside the body."""
    air = (volume.hu(index) < _AIR_HU) | ~volume.valid(index)
    if volume.failed[index]:
        return np.zeros_like(air)
    numbered, _ = ndimage.label(air)
    edges = np.concatenate([numbered[0], numbered[-1], numbered[:, 0], numbered[:, -1]])
    outside = np.isin(numbered, np.unique(edges[edges > 0]))
    return np.asarray(air & ~outside)


def _closed(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Closed by a disc and filled; by distances, since a large disc is slow otherwise."""
    if not mask.any():
        return mask
    edge = int(np.ceil(radius)) + 1
    padded = np.pad(mask, edge)
    grown = ndimage.distance_transform_edt(~padded) <= radius
    shrunk = ndimage.distance_transform_edt(grown) > radius
    closed = (shrunk | padded)[edge:-edge, edge:-edge]
    return np.asarray(ndimage.binary_fill_holes(closed))


def _disc(radius: float) -> NDArray[np.bool_]:
    """At least the four neighbours."""
    reach = max(1, int(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(x**2 + y**2 <= max(1.0, radius) ** 2)
