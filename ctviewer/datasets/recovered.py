"""Hounsfield units of pictures whose contrast was equalised, as nearly as they can be told.

The slices of COVID-19-CT-Seg at hand were stretched from their lowest to their highest value to 8 bits, then equalised
(CLAHE); neither is said anywhere. The settings below are those under which equalising what was undone gives the pictures back
best (1.0 to 1.3 levels; 2 and more with a limit of 5 or 8). What is left is linear in HU: two things in every chest fix it,
the air around the patient and the two peaks of fat and of muscle and blood. On chests that were put through the same (14 slices of
Lung-PET-CT-Dx and LIDC-IDRI) the median error is between -5 and 13 HU in air, lung, haze, fat and muscle, the mean absolute one 4 to 24.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ctviewer.datasets.clahe import LEVELS, Clahe, undo

EQUALISED = Clahe(clip=6.5, tiles=8)
"""What the pictures of COVID-19-CT-Seg at hand went through."""

AIR_HU, FAT_HU, MUSCLE_HU = -1000.0, -100.0, 50.0
_WIDTH_HU = 30.0  # of the peaks
_FAT_SHARE = 0.8  # of the muscle's weight: there is less of it in most slices
_HU_PER_LEVEL = np.arange(5.0, 40.0, 0.05)  # metal in a slice stretches it to 30 and more
_DARK = 60  # levels: air, at any of these scales
_LEAST_AIR = 500  # pixels


def recover_hu(picture: NDArray[np.uint8], lungs: NDArray[np.bool_], rounds: int = 60) -> NDArray[np.float32]:
    """Hounsfield units of a slice of COVID-19-CT-Seg.

    Args:
        picture: `[rows, columns]`, 8 bits, equalised.
        lungs: `[rows, columns]`, where the lungs are, lesions included: they are neither fat nor muscle.
        rounds: of `clahe.undo`.

    Returns:
        `[rows, columns]` in HU, exact to some tens; not below -1024.
    """
    levels = undo(picture, EQUALISED, rounds)
    air, scale = _scale(levels, lungs)
    hu = AIR_HU + (levels.astype(np.float32) - np.float32(air)) * np.float32(scale)
    return np.asarray(np.maximum(hu, np.float32(-1024.0)), np.float32)


def _scale(levels: NDArray[np.uint8], lungs: NDArray[np.bool_]) -> tuple[float, float]:
    """The level of air, and the HU of one level."""
    counts = ndimage.gaussian_filter1d(np.bincount(levels.ravel(), minlength=LEVELS).astype(float), 1.0)
    darkest = int(counts[:_DARK].argmax())
    body = ndimage.binary_opening(levels > darkest + 25, iterations=3) | lungs
    body = ndimage.binary_fill_holes(body)
    outside = levels[~ndimage.binary_dilation(body, iterations=6)]
    outside = outside[outside < _DARK]
    air = float(np.median(outside)) if outside.size > _LEAST_AIR else float(darkest)
    tissue = ndimage.binary_erosion(body & ~ndimage.binary_dilation(lungs, iterations=2), iterations=2)
    return air, _best_scale(levels[tissue], air)


def _best_scale(tissue: NDArray[np.uint8], air: float) -> float:
    """The HU of one level under which most of the tissue is fat or muscle."""
    counts = ndimage.gaussian_filter1d(np.bincount(tissue, minlength=LEVELS).astype(float), 0.8)
    hu = AIR_HU + (np.arange(LEVELS) - air) * _HU_PER_LEVEL[:, None]
    muscle, fat = (np.exp(-0.5 * ((hu - peak) / _WIDTH_HU) ** 2) for peak in (MUSCLE_HU, FAT_HU))
    return float(_HU_PER_LEVEL[((muscle + _FAT_SHARE * fat) @ counts).argmax()])
