"""Lesions with known masks, and what looks like lesions and is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.datasets.phantom.chest import SIDES, Chest
from ctviewer.datasets.phantom.families import FamilyTraits, Texture
from ctviewer.datasets.phantom.fields import NoiseField, Warp
from ctviewer.datasets.phantom.shapes import Array, SliceGrid, coverage, smooth_step
from ctviewer.datasets.phantom.spec import Variant
from ctviewer.datasets.phantom.tubes import Tubes


@dataclass(frozen=True)
class Shape:
    """One lesion: an irregular ellipsoid, possibly with a dense core.

    Attributes:
        side: lung it lies in.
        centre: LPS mm.
        radii: mm along x, y, z.
        haze: HU of its ground glass; None for a pure consolidation.
        core: how deep below the outline the consolidation begins, mm; None for pure ground glass.
        softness: mm over which the outline fades.
        lobe: the lobe it must not leave, None where it ignores fissures.
        bronchograms: whether airways stay open in the consolidation.
    """

    side: int
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    haze: float | None
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
        place = {Variant.CONTROL: _none, Variant.PNEUMONIA: _pneumonia, Variant.COVID: _covid}[variant]
        return cls(place(chest, rng), texture, float(rng.uniform(*traits.ragged)), *fields)

    def extents(self, shape: Shape, x: Array, y: Array, z: float, grid: SliceGrid, chest: Chest) -> Array:
        """Distance to one lesion's outline on a slice, its lobe's borders included."""
        cx, cy, cz = shape.centre
        rx, ry, rz = shape.radii
        norm = np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2)
        norm += self.ragged * 0.8 * self.outline.plane(grid.x, grid.y, z) + self.ragged * 0.35 * self.fringe.plane(
            grid.x, grid.y, z
        )
        distance = (norm - 1) * min(shape.radii)
        if shape.lobe is not None:
            fissure = chest.oblique_fissure(y, z, shape.side)
            distance = np.maximum(distance, fissure if shape.lobe == 0 else -fissure)
        return np.asarray(distance, np.float32)

    def haze(self, shape: Shape, grid: SliceGrid, z: float) -> Array:
        """HU of a lesion's ground glass on a slice."""
        level = np.float32(shape.haze if shape.haze is not None else -480.0)
        grain = self.grain.plane(grid.x, grid.y, z)
        if self.texture is Texture.CLOUD:
            return level + 45 * grain + 35 * self.fringe.plane(grid.x, grid.y, z)
        if self.texture is Texture.PATCHES:
            return level + 110 * np.tanh(1.6 * grain) + 20 * self.fringe.plane(grid.x, grid.y, z)
        if self.texture is Texture.GRANULAR:
            return level - 30 + 85 * np.clip(grain, -0.6, 2.4)
        lines = np.exp(-((grain / 0.28) ** 2))
        lines = np.maximum(lines, np.exp(-((self.mesh.plane(grid.x, grid.y, z) / 0.28) ** 2)))
        strength = 170 if self.texture is Texture.PAVING else 230
        return level - 0.35 * strength + strength * lines


def _none(chest: Chest, rng: np.random.Generator) -> tuple[Shape, ...]:
    return ()


def pleural_point(chest: Chest, side: int, height: float, angle: float, depth: float) -> tuple[float, float, float]:
    """A point `depth` mm inside the chest wall at a height (share of the lungs') and angle (0 outwards, 90 back)."""
    z = height * chest.a.height
    cx, cy = chest.axis(z, side)
    a, b = chest.half_axes(z)
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return float(cx + side * c * (a - depth)), float(cy + s * (b - depth)), z


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
            centre = pleural_point(chest, side, height, angle, float(rng.uniform(0.1, 0.7) * min(radii)))
            out.append(
                Shape(side, centre, radii, float(rng.uniform(-630, -470)), core, float(rng.uniform(4, 8)), None, False)
            )
    return tuple(out)


