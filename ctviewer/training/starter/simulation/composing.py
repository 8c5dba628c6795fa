"""Disease put into a clean chest: air in the lung is replaced by fluid, in proportion, so that vessels stay what they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ctviewer.training.starter.chests import INFECTION, LUNG
from ctviewer.training.starter.simulation.host import Floats, Host
from ctviewer.training.starter.simulation.library import Library, Texture
from ctviewer.training.starter.simulation.shapes import Placed

BLOOD_HU = 45.0
"""Where no air is left: consolidation and vessels look alike without contrast agent."""

_LUNG_HU = -850.0
_DENSE_HU = (-20.0, 45.0)
_AIRWAYS = (1.0, 2.2)  # mm, radii of open airways
_VISIBLE = 0.35  # share of a voxel that is ill from which a reader would mark it
_HAND = 1.8  # mm by which outlines drawn by hand are smooth
_LEAST_PIXELS = 8  # at 256 pixels a side, of what is marked on a slice


def compose(
    hu: Floats, host: Host, placed: Sequence[Placed], library: Library, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], frozenset[str]]:
    """Put lesions into a chest.

    Args:
        hu: `[n, side, side]`, of the host; changed in place.
        host: whose lungs.
        placed: lesions.
        library: textures to draw from.
        rng: of the draws.

    Returns:
        Labels `[n, side, side]` uint8 of `chests.CLASSES`, and the donors' patients.
    """
    ill = np.zeros(hu.shape, np.float32)
    donors: frozenset[str] = frozenset()
    for one in placed:
        share = one.share * host.room[one.box]
        target, used = _target(one, host, library, rng)
        donors |= used | one.donors
        filled = np.clip((target - _LUNG_HU) / (BLOOD_HU - _LUNG_HU), 0, 1.08)
        if one.lesion.bronchograms:
            filled *= 1 - _airways(one, host, rng) * one.core
        before = hu[one.box]
        air = np.maximum(BLOOD_HU - before, 0)
        hu[one.box] = before + share * filled * air
        ill[one.box] = np.maximum(ill[one.box], share)
    return _labels(ill, host), donors


def _target(one: Placed, host: Host, library: Library, rng: np.random.Generator) -> tuple[Floats, frozenset[str]]:
    """HU that healthy lung becomes, `[n, rows, columns]` of the lesion's box, and whose grain it has."""
    shape = one.share.shape
    size: tuple[int, int, int] = (shape[0], shape[1], shape[2])
    textures = [_near(library.haze, one.lesion.haze, rng)]
    target = one.lesion.haze + textures[0].fill(size, host.spacing, rng)
    if one.lesion.core > 0:
        level = rng.uniform(*_DENSE_HU)
        textures.append(_near(library.dense, level, rng))
        target += one.core * (level + textures[1].fill(size, host.spacing, rng) - target)
    return np.asarray(target, np.float32), frozenset(texture.patient for texture in textures)


def _near(pool: Sequence[Texture], level: float, rng: np.random.Generator) -> Texture:
    """One of a few whose level is nearest to the wanted one: grain belongs to a density."""
    few = rng.choice(len(pool), min(len(pool), 8), replace=False)
    return pool[min(few, key=lambda i: abs(pool[i].level - level))]


def _airways(one: Placed, host: Host, rng: np.random.Generator) -> Floats:
    """0 to 1 where an airway stays open: a few straight ones that fan out through the lesion."""
    shape, steps = one.share.shape, np.array([host.spacing, host.pixel, host.pixel])
    grid = np.stack(np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, steps, strict=True)), indexing="ij"), axis=-1)
    solid = np.argwhere(one.share * one.core >= 0.9 * (one.share * one.core).max())
    start = solid[int(rng.integers(len(solid)))] * steps
    open_ = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(3, 7))):
        way = rng.normal(0, 1, 3) * (0.6, 1, 1)
        way *= one.lesion.radius / np.linalg.norm(way)
        along = np.clip((grid - start) @ way / (way @ way), 0, 1)
        away = np.linalg.norm(grid - start - along[..., None] * way, axis=-1)
        radius = rng.uniform(*_AIRWAYS) * (1 - 0.5 * along)
        open_ = np.maximum(open_, np.clip(0.5 - (away - radius) / host.pixel, 0, 1).astype(np.float32))
    return open_


def _labels(ill: Floats, host: Host) -> NDArray[np.uint8]:
    """Lung, and infection where a reader would mark it: smooth outlines, and nothing of a few pixels."""
    lungs = host.chest.labels == LUNG
    smooth = ndimage.gaussian_filter(ill, (0, _HAND / host.pixel, _HAND / host.pixel))
    marked = np.stack([ndimage.binary_fill_holes(plane > _VISIBLE) for plane in smooth]) & lungs
    least = _LEAST_PIXELS * (ill.shape[1] / 256) ** 2
    marked &= (marked.sum(axis=(1, 2)) >= least)[:, None, None]
    return np.where(marked, INFECTION, host.chest.labels).astype(np.uint8)
