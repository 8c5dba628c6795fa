"""Ribs, spine, sternum, shoulder blades and collar bones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.datasets.phantom.chest import SIDES, Chest
from ctviewer.datasets.phantom.fields import Warp
from ctviewer.datasets.phantom.shapes import Array, SliceGrid, coverage, ellipse, intersection, paint
from ctviewer.datasets.phantom.tubes import Tubes, tube_coverage

_CORTEX, _MARROW = 750.0, 230.0
_SHELL = 1.5
_RIB_GAP = 6.5
_VERTEBRA = 24.0
_DISC = 4.5


@dataclass(frozen=True)
class Skeleton:
    """The bones of one phantom.

    Attributes:
        flat: ribs, shoulder blades: taller than wide.
        round: collar bones, arms, processes of the vertebrae.
        cartilage: front ends of the ribs.
        phase: mm by which the discs are shifted.
        hardness: ratio of all bone's HU over water.
    """

    flat: Tubes
    round: Tubes
    cartilage: Tubes
    phase: float
    hardness: float

    @classmethod
    def draw(cls, chest: Chest, warp: Warp, rng: np.random.Generator) -> Skeleton:
        """Place all bones around a chest."""
        ribs, cartilage = _ribs(chest, rng)
        phase = float(rng.uniform(0, _VERTEBRA))
        blades, spines = _shoulder_blades(chest)
        rounds = [*_processes(chest, phase), *_shoulders(chest, rng), *spines]
        return cls(
            _placed(Tubes.join([*ribs, *blades]), warp), _placed(Tubes.join(rounds), warp),
            _placed(Tubes.join(cartilage), warp), phase, float(rng.uniform(0.85, 1.15)),
        )  # fmt: skip

    def paint(
        self,
        image: Array,
        chest: Chest,
        bent: tuple[Array, Array],
        grid: SliceGrid,
        z: float,
        thickness: float,
        grain: Array,
    ) -> None:
        """Draw all bones into a slice; `grain` is the texture of marrow, `bent` the warped coordinates."""
        paint(image, 85.0 + 15 * grain, tube_coverage(self.cartilage, grid, z, thickness))
        for tubes in (self.flat, self.round):
            paint(image, np.float32(_CORTEX * self.hardness), tube_coverage(tubes, grid, z, thickness))
            inner = tube_coverage(tubes.grown(-_SHELL), grid, z, thickness)
            paint(image, (_MARROW * self.hardness + 60 * grain), inner)
        self._paint_spine(image, chest, bent, grid, z, grain)
        self._paint_sternum(image, chest, bent, grid, z, grain)

    def _paint_spine(
        self, image: Array, chest: Chest, bent: tuple[Array, Array], grid: SliceGrid, z: float, grain: Array
    ) -> None:
        y0 = float(chest.spine_y(z))
        window = grid.window((-40, y0 - 25), (40, y0 + 60))
        x, y, part, g = bent[0][window], bent[1][window], image[window], grain[window]
        width = 17.5 - 3.0 * max(0.0, z / chest.a.height - 0.4)
        canal = ellipse(x, y - y0 - 24, 9.0, 8.0)
        body = intersection(ellipse(x, y - y0, width, 14.0, 0.3), -ellipse(x, y - y0 - 20, 10.0, 8.0), 3.0)
        level = (z + self.phase) % _VERTEBRA
        disc = min(level, _VERTEBRA - level) < _DISC / 2
        endplate = min(abs(level - _DISC / 2), abs(_VERTEBRA - level - _DISC / 2)) < 1.2
        arch = np.maximum(ellipse(x, y - y0 - 25, 15.0, 13.5), -canal - 0.5)
        if not disc:
            paint(part, _CORTEX * 0.75 * self.hardness, coverage(np.maximum(arch, 6 - (y - y0)), grid.pixel * 1.5))
            paint(
                part,
                (_MARROW * self.hardness + 70 * g),
                coverage(np.maximum(arch, 6 - (y - y0)) + 2.2, grid.pixel * 1.5),
            )
        paint(part, (60.0 if disc else 480.0) * self.hardness, coverage(body, grid.pixel * 1.5))
        inner = 95.0 + 10 * g if disc else (430.0 if endplate else 185.0) * self.hardness + 55 * g
        paint(part, inner, coverage(body + (0.8 if disc else 1.6), grid.pixel * 1.5))
        paint(part, -40.0, coverage(canal, grid.pixel * 1.5))
        paint(part, 30.0, coverage(ellipse(x, y - y0 - 24, 6.5, 5.5), grid.pixel * 1.5))

    def _paint_sternum(
        self, image: Array, chest: Chest, bent: tuple[Array, Array], grid: SliceGrid, z: float, grain: Array
    ) -> None:
        h = chest.a.height
        share = (z - 0.36 * h) / (0.5 * h)
        if not 0 < share < 1:
            return
        y0 = sternum_y(chest, z)
        window = grid.window((-45, y0 - 20), (45, y0 + 20))
        x, y = bent[0][window], bent[1][window]
        width = 14 + 9 * max(0.0, (share - 0.72) / 0.28) + 3 * np.cos(share * 20)
        shape = ellipse(x, y - y0 + 0.006 * x * x, width, 6.0, 0.8)
        paint(image[window], 560 * self.hardness, coverage(shape, grid.pixel * 1.5))
        paint(image[window], 130 * self.hardness + 45 * grain[window], coverage(shape + 1.5, grid.pixel * 1.5))


def sternum_y(chest: Chest, z: float) -> float:
    """y of the breastbone's middle at a height: just in front of the cavity."""
    _, y = chest.axis(z, 1)
    _, depth = chest.half_axes(z)
    return float(y - 0.9 * depth - 9.0)


