"""Infection painted out of slices, with healthy lung of the same slice: what a chest without it would look like.

Data sets of infected slices alone teach a model that there always is something. The same chests without it teach what healthy
lung looks like between the same ribs, on the same scanner. So that the seams of painting do not tell, healthy lung is
painted over as well where infection stays (`decoyed`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.signal import fftconvolve

from ctviewer.training.starter.chests import INFECTION, LUNG, Chest

_MARGIN = 2  # pixels around what is marked that may show it as well
_PATCH = 24  # pixels: larger areas are painted in parts, each from where there is lung enough
_SEAM = 1.2  # pixels, standard deviation of the blending
_BEST_SHIFTS = 40  # among which one is drawn
_HEALTHY_HU = (-960.0, -620.0)  # of what is smooth in the painted area where no lung to copy is left


def painted_out(chest: Chest, rng: np.random.Generator) -> Chest:
    """The chest without infection: every slice, labels of lung alone."""
    hu = np.empty_like(chest.hu)
    for i, (pixels, labels) in enumerate(zip(chest.hu, chest.labels, strict=True)):
        hu[i] = paint(pixels, labels, labels == INFECTION, rng)
    labels = np.where(chest.labels >= LUNG, np.uint8(LUNG), np.uint8(0))
    return Chest(f"{chest.name} painted out", chest.patient, chest.kind, hu, labels)


def decoyed(chest: Chest, rng: np.random.Generator) -> Chest:
    """The chest with its infection, and healthy lung painted over with healthy lung in places as large."""
    hu = np.empty_like(chest.hu)
    for i, (pixels, labels) in enumerate(zip(chest.hu, chest.labels, strict=True)):
        other = chest.labels[int(rng.integers(len(chest.labels)))] == INFECTION
        area = _shifted(other[:, ::-1] if rng.random() < 0.5 else other, rng.integers(-20, 21, 2))
        spared = ndimage.binary_dilation(labels == INFECTION, iterations=2 * _MARGIN + 2)
        hu[i] = paint(pixels, labels, area & (labels == LUNG) & ~spared, rng)
    return Chest(f"{chest.name} decoyed", chest.patient, chest.kind, hu, chest.labels)


def paint(
    hu: NDArray[np.int16], labels: NDArray[np.uint8], area: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.int16]:
    """Cover an area of the lungs with what healthy lung of the slice looks like.

    Args:
        hu: `[rows, columns]`.
        labels: `[rows, columns]`, indices of `chests.CLASSES`.
        area: `[rows, columns]`, what is to be covered.
        rng: draws where it is copied from.

    Returns:
        `[rows, columns]`; outside the lungs nothing is changed.
    """
    if not area.any():
        return hu
    lung = labels >= LUNG
    covered = ndimage.binary_dilation(area, iterations=_MARGIN) & lung
    healthy = (
        ndimage.binary_erosion(lung & ~ndimage.binary_dilation(labels == INFECTION, iterations=_MARGIN)) & ~covered
    )
    new = hu.astype(np.float32)
    level = _level(new, healthy)
    for part in _parts(covered):
        new[part] = _copied(hu, healthy, part, level, rng)
    share = ndimage.gaussian_filter(covered.astype(np.float32), _SEAM) * lung
    share = np.maximum(share, covered)
    blurred = ndimage.gaussian_filter(np.where(covered, new, hu).astype(np.float32), 0.5)
    edge = (share > 0) & ~ndimage.binary_erosion(covered, iterations=2)
    new = np.where(edge & lung, blurred, new)
    return np.asarray(np.where(share > 0, share * new + (1 - share) * hu, hu).round(), np.int16)


def _parts(covered: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Pieces small enough that healthy lung of their shape can be found: components, cut by a grid."""
    numbered, _ = ndimage.label(covered)
    rows, columns = (np.arange(side) // _PATCH for side in covered.shape)
    cells = rows[:, None] * (int(columns[-1]) + 1) + columns[None]
    keys = np.where(covered, numbered * (int(cells.max()) + 1) + cells, -1)
    return [keys == key for key in np.unique(keys) if key >= 0]


def _level(hu: NDArray[np.float32], healthy: NDArray[np.bool_]) -> NDArray[np.float32]:
    """What healthy lung is like around each pixel: a wide mean over it, vessels left out."""
    sound = healthy & (hu > _HEALTHY_HU[0]) & (hu < _HEALTHY_HU[1])
    weight = ndimage.gaussian_filter(sound.astype(np.float32), 16) + 1e-4
    usual = float(np.median(hu[sound])) if sound.any() else -840.0
    mean = ndimage.gaussian_filter(np.where(sound, hu, 0).astype(np.float32), 16) + 1e-4 * usual
    return np.asarray(mean / weight, np.float32)


def _copied(
    hu: NDArray[np.int16],
    healthy: NDArray[np.bool_],
    part: NDArray[np.bool_],
    level: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Values for the pixels of a part: healthy lung from elsewhere, or its mirror image, at the level that is usual here."""
    mirrored = bool(rng.random() < 0.5)
    source, usable, base = (x[:, ::-1] if mirrored else x for x in (hu, healthy, level))
    rows, columns = np.nonzero(part)
    top, left = rows.min(), columns.min()
    shape = part[top : rows.max() + 1, left : columns.max() + 1]
    fits = fftconvolve(usable.astype(np.float32), shape[::-1, ::-1].astype(np.float32), mode="valid")
    best = np.argpartition(fits.ravel(), -_BEST_SHIFTS)[-_BEST_SHIFTS:]
    row, column = np.unravel_index(int(rng.choice(best)), fits.shape)
    at = rows - top + row, columns - left + column
    values = source[at].astype(np.float32) - base[at]
    missing = ~usable[at]
    if missing.any():
        known = values[~missing]
        values[missing] = rng.choice(known, int(missing.sum())) if known.size else rng.normal(0, 25, int(missing.sum()))
    return np.asarray(values + level[rows, columns], np.float32)


def _shifted(mask: NDArray[np.bool_], by: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray(np.roll(mask, (int(by[0]), int(by[1])), axis=(0, 1)))
