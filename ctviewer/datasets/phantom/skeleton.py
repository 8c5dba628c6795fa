"""Ribs, spine, sternum, shoulder blades and collar bones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.datasets.phantom.chest import SIDES, Chest
from ctviewer.datasets.phantom.fields import NoiseField, Warp
from ctviewer.datasets.phantom.shapes import Array, View, coverage, ellipse, intersection, paint
from ctviewer.datasets.phantom.tubes import Tubes, tube_coverage

_CORTEX, _MARROW, _SPONGY = 720.0, 140.0, 175.0
_SHELL = 1.3
_RIB_GAP = 6.0
_VERTEBRA = 25.0
_DISC = 5.0


@dataclass(frozen=True)
class Skeleton:
    """The bones of one phantom.

    Attributes:
        chest: what they stand around.
        flat: ribs and shoulder blades: taller than wide.
        round: collar bones, arms, processes of the vertebrae.
        cartilage: front ends of the ribs.
        phase: mm by which the discs are shifted.
        hardness: ratio of all bone's HU over water.
        marrow: texture of spongy bone.
    """

    chest: Chest
    flat: Tubes
    round: Tubes
    cartilage: Tubes
    phase: float
    hardness: float
    marrow: NoiseField

    @classmethod
    def draw(cls, chest: Chest, warp: Warp, rng: np.random.Generator) -> Skeleton:
        """Place all bones around a chest."""
        ribs, cartilage = _ribs(chest, rng)
        phase = float(rng.uniform(0, _VERTEBRA))
        blades, ridges = _shoulder_blades(chest)
        return cls(
            chest,
            Tubes.join([*ribs, *blades]).bent(warp),
            Tubes.join([*_processes(chest, phase), *_shoulders(chest, rng), *ridges]).bent(warp),
            Tubes.join(cartilage).bent(warp),
            phase,
            float(rng.uniform(0.85, 1.15)),
            NoiseField(rng, 2.2),
        )

    def paint(self, image: Array, view: View) -> None:
        """Draw all bones into a slice."""
        grain = view.texture(self.marrow)
        paint(image, 85.0 + 15 * grain, tube_coverage(self.cartilage, view))
        for tubes in (self.flat, self.round):
            paint(image, np.float32(_CORTEX * self.hardness), tube_coverage(tubes, view))
            paint(image, _MARROW * self.hardness + 55 * grain, tube_coverage(tubes.grown(-_SHELL), view))
        self._paint_spine(image, view, grain)
        self._paint_sternum(image, view, grain)

    def _paint_spine(self, image: Array, view: View, grain: Array) -> None:
        y0 = float(self.chest.spine_y(view.z))
        window = view.grid.window((-45, y0 - 30), (45, y0 + 65))
        seen, part, g = view.crop(window), image[window], grain[window]
        x, y, soft = seen.x, seen.y - y0, view.pixel * 1.5
        level = (view.z + self.phase) % _VERTEBRA
        to_disc = min(level, _VERTEBRA - level) - _DISC / 2
        canal = ellipse(x, y - 23.5, 9.5, 8.0)
        if to_disc > 3:
            self._paint_arch(part, seen, y, canal, g)
        width = 17.5 - 3.5 * max(0.0, view.z / self.chest.a.height - 0.3)
        waist = 1.5 * np.clip(to_disc / 8, 0, 1)
        body = intersection(ellipse(x, y, width - waist, 14.5 - waist, 0.25), -ellipse(x, y - 21, 12.0, 8.0), 4.0)
        hard = self.hardness
        if to_disc < 0:
            paint(part, 90.0 + 8 * g, coverage(body, soft))
        else:
            paint(part, 420.0 * hard, coverage(body, soft))
            inner = (330.0 if to_disc < 1.5 else _SPONGY) * hard + 42 * g
            paint(part, inner, coverage(body + 1.2, soft * 1.3))
        paint(part, np.float32(-30.0), coverage(canal, soft))
        paint(part, np.float32(32.0), coverage(ellipse(x, y - 23.5, 7.4, 6.2), soft))

    def _paint_arch(self, part: Array, seen: View, y: Array, canal: Array, grain: Array) -> None:
        """Pedicles and laminae: a ring around the canal, thick at its sides, pointed at the back."""
        x, soft = np.abs(seen.x), seen.pixel * 1.5
        roof = np.maximum(np.maximum(0.62 * x + 0.78 * (y - 23.5) - 12.6, x - 14.5), 8 - y)
        ring = np.maximum(roof, -canal)
        paint(part, _CORTEX * 0.8 * self.hardness, coverage(ring, soft))
        paint(part, _SPONGY * self.hardness + 60 * grain, coverage(ring + 1.5, soft))

    def _paint_sternum(self, image: Array, view: View, grain: Array) -> None:
        h = self.chest.a.height
        share = (view.z - 0.36 * h) / (0.5 * h)
        if not 0 < share < 1:
            return
        y0 = sternum_y(self.chest, view.z)
        window = view.grid.window((-50, y0 - 25), (50, y0 + 25))
        seen = view.crop(window)
        width = 13 + 11 * max(0.0, (share - 0.7) / 0.3) + 1.5 * np.cos(share * 20)
        shape = ellipse(seen.x, seen.y - y0 + 0.006 * seen.x**2, width, 5.2, 0.8)
        paint(image[window], np.float32(520 * self.hardness), coverage(shape, view.pixel * 1.5))
        paint(image[window], 120 * self.hardness + 45 * grain[window], coverage(shape + 1.3, view.pixel * 1.5))


def sternum_y(chest: Chest, z: float) -> float:
    """Where the breastbone's middle lies (y, mm) at a height: just in front of the cavity."""
    _, y = chest.axis(z, 1)
    _, depth = chest.half_axes(z)
    return float(y - 0.9 * depth - 8.5)