def _pneumonia(chest: Chest, rng: np.random.Generator) -> tuple[Shape, ...]:
    """One lobe or segment of one lung, mostly consolidation, with a rim of ground glass."""
    side = int(rng.choice(SIDES))
    lobe = int(rng.integers(0, 2))
    height = rng.uniform(0.22, 0.42) if lobe == 0 else rng.uniform(0.55, 0.74)
    angle = rng.uniform(35, 80) if lobe == 0 else rng.uniform(-60, 10)
    depth = rng.uniform(22, 48)
    centre = pleural_point(chest, side, float(height), float(angle), float(depth))
    size = rng.uniform(26, 46)
    radii = (size * rng.uniform(0.8, 1.1), size * rng.uniform(0.8, 1.1), size * rng.uniform(0.7, 1.0))
    first = Shape(
        side,
        centre,
        radii,
        float(rng.uniform(-560, -430)),
        float(rng.uniform(4, 9)),
        3.5,
        lobe,
        bool(rng.random() < 0.7),
    )
    out = [first]
    for _ in range(int(rng.integers(0, 3))):
        near = tuple(float(c + rng.normal(0, 0.8) * r) for c, r in zip(centre, radii, strict=True))
        small = float(rng.uniform(9, 16))
        out.append(Shape(side, near, (small, small, small), float(rng.uniform(-560, -430)), 3.0, 3.0, lobe, False))  # type: ignore[arg-type]  # zip of three
    return tuple(out)


@dataclass(frozen=True)
class Distractors:
    """What every class holds, so that bright does not mean ill.

    Attributes:
        dependent: HU added at the back of the lungs, by gravity; reach: over how many mm.
        bands: scars, as tubes; nodules: small, as tubes without length.
        emphysema: share of the lung that is destroyed, 0 to about 0.1.
        ripple: mm by which breathing shifts the diaphragm from slice to slice.
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
        placed = [
            Tubes(warp.place(t.start), warp.place(t.end), t.start_radius, t.end_radius)
            for t in (Tubes.join(bands), Tubes.join(nodules))
        ]
        emphysema = float(rng.uniform(0.02, 0.08)) if rng.random() < 0.2 else 0.0
        ripple = float(rng.uniform(1.5, 4)) if rng.random() < 0.35 else 0.0
        return cls(
            float(rng.uniform(25, 170)), float(rng.uniform(8, 22)), *placed, emphysema, ripple, NoiseField(rng, 9.0)
        )

    def gravity(self, depth: Array, y: Array, chest: Chest, grid: SliceGrid, z: float) -> Array:
        """HU added on a slice: a general slope, and a soft band under the pleura at the back of the bases."""
        slope = 45 * y / chest.a.half_depth
        back = smooth_step(y, 0.25 * chest.a.half_depth, 0.95 * chest.a.half_depth)
        low = 1 - smooth_step(z, 0.35 * chest.a.height, 0.85 * chest.a.height)
        band = np.exp(-np.maximum(depth, 0) / self.reach)
        uneven = 1 + 0.35 * self.patches.plane(grid.x, grid.y, z)
        return np.asarray(slope + self.dependent * (0.3 + 0.7 * low) * back * band * uneven, np.float32)


def _point(chest: Chest, side: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A point in a lung, drawn until one lies inside."""
    a = chest.a
    while True:
        x = side * rng.uniform(10, a.separation + a.half_width)
        y, z = rng.uniform(-a.half_depth, a.half_depth), rng.uniform(0.03, 0.95) * a.height
        if chest.lung(x, y, z, side) < -5:
            return np.array([x, y, z])


def _nodule(chest: Chest, rng: np.random.Generator) -> Tubes:
    point = _point(chest, int(rng.choice(SIDES)), rng)
    return Tubes.path(np.stack([point, point + 0.3]), float(rng.uniform(1.5, 3.6)))


def _band(chest: Chest, rng: np.random.Generator) -> Tubes:
    """A scar of a few centimetres, mostly level."""
    start = _point(chest, int(rng.choice(SIDES)), rng)
    way = rng.normal(0, 1, 3) * (1, 1, 0.35)
    steps = np.linspace(0, rng.uniform(18, 45), 5)[:, None] * way / np.linalg.norm(way)
    return Tubes.path(start + steps + rng.normal(0, 0.7, (5, 3)), float(rng.uniform(0.7, 1.3)), z_scale=1.0)
