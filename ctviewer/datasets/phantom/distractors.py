"""What looks like disease and is none; every class holds it, so that bright does not mean ill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.datasets.phantom.chest import SIDES, Chest
from ctviewer.datasets.phantom.fields import NoiseField, Warp
from ctviewer.datasets.phantom.shapes import Array, View, smooth_step
from ctviewer.datasets.phantom.tubes import Tubes


@dataclass(frozen=True)
class Distractors:
    """Dependent density, scars, nodules, emphysema and breathing.

    Attributes:
        dependent: HU added at the back of the lungs, by gravity.
        reach: mm over which that fades.
        bands: scars.
        nodules: small ones, as tubes of next to no length.
        emphysema: about the share of the lung that is destroyed, 0 to 0.1.
        ripple: mm by which breathing shifts the diaphragm from slice to slice.
        patches: what makes the dependent density uneven.
    """

    dependent: float
    reach: float
    bands: Tubes
    nodules: Tubes
    emphysema: float
    ripple: float
    patches: NoiseField

    @classmethod
    def draw(cls, chest: Chest, warp: Warp, rng: np.random.Generator) -> Distractors:
        """Draw them for a chest."""
        bands = [_band(chest, rng) for _ in range(int(rng.poisson(1.2)))]
        nodules = [_nodule(chest, rng) for _ in range(int(rng.poisson(1.8)))]
        return cls(
            dependent=float(rng.uniform(25, 170)),
            reach=float(rng.uniform(8, 22)),
            bands=Tubes.join(bands).bent(warp),
            nodules=Tubes.join(nodules).bent(warp),
            emphysema=float(rng.uniform(0.02, 0.08)) if rng.random() < 0.2 else 0.0,
            ripple=float(rng.uniform(0.8, 2.2)) if rng.random() < 0.35 else 0.0,
            patches=NoiseField(rng, 9.0),
        )

    def gravity(self, depth: Array, view: View, chest: Chest) -> Array:
        """HU added on a slice: a general slope, and a soft band under the pleura at the back of the bases.

        Args:
            depth: `[rows, columns]` mm under the pleura.
            view: the slice.
            chest: whose lungs.
        """
        a = chest.a
        slope = 45 * view.y / a.half_depth
        back = smooth_step(view.y, 0.25 * a.half_depth, 0.95 * a.half_depth)
        low = 1 - smooth_step(view.z, 0.35 * a.height, 0.85 * a.height)
        band = np.exp(-np.maximum(depth, 0) / self.reach) * (1 + 0.35 * view.texture(self.patches))
        return np.asarray(slope + self.dependent * (0.3 + 0.7 * low) * back * band, np.float32)


def _point(chest: Chest, rng: np.random.Generator) -> NDArray[np.float64]:
    """A point in a lung, drawn until one lies inside."""
    a, side = chest.a, int(rng.choice(SIDES))
    while True:
        x = side * rng.uniform(10, a.separation + a.half_width)
        y, z = rng.uniform(-a.half_depth, a.half_depth), rng.uniform(0.03, 0.95) * a.height
        if chest.lung(x, y, z, side) < -5:
            return np.array([x, y, z])


def _nodule(chest: Chest, rng: np.random.Generator) -> Tubes:
    point = _point(chest, rng)
    return Tubes.path(np.stack([point, point + 0.3]), float(rng.uniform(1.5, 3.6)))


def _band(chest: Chest, rng: np.random.Generator) -> Tubes:
    """A scar of a few centimetres, mostly level."""
    start = _point(chest, rng)
    way = rng.normal(0, 1, 3) * (1, 1, 0.35)
    steps = np.linspace(0, rng.uniform(18, 45), 5)[:, None] * way / np.linalg.norm(way)
    return Tubes.path(start + steps + rng.normal(0, 0.7, (5, 3)), float(rng.uniform(0.7, 1.3)))