def _ribs(chest: Chest, rng: np.random.Generator) -> tuple[list[Tubes], list[Tubes]]:
    """Pairs from the spine around the cavity, falling to the front, and their cartilage."""
    bones, cartilage = [], []
    spacing = chest.a.height / 11.0
    for side in SIDES:
        for number in range(13):
            top = chest.a.height * 1.03 - number * spacing
            reach = 1.0 if number < 7 else 1.0 - 0.09 * (number - 6)
            turn = np.linspace(0.0, 1.0, 30)  # from the spine to the breastbone
            fall = chest.a.rib_slope * (0.5 if number == 0 else 1.0) * turn**1.15
            angle = np.pi * (0.223 - 0.72 * turn * 1.0)
            nodes = _around(chest, top - fall + rng.normal(0, 1.0), angle + 0.223 * np.pi * (1 - turn), side)
            count = max(4, round(20 * reach))
            bones.append(Tubes.path(nodes[:count], 3.4 if number else 4.2, z_scale=0.6))
            if number < 10:
                cartilage.append(Tubes.path(nodes[count - 1 : round(26 * reach)], 4.0, z_scale=0.6))
    return bones, cartilage


def _around(
    chest: Chest, z: NDArray[np.floating], angle: NDArray[np.floating], side: int, gap: float = _RIB_GAP
) -> NDArray[np.float64]:
    """Points `gap` mm outside of the cavity's wall at heights and angles (0 outwards, positive to the back).

    The wall is taken a little lower, where it is wider: a rib is tall and must not reach into the lung.
    """
    cx, cy = chest.axis(z - 5.0, side)
    a, b = chest.half_axes(z - 5.0)
    c, s = np.cos(angle), np.sin(angle)
    k = chest.a.square
    norm = (c**4 + s**4 + 2 * (1 - k) * c * c * s * s) ** -0.25
    return np.stack([cx + side * c * (a * norm + gap), cy + s * (b * norm + gap), z], axis=1)


def _processes(chest: Chest, phase: float) -> list[Tubes]:
    """Transverse and spinous processes of every vertebra."""
    out = []
    for number in range(-3, 16):
        z = number * _VERTEBRA - phase + _VERTEBRA / 2
        y = float(chest.spine_y(z))
        for side in SIDES:
            wing = np.array([[side * 11, y + 24, z], [side * 31, y + 33, z + 5]])
            out.append(Tubes.path(wing, np.array([4.2, 3.4])))
        thorn = np.array([[0, y + 33, z], [0, y + 40, z - 6], [0, y + 52, z - 24.0]])
        out.append(Tubes.path(thorn, np.array([3.2, 2.6, 3.0])))
    return out


def _shoulder_blades(chest: Chest) -> tuple[list[Tubes], list[Tubes]]:
    """Two blades of stacked strips behind the ribs, turned outwards and forwards, each with its ridge."""
    blades, ridges = [], []
    h = chest.a.height
    for side in SIDES:
        cx, cy = chest.axis(0.62 * h, side)
        a, b = chest.half_axes(0.62 * h)
        for z in np.arange(0.48 * h, 0.99 * h, 3.0):
            share = (z - 0.48 * h) / (0.51 * h)
            inner = np.array([side * (abs(cx) + (0.44 - 0.2 * share) * a), cy + 0.88 * b + 15 - 8 * share])
            outer = np.array([side * (abs(cx) + (0.66 + 0.42 * share) * a + 10), cy + (0.66 - 0.32 * share) * b + 15])
            t = np.linspace(0, 1, 7)[:, None]
            bow = np.sin(np.pi * t) * np.array([[side * 2.0, 5.0]])
            nodes = np.hstack([inner + t * (outer - inner) + bow, np.full((7, 1), z)])
            blades.append(Tubes.path(nodes, np.linspace(1.9, 2.6 + 2.6 * share, 7), z_scale=0.6))
            if 0.66 < share < 0.8:
                ridge = nodes[3] + np.array([side * 12, 20, 3.0])
                ridges.append(Tubes.path(np.array([nodes[3], ridge]), np.array([2.4, 2.2])))
    return blades, ridges


def _shoulders(chest: Chest, rng: np.random.Generator) -> list[Tubes]:
    """Collar bones, and upper arms that are raised."""
    out = []
    h = chest.a.height
    rise = rng.uniform(55, 100)
    for side in SIDES:
        y = sternum_y(chest, 0.86 * h)
        points = [(22, y, 0.885), (60, y - 6, 0.95), (100, y + 26, 1.0), (138, y + 52, 1.03)]
        collar = np.array([(side * x, y, z * h) for x, y, z in points])
        out.append(Tubes.path(collar, np.array([7.0, 5.0, 5.0, 6.5])))
        head = np.array([side * 154, y + 74, 1.01 * h])
        arm = head + np.array([side * 34, -24, rise])
        out.append(Tubes.path(np.stack([head, head + 0.35 * (arm - head), arm]), np.array([19.0, 12.0, 10.5])))
    return out