def _placed(tubes: Tubes, warp: Warp) -> Tubes:
    return Tubes(warp.place(tubes.start), warp.place(tubes.end), tubes.start_radius, tubes.end_radius, tubes.z_scale)


def _ribs(chest: Chest, rng: np.random.Generator) -> tuple[list[Tubes], list[Tubes]]:
    """Twelve pairs: from the spine around the cavity, falling to the front, and their cartilage."""
    bones, cartilage = [], []
    spacing = chest.a.height / 11.0
    for side in SIDES:
        for number in range(13):
            top = chest.a.height * 1.03 - number * spacing
            reach = 1.0 if number < 7 else 1.0 - 0.09 * (number - 6)
            turn = np.linspace(-0.44, 0.98, 30)  # in half circles: 0 is outwards, negative is backwards
            fall = chest.a.rib_slope * (0.5 if number == 0 else 1.0) * ((turn + 0.44) / 1.42) ** 1.15
            nodes = _around(chest, top - fall + rng.normal(0, 1.0), -turn * np.pi / 1.42 * 0.72, side)
            count = max(4, round(20 * reach))
            bones.append(Tubes.path(nodes[:count], 3.6 if number else 4.4, z_scale=0.6))
            if number < 10:
                cartilage.append(Tubes.path(nodes[count - 1 : round(26 * reach)], 4.0, z_scale=0.6))
    return bones, cartilage


def _around(chest: Chest, z: NDArray[np.floating], angle: NDArray[np.floating], side: int) -> NDArray[np.float64]:
    """Points just outside of the cavity's wall at heights and angles (0 outwards, positive to the back)."""
    cx, cy = chest.axis(z, side)
    a, b = chest.half_axes(z)
    c, s = np.cos(angle), np.sin(angle)
    k = chest.a.square
    norm = (c**4 + s**4 + 2 * (1 - k) * c * c * s * s) ** -0.25
    grow = 1 + _RIB_GAP / np.minimum(a, b).clip(12)
    return np.stack([cx + side * c * a * norm * grow, cy + s * b * norm * grow, z], axis=1)


def _processes(chest: Chest, phase: float) -> list[Tubes]:
    """Transverse and spinous processes of every vertebra."""
    out = []
    for level in np.arange(-3, 16):
        z = level * _VERTEBRA - phase + _VERTEBRA / 2
        y = float(chest.spine_y(z))
        out.extend(
            Tubes.path(np.array([[s * 11, y + 24, z], [s * 31, y + 33, z + 5]]), np.array([4.4, 3.6])) for s in SIDES
        )
        out.append(Tubes.path(np.array([[0, y + 35, z], [0, y + 50, z - 18.0]]), np.array([3.4, 2.8])))
    return out


def _shoulder_blades(chest: Chest) -> tuple[list[Tubes], list[Tubes]]:
    """Two blades of layered strips behind the ribs, each with its ridge."""
    blades, ridges = [], []
    h = chest.a.height
    for side in SIDES:
        heights = np.arange(0.50 * h, 1.0 * h, 5.0)
        for z in heights:
            share = (z - 0.50 * h) / (0.5 * h)
            turn = np.deg2rad(np.linspace(62 - 12 * share, 38 - 48 * share**0.8, 6))
            nodes = _around(chest, np.full(6, z), turn, side)
            cx, cy = chest.axis(z, side)
            out = nodes[:, :2] - (cx, cy)
            nodes[:, :2] += (
                out / np.linalg.norm(out, axis=1, keepdims=True) * (9 + 22 * share * np.linspace(0.2, 1, 6))[:, None]
            )
            blades.append(Tubes.path(nodes, np.linspace(2.4, 3.4 + 2 * share, 6), z_scale=0.5))
            if 0.62 < share < 0.8:
                ridge = nodes[3] + np.array([side * 18, 22, 4.0])
                ridges.append(Tubes.path(np.array([nodes[3], ridge]), np.array([3.0, 2.6])))
    return blades, ridges


def _shoulders(chest: Chest, rng: np.random.Generator) -> list[Tubes]:
    """Collar bones, and upper arms that are raised."""
    out = []
    h = chest.a.height
    raise_by = rng.uniform(18, 34)
    for side in SIDES:
        y = sternum_y(chest, 0.86 * h)
        collar = np.array(
            [
                [side * 22, y, 0.885 * h],
                [side * 60, y - 6, 0.95 * h],
                [side * 100, y + 26, 1.0 * h],
                [side * 138, y + 52, 1.03 * h],
            ]
        )
        out.append(Tubes.path(collar, np.array([7.5, 5.5, 5.5, 7.0])))
        head = np.array([side * 152, y + 74, 1.0 * h])
        arm = head + np.array([side * 34, -24, raise_by * 3])
        out.append(Tubes.path(np.stack([head, head + 0.35 * (arm - head), arm]), np.array([20.0, 12.0, 10.5])))
    return out
