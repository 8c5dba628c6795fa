"""A classical score per slice, without any learning: how much of the lung is denser than air-filled lung is.

The lung is found by its Hounsfield units and by how it hangs together; what of it lies between -650 and 50 HU and survives an
opening (most vessels do not) is dense. A model is to beat this.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ctviewer.core.volume import Volume
from ctviewer.datasets.lung_masks import lung_masks

DENSE_HU = (-650.0, 50.0)
_AIR_HU = -1024.0  # in place of padding
_OPENING_MM = 2.0  # vessels of the periphery are thinner than two of it
_LEAST_LUNG_MM2 = 1500.0  # on a slice; where there is less, half of it is the dome of the diaphragm
_USUAL = (1.0, 0.7, 0.7)  # mm between slices, rows and columns, where they are not known


def lungs_of(volume: Volume) -> NDArray[np.bool_]:
    """Where the lungs are, with what is dense in them, as far as air-filled lung surrounds it.

    Args:
        volume: axial, in HU.

    Returns:
        `[slices, rows, columns]` by volume index.
    """
    hu = [np.where(volume.valid(i), volume.hu(i), np.float32(_AIR_HU)) for i in range(volume.slice_count)]
    return lung_masks(np.stack(hu), _spacing(volume))


def dense_fractions(volume: Volume, lungs: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of the lung on each slice `[slices]` (volume index) that is dense; 0 where there is hardly any lung.

    Args:
        volume: as for `lungs_of`.
        lungs: of `lungs_of`.
    """
    _, row, column = _spacing(volume)
    disc = _disc(_OPENING_MM / float(np.sqrt(row * column)))
    found = np.zeros(volume.slice_count)
    for i, lung in enumerate(lungs):
        area = int(lung.sum())
        if area * row * column >= _LEAST_LUNG_MM2:
            hu = volume.hu(i)
            dense = lung & (hu > DENSE_HU[0]) & (hu < DENSE_HU[1])
            found[i] = ndimage.binary_opening(dense, disc).sum() / area
    return found


def _spacing(volume: Volume) -> tuple[float, float, float]:
    """Between slices, rows and columns, in mm."""
    g = volume.geometry
    return g.slice_spacing or _USUAL[0], *(g.pixel_spacing or _USUAL[1:])


def _disc(radius: float) -> NDArray[np.bool_]:
    """Of a radius in pixels, the four neighbours at least."""
    reach = max(1, int(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(x**2 + y**2 <= max(1.0, radius) ** 2)
