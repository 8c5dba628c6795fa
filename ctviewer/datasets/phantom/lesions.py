"""Lesions with known masks: where they lie, how far they reach, how they are grained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ctviewer.datasets.phantom.chest import SIDES, Chest
from ctviewer.datasets.phantom.families import FamilyTraits, Texture
from ctviewer.datasets.phantom.fields import NoiseField
from ctviewer.datasets.phantom.shapes import Array, View
from ctviewer.datasets.phantom.spec import Variant


@dataclass(frozen=True)
class Shape:
    """One lesion: an irregular ellipsoid, possibly with a dense core.

    Attributes:
        side: lung it lies in.
        centre: LPS mm.
        radii: mm along x, y, z.
        haze: HU of its ground glass.
        core: how deep below the outline the consolidation begins, mm; None for pure ground glass.
        softness: mm over which the outline fades.
        lobe: 0 if it must not leave the lower lobe, 1 the upper (or middle) one, None where it ignores fissures.
        bronchograms: whether airways stay open in the consolidation.
    """

    side: int
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    haze: float
    core: float | None
    softness: float
    lobe: int | None
    bronchograms: bool


@dataclass(frozen=True)
class Disease:
    """All lesions of a phantom and the textures that they share.

    Attributes:
        shapes: in order of placement.
        texture: grain of the ground glass.
        ragged: irregularity of outlines (ratio).
        outline, fringe, grain, mesh: noise fields for outlines (coarse, fine) and the ground glass.
    """

    shapes: tuple[Shape, ...]
    texture: Texture
    ragged: float
    outline: NoiseField
    fringe: NoiseField
    grain: NoiseField
    mesh: NoiseField

    @classmethod
    def draw(cls, variant: Variant, chest: Chest, traits: FamilyTraits, rng: np.random.Generator) -> Disease:
        """Place the lesions of a variant in a chest."""
        texture = traits.textures[int(rng.integers(len(traits.textures)))]
        grain = float(rng.uniform(*traits.grain))
        fields = [NoiseField(rng, spacing) for spacing in (13.0, 5.5, grain, 1.35 * grain)]
        place = _PLACES.get(variant)
        return cls(place(chest, rng) if place else (), texture, float(rng.uniform(*traits.ragged)), *fields)

    def extents(self, shape: Shape, view: View, chest: Chest) -> Array:
        """Distance to one lesion's outline on a slice, its lobe's borders included."""
        (cx, cy, cz), (rx, ry, rz) = shape.centre, shape.radii
        norm = np.sqrt(((view.x - cx) / rx) ** 2 + ((view.y - cy) / ry) ** 2 + ((view.z - cz) / rz) ** 2)
        norm += self.ragged * (0.8 * view.texture(self.outline) + 0.35 * view.texture(self.fringe))
        distance = (norm - 1) * min(shape.radii)
        if shape.lobe is not None:
            fissure = chest.oblique_fissure(view.y, view.z, shape.side)
            distance = np.maximum(distance, fissure if shape.lobe == 0 else -fissure)
        return np.asarray(distance, np.float32)

    def haze(self, shape: Shape, view: View) -> Array:
        """HU of a lesion's ground glass on a slice."""
        return np.asarray(np.float32(shape.haze) + self._grained(view), np.float32)

    def _grained(self, view: View) -> Array:
        """What the texture adds to the level of the haze, HU."""
        grain = view.texture(self.grain)
        if self.texture is Texture.CLOUD:
            return 45 * grain + 35 * view.texture(self.fringe)
        if self.texture is Texture.PATCHES:
            return np.asarray(110 * np.tanh(1.6 * grain) + 20 * view.texture(self.fringe))
        if self.texture is Texture.GRANULAR:
            return np.asarray(105 * np.clip(grain, -0.6, 2.4) - 35)
        lines = np.exp(-np.minimum(grain**2, view.texture(self.mesh) ** 2) / 0.28**2)
        strength = 170 if self.texture is Texture.PAVING else 230
        return np.asarray(strength * (lines - 0.35))


def _inside_wall(chest: Chest, side: int, place: tuple[float, float], depth: float) -> tuple[float, float, float]:
    """A point `depth` mm inside the chest wall; place: height (share of the lungs') and angle (0 outwards, 90 back)."""
    z, angle = place[0] * chest.a.height, np.deg2rad(place[1])
    cx, cy = chest.axis(z, side)
    a, b = chest.half_axes(z)
    return float(cx + side * np.cos(angle) * (a - depth)), float(cy + np.sin(angle) * (b - depth)), z


def _covid(chest: Chest, rng: np.random.Generator) -> tuple[Shape, ...]:
    """Several, in both lungs, under the pleura, more at the back and the bases, mostly ground glass."""
    out = []
    for side in SIDES:
        for _ in range(int(rng.integers(2, 6))):
            height = float(rng.beta(1.9, 2.6) * 0.72 + 0.12)
            angle = float(rng.choice([rng.normal(62, 16), rng.uniform(-45, 95)], p=[0.72, 0.28]))
            size = float(rng.uniform(13, 30))
            radii = (size * rng.uniform(0.8, 1.2), size * rng.uniform(0.55, 0.9), size * rng.uniform(0.8, 1.5))
            core = float(rng.uniform(0.45, 0.75) * min(radii)) if rng.random() < 0.3 else None
            centre = _inside_wall(chest, side, (height, angle), float(rng.uniform(0.1, 0.7) * min(radii)))
            haze, softness = float(rng.uniform(-630, -470)), float(rng.uniform(4, 8))
            out.append(Shape(side, centre, radii, haze, core, softness, None, False))
    return tuple(out)


def _pneumonia(chest: Chest, rng: np.random.Generator) -> tuple[Shape, ...]:
    """One lobe or segment of one lung, mostly consolidation, with a rim of ground glass."""
    side, lobe = int(rng.choice(SIDES)), int(rng.integers(0, 2))
    height = float(rng.uniform(0.25, 0.42) if lobe == 0 else rng.uniform(0.55, 0.74))
    angle = float(rng.uniform(35, 80) if lobe == 0 else rng.uniform(-60, 10))
    centre = _inside_wall(chest, side, (height, angle), float(rng.uniform(22, 48)))
    size = rng.uniform(26, 46)
    radii = (size * rng.uniform(0.8, 1.1), size * rng.uniform(0.8, 1.1), size * rng.uniform(0.7, 1.0))
    haze = float(rng.uniform(-560, -430))
    out = [Shape(side, centre, radii, haze, float(rng.uniform(4, 9)), 3.5, lobe, bool(rng.random() < 0.7))]
    for _ in range(int(rng.integers(0, 3))):
        x, y, z = (float(c + rng.normal(0, 0.8) * r) for c, r in zip(centre, radii, strict=True))
        small = float(rng.uniform(9, 16))
        out.append(Shape(side, (x, y, z), (small, small, small), float(rng.uniform(-560, -430)), 3.0, 3.0, lobe, False))
    return tuple(out)


_PLACES: dict[Variant, Callable[[Chest, np.random.Generator], tuple[Shape, ...]]] = {
    Variant.PNEUMONIA: _pneumonia,
    Variant.COVID: _covid,
}
