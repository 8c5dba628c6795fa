"""What real lesions look like: their outlines, and the grain of ground glass and of consolidation.

Outlines are those that radiologists drew. Grain is taken as a whole, not copied: noise with the covariance of a piece of
lesion and its distribution of values (Galerne, Gousseau and Morel, "Random phase textures", IEEE TIP 20 (2011) 257,
https://doi.org/10.1109/TIP.2010.2052822), so that areas of any size are filled and no seam repeats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import fft, ndimage

from ctviewer.training.starter.chests import INFECTION, LUNG, Chest
from ctviewer.training.starter.simulation.host import LEFT, RIGHT, Floats, Mask, pixel_of, spacing_of

HAZE_HU, DENSE_HU = (-760.0, -320.0), (-220.0, 120.0)
"""Of ground glass and of consolidation, in the mean of their neighbourhood."""

_EVERY = 2.5  # mm between the donors' slices that are looked at
_LEAST_VOXELS, _LEAST_PIXELS = 60, 110  # at 256 pixels a side; in proportion at others
_LARGEST = 0.42  # of the image's side: larger ones are many that have met
_MOST = 60  # outlines or textures of a patient
_SMOOTH = 3.0  # pixels: what is coarser is a lesion's level, what is finer its grain
_KEPT_HAZE, _KEPT_DENSE = 0.6, 0.35  # of the grain: part of it is vessels and edges, which hosts have of their own
_DEPTH_OF_GRAIN = 3.0  # mm over which grain is alike from slice to slice
_QUANTILES = np.linspace(0.005, 0.995, 100)

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Outline:
    """One real lesion's mask.

    Attributes:
        patient: whose it is.
        mask: `[d, h, w]`, cropped.
        pixel, spacing: mm.
        side: which lung, `host.RIGHT` or `host.LEFT`.
    """

    patient: str
    mask: Mask
    pixel: float
    spacing: float
    side: int


@dataclass(frozen=True, eq=False)
class Texture:
    """The grain of a piece of real lesion.

    Attributes:
        patient: whose it is.
        spot: `[h, w]` float32, HU about the local level, scaled so that white noise filtered by it has its covariance.
        values: quantiles of what it adds to the level, HU.
        level: mean HU of the piece.
        dense: consolidation, not ground glass.
    """

    patient: str
    spot: Floats
    values: Floats
    level: float
    dense: bool

    def fill(self, shape: tuple[int, int, int], spacing: float, rng: np.random.Generator) -> Floats:
        """HU about the level, `[n, rows, columns]`, alike on neighbouring slices; `spacing`: mm between them."""
        n, rows, columns = shape
        size = (max(rows, self.spot.shape[0]) + 8, max(columns, self.spot.shape[1]) + 8)
        spectrum = fft.rfft2(self.spot, s=size)
        kept = float(np.exp(-spacing / _DEPTH_OF_GRAIN))
        out, white = np.empty(shape, np.float32), rng.standard_normal(size, np.float32)
        for i in range(n):
            out[i] = fft.irfft2(fft.rfft2(white) * spectrum, s=size)[:rows, :columns]
            white = kept * white + np.float32(np.sqrt(1 - kept**2)) * rng.standard_normal(size, np.float32)
        edges = np.quantile(out, _QUANTILES)
        return np.asarray(np.interp(out, edges, self.values), np.float32)


@dataclass(frozen=True)
class Library:
    """Outlines and textures of some patients."""

    outlines: tuple[Outline, ...]
    haze: tuple[Texture, ...]
    dense: tuple[Texture, ...]


def library_of(donors: Sequence[Chest], spacings: dict[str, float] | None = None, seed: int = 0) -> Library:
    """Collect real lesions.

    Args:
        donors: chests with infection marked.
        spacings: mm between slices by the chest's name, where known.
        seed: of the choice where a patient has more than are kept.
    """
    rng, known = np.random.default_rng(seed), spacings or {}
    outlines: list[Outline] = []
    textures: list[Texture] = []
    for chest in donors:
        spacing = known.get(chest.name, spacing_of(chest))
        step = max(1, round(_EVERY / spacing))
        thin = chest.taken(slice(None, None, step))
        outlines += _some(list(_outlines(thin, spacing * step)), rng)
        for dense in (False, True):
            textures += _some(list(_textures(thin, dense)), rng)
    return Library(tuple(outlines), tuple(t for t in textures if not t.dense), tuple(t for t in textures if t.dense))


def _some(found: list[T], rng: np.random.Generator) -> list[T]:
    if len(found) <= _MOST:
        return found
    return [found[i] for i in np.sort(rng.choice(len(found), _MOST, replace=False))]


def _outlines(chest: Chest, spacing: float) -> Iterator[Outline]:
    side = chest.labels.shape[1]
    lungs = np.flatnonzero((chest.labels >= LUNG).any(axis=(0, 1)))
    if not lungs.size:
        return
    middle, pixel = lungs[[0, -1]].mean(), pixel_of(chest.labels >= LUNG)
    numbered, _ = ndimage.label(chest.labels == INFECTION, np.ones((3, 3, 3), bool))
    for number, box in enumerate(ndimage.find_objects(numbered), 1):
        mask = numbered[box] == number
        if mask.sum() < _LEAST_VOXELS * (side / 256) ** 2 or max(mask.shape[1:]) > _LARGEST * side:
            continue
        centre = (box[2].start + box[2].stop) / 2
        yield Outline(chest.patient, mask, pixel, spacing, RIGHT if centre < middle else LEFT)


def _textures(chest: Chest, dense: bool) -> Iterator[Texture]:
    (low, high), kept = (DENSE_HU, _KEPT_DENSE) if dense else (HAZE_HU, _KEPT_HAZE)
    least = _LEAST_PIXELS * (chest.labels.shape[1] / 256) ** 2
    for hu, labels in zip(chest.hu.astype(np.float32), chest.labels, strict=True):
        inside = labels == INFECTION
        if not inside.any():
            continue
        inside = ndimage.binary_erosion(inside)  # its edge is lung in part
        level = _local_mean(hu, inside)
        numbered, _ = ndimage.label(inside & (level > low) & (level < high))
        for number, box in enumerate(ndimage.find_objects(numbered), 1):
            mask = numbered[box] == number
            if (count := int(mask.sum())) < least:
                continue
            grain = hu[box] - level[box]
            values = grain[mask] - grain[mask].mean()
            spot = np.zeros(mask.shape, np.float32)
            spot[mask] = values / np.sqrt(count)
            quantiles = (kept * np.quantile(values, _QUANTILES)).astype(np.float32)
            yield Texture(chest.patient, spot, quantiles, float(level[box][mask].mean()), dense)


def _local_mean(hu: Floats, inside: Mask) -> Floats:
    weight = ndimage.gaussian_filter(inside.astype(np.float32), _SMOOTH)
    total = ndimage.gaussian_filter(np.where(inside, hu, 0).astype(np.float32), _SMOOTH)
    return np.asarray(total / np.maximum(weight, 1e-3), np.float32)
