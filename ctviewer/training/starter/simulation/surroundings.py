"""What chests show besides the disease, in every class: density by gravity, scars, small nodules, pleural fluid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.starter.simulation.host import RIGHT, Floats, Host
from ctviewer.training.starter.simulation.patterns import Finding

_FLUID_HU, _SOFT_TISSUE_HU = 8.0, 20.0
_FLUID_MM = 110.0  # thickness at the very back, of a share of 1
_GRAVITY_MM = 14.0  # over which dependent density fades


def add_surroundings(hu: Floats, finding: Finding, host: Host, rng: np.random.Generator) -> None:
    """Add dependent density, scars and nodules in place to `[n, side, side]` HU."""
    back = np.clip((host.back - 0.55) / 0.4, 0, 1)[None, :, None]
    low = (0.3 + 0.7 * np.clip((host.height - 0.2) / 0.6, 0, 1))[:, None, None]
    near = np.exp(-host.depth / rng.uniform(0.6, 1.5) / _GRAVITY_MM)
    hu += np.where(host.room & (hu < -200), finding.gravity * back * low * near, 0).astype(np.float32)
    for _ in range(finding.scars):
        _stroke(hu, host, float(rng.uniform(15, 45)), float(rng.uniform(0.7, 1.5)), rng)
    for _ in range(finding.specks):
        _stroke(hu, host, 0.1, float(rng.uniform(1.3, 3.2)), rng)


def add_fluid(hu: Floats, labels: NDArray[np.uint8], finding: Finding, host: Host, rng: np.random.Generator) -> None:
    """Add pleural fluid in place: a crescent behind the lower lung, which is lung no more."""
    for side, level in zip((RIGHT, -RIGHT), finding.effusion, strict=True):
        if not level:
            continue
        rising = np.clip((host.height - 0.3) / 0.5, 0, 1)[:, None, None]
        behind = np.clip((host.back - 0.45) / 0.55, 0, 1)[None, :, None]
        wet = (host.side == side) & (host.depth < level * _FLUID_MM * rising * behind)
        hu[wet] = _FLUID_HU + rng.normal(0, 12, int(wet.sum())).astype(np.float32)
        labels[wet] = 0


def _stroke(hu: Floats, host: Host, length: float, radius: float, rng: np.random.Generator) -> None:
    """A straight scar somewhere in the lungs, mostly level; one of no length is a nodule."""
    spots = np.flatnonzero(host.room)
    middle = np.array(np.unravel_index(int(spots[rng.integers(len(spots))]), host.room.shape))
    steps = np.array([host.spacing, host.pixel, host.pixel])
    way = rng.normal(0, 1, 3) * (0.35, 1, 1)
    way *= length / np.linalg.norm(way)
    reach = np.ceil((np.abs(way) + radius + 2) / steps).astype(int)
    box = tuple(slice(max(0, m - r), min(n, m + r + 1)) for m, r, n in zip(middle, reach, host.room.shape, strict=True))
    axes = [(np.arange(b.start, b.stop) - m) * s for b, m, s in zip(box, middle, steps, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    along = np.clip(points @ way / (way @ way), -0.5, 0.5)
    away = np.linalg.norm(points - along[..., None] * way, axis=-1)
    soft = max(host.pixel, 0.5 * host.spacing)
    share = np.clip(0.5 - (away - radius) / soft, 0, 1) * min(1.0, 2 * radius / host.spacing)
    share = share * host.room[box]
    hu[box] += (share * np.maximum(_SOFT_TISSUE_HU - hu[box], 0)).astype(np.float32)
