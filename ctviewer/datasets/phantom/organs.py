"""The soft body: skin, fat, muscle, what the mediastinum and the upper abdomen hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctviewer.datasets.phantom.chest import SIDES, Chest
from ctviewer.datasets.phantom.fields import NoiseField, Warp
from ctviewer.datasets.phantom.shapes import (
    Array,
    SliceGrid,
    coverage,
    ellipse,
    ellipsoid,
    paint,
    smooth_step,
    union,
)
from ctviewer.datasets.phantom.tubes import Tubes, tube_coverage

AIR, FAT, MUSCLE, BLOOD, LIVER, SPLEEN = -1000.0, -102.0, 52.0, 42.0, 60.0, 52.0


@dataclass(frozen=True)
class Body:
    """Everything soft that is no lung.

    Attributes:
        chest: its outlines.
        vessels: great vessels of mediastinum and upper abdomen.
        gullet, trachea: oesophagus; trachea and main bronchi (inner radius).
        blood: HU of blood, contrast included.
        stomach: centre in mm of the stomach.
        gas: y in mm above which (in front of which) the stomach holds gas.
        fat_field, muscle_field, marrow_field: textures.
    """

    chest: Chest
    vessels: Tubes
    gullet: Tubes
    trachea: Tubes
    blood: float
    stomach: tuple[float, float, float]
    gas: float
    fat_field: NoiseField
    muscle_field: NoiseField
    marrow_field: NoiseField

    @classmethod
    def draw(cls, chest: Chest, warp: Warp, contrast: bool, rng: np.random.Generator) -> Body:
        """Draw vessels, stomach and textures for a chest."""
        vessels, gullet, trachea = (
            Tubes(warp.place(t.start), warp.place(t.end), t.start_radius, t.end_radius)
            for t in (_great_vessels(chest), _gullet(chest), _trachea(chest))
        )
        top = chest.dome_top(1)
        stomach = (float(rng.uniform(52, 66)), float(rng.uniform(-34, -18)), top * 0.42)
        blood = float(rng.uniform(170, 260)) if contrast else BLOOD
        fields = [NoiseField(rng, spacing) for spacing in (5.0, 13.0, 2.2)]
        return cls(chest, vessels, gullet, trachea, blood, stomach, stomach[1] - float(rng.uniform(0, 26)), *fields)

    def outline(self, x: Array, y: Array, z: float) -> Array:
        """Distance to the skin."""
        a = self.chest.a
        high = float(smooth_step(z, 0.62 * a.height, 1.02 * a.height))
        low = float(smooth_step(-z, -0.25 * a.height, 0.1 * a.height))
        width = a.separation + a.half_width + a.wall + a.fat + 8 + 46 * high - 6 * low
        front = a.half_depth + 12 + 0.8 * a.fat - 26 * high
        back = a.half_depth + 27 + 0.8 * a.fat - 8 * high
        middle = (back - front) / 2
        trunk = ellipse(x, y - middle, width, (front + back) / 2, 0.5 - 0.3 * high)
        trunk = trunk + 7 * np.exp(-((x / 20) ** 2)) * (smooth_step(y, 30, 80) + 0.6 * smooth_step(-y, 30, 80))
        if a.breast < 12:
            return np.asarray(trunk, np.float32)
        for side in SIDES:
            breast = ellipsoid(x - side * 78, y + front - 12, z - 0.42 * a.height, (64.0, a.breast + 14, 62.0))
            trunk = union(trunk, breast, 14.0)
        return np.asarray(trunk, np.float32)

    def paint(self, image: Array, bent: tuple[Array, Array], grid: SliceGrid, z: float, thickness: float) -> None:
        """Draw body wall, mediastinum and abdomen into a slice that holds air."""
        x, y = bent
        fat = FAT + 9 * self.fat_field.plane(grid.x, grid.y, z)
        skin = self.outline(x, y, z)
        self._paint_wall(image, skin, fat, x, y, grid, z)
        hull = self.chest.hull(x, y, z)
        inside = coverage(hull + 1.0, grid.pixel * 1.5)
        paint(image, fat + 10, inside)
        self._paint_abdomen(image, inside, fat, x, y, grid, z, thickness)
        self._paint_mediastinum(image, x, y, grid, z, thickness)

    def _paint_wall(self, image: Array, skin: Array, fat: Array, x: Array, y: Array, grid: SliceGrid, z: float) -> None:
        a = self.chest.a
        paint(image, np.float32(20.0), coverage(skin, grid.pixel))
        paint(image, fat, coverage(skin + 1.8, grid.pixel))
        septa = self.muscle_field.plane(grid.x, grid.y, z)
        depth = a.fat * (1.0 + 0.5 * smooth_step(np.abs(x), 70, 150) - 0.35 * smooth_step(-y, 20, 90))
        muscle = skin + depth + 1.5 * septa
        if a.breast >= 12:  # breasts are fat with glands, and no muscle
            muscle = np.maximum(muscle, -(y + a.half_depth + 9) - 4 * smooth_step(np.abs(x), 0, 100))
            glands = coverage(np.maximum(skin + 8, 14 - 16 * septa), 6.0) * (y < -a.half_depth)
            paint(image, np.float32(30.0), np.asarray(glands * (np.abs(z - 0.42 * a.height) < 45), np.float32))
        paint(image, np.float32(MUSCLE), coverage(muscle, grid.pixel * 1.6))
        seam = np.exp(-((septa / 0.10) ** 2)) * coverage(muscle + 3, 3.0)  # fat between muscles lies along level lines
        paint(image, fat, np.asarray(0.9 * seam, np.float32))

    def _paint_abdomen(
        self, image: Array, inside: Array, fat: Array, x: Array, y: Array, grid: SliceGrid, z: float, thickness: float
    ) -> None:
        top = max(self.chest.dome_top(s) for s in SIDES)
        if z > top + thickness:
            return
        soft = grid.pixel + thickness * (max(z, 0) / top) ** 2
        cavity = inside * coverage(self.chest.abdomen(x, y, z), soft)
        paint(image, fat, cavity)
        paint(image, np.float32(45.0), cavity * (1 - coverage(self.chest.abdomen(x, y, z) + 2.5, soft)))
        hull = self.chest.hull(x, y, z)
        bed = coverage(hull + 4.5, grid.pixel * 1.5) * coverage(self.chest.abdomen(x, y, z) + 2.0, soft)
        wave = self.muscle_field.plane(grid.x, grid.y, z)
        spleen = ellipsoid(x - self.chest.a.separation - 42, y - 30 + 3 * wave, z - 0.3 * top, (26.0, 44.0, 0.62 * top))
        paint(image, np.float32(SPLEEN), bed * coverage(spleen, grid.pixel * 1.5))
        self._paint_stomach(image, bed, wave, x, y, grid, z)
        edge = x - 30 + 0.55 * y + 4 * wave + 0.35 * (top - z)
        behind = ellipse(x, y - float(self.chest.spine_y(z)), 34, 36)
        liver = np.maximum(np.maximum(edge * 0.8, -behind), hull + 5.0)
        paint(image, np.float32(LIVER), bed * coverage(liver, grid.pixel * 1.5))
        veins = np.exp(-((self.muscle_field.plane(grid.x * 0.55, grid.y * 0.55, z * 0.55) / 0.09) ** 2))
        tint = 0.55 * self.blood - 40 if self.blood > 100 else -12.0
        image += np.asarray(tint * veins * bed * coverage(liver + 10, 6.0), np.float32)

    def _paint_stomach(
        self, image: Array, bed: Array, wave: Array, x: Array, y: Array, grid: SliceGrid, z: float
    ) -> None:
        cx, cy, cz = self.stomach
        shape = ellipsoid(x - cx, y - cy, z - cz, (46.0, 44.0, 52.0)) + 2.0 * wave
        paint(image, np.float32(45.0), bed * coverage(shape, grid.pixel * 1.5))
        food = self.fat_field.plane(grid.x * 0.8, grid.y * 0.8, z * 0.8)
        content = np.where(y < self.gas, AIR + 30, 28 + 18 * food - 260 * (food > 1.7))
        paint(image, content.astype(np.float32), bed * coverage(shape + 4.5, grid.pixel * 1.5))

    def _paint_mediastinum(self, image: Array, x: Array, y: Array, grid: SliceGrid, z: float, thickness: float) -> None:
        chest = self.chest
        heart = chest.heart(x, y, z)
        if self.blood > 100:
            paint(image, np.float32(105.0), coverage(heart, grid.pixel * 2))
            paint(
                image, np.float32(self.blood), coverage(heart + 9 + 2 * self.muscle_field.plane(grid.x, grid.y, z), 3.0)
            )
        else:
            paint(image, np.float32(BLOOD + 3), coverage(heart, grid.pixel * 2))
            grooves = np.exp(-((self.muscle_field.plane(grid.x * 0.4, grid.y * 0.4, z * 0.4) / 0.05) ** 2))
            paint(
                image,
                np.float32(FAT + 30),
                np.asarray(0.6 * grooves * coverage(np.abs(heart + 7) - 7, 4.0), np.float32),
            )
        paint(image, np.float32(38.0), tube_coverage(self.gullet, grid, z, thickness))
        paint(image, np.float32(self.blood), tube_coverage(self.vessels, grid, z, thickness))

    def paint_trachea(self, image: Array, grid: SliceGrid, z: float, thickness: float) -> None:
        """Draw trachea and main bronchi: last, for they run through everything."""
        paint(image, np.float32(30.0), tube_coverage(self.trachea.grown(1.4), grid, z, thickness))
        paint(image, np.float32(AIR + 12), tube_coverage(self.trachea, grid, z, thickness))


def carina(chest: Chest) -> tuple[float, float, float]:
    """Where the trachea divides, LPS mm."""
    return 0.0, 10.0, 0.64 * chest.a.height


def _great_vessels(chest: Chest) -> Tubes:
    h, d = chest.a.height, chest.a.half_depth
    spine = [(19.0, float(chest.spine_y(z)) - 26, z) for z in np.linspace(0.70 * h, -60, 12)]
    arch = [
        (-12, -0.42 * d, 0.46 * h),
        (-17, -0.36 * d, 0.58 * h),
        (-13, -0.26 * d, 0.68 * h),
        (2, -0.10 * d, 0.735 * h),
        (15, 0.10 * d, 0.735 * h),
    ]
    parts = [Tubes.path(np.array([*arch, *spine]), np.r_[15.5, 15.5, 14.5, 13.5, 12.5, np.linspace(12, 10, 12)])]
    top, up = 1.12 * h, 0.74 * h
    parts += [
        Tubes.path(np.array([[-23, -18, up + 12], [-25, -16, 0.62 * h], [-23, -14, 0.42 * h]]), 8.5),
        Tubes.path(np.array([[-23, -18, up + 10], [10, -34, up + 22], [40, -30, 0.93 * h], [70, -34, top]]), 6.0),
        Tubes.path(np.array([[-23, -18, up + 10], [-30, -22, 0.9 * h], [-42, -26, top]]), 6.5),
        Tubes.path(np.array([[-2, -16, up], [-12, -14, 0.86 * h], [-24, -8, top]]), 6.0),
        Tubes.path(np.array([[7, -6, up], [10, -4, 0.88 * h], [20, -4, top]]), 4.0),
        Tubes.path(np.array([[14, 2, up], [20, 6, 0.88 * h], [34, 6, top]]), 4.5),
        Tubes.path(np.array([[20, -0.5 * d, 0.45 * h], [15, -0.38 * d, 0.56 * h], [10, -0.10 * d, 0.585 * h]]), np.array([14, 13.5, 11.0])),
        Tubes.path(np.array([[10, -0.10 * d, 0.585 * h], [-10, -1, 0.565 * h], [-32, 5, 0.53 * h], [-44, 8, 0.49 * h]]), np.array([11, 10, 8.5, 7.0])),
        Tubes.path(np.array([[12, -0.10 * d, 0.585 * h], [26, 1, 0.60 * h], [33, 7, 0.56 * h], [40, 10, 0.51 * h]]), np.array([11, 9.5, 8.5, 7.0])),
        Tubes.path(np.array([[-20, -8, 0.40 * h], [-22, 2, 0.2 * h], [-20, 10, -60]]), np.array([10, 12, 12.0])),
    ]  # fmt: skip
    return Tubes.join(parts)


def _gullet(chest: Chest) -> Tubes:
    z = np.linspace(1.15 * chest.a.height, 0.1 * chest.a.height, 12)
    return Tubes.path(np.stack([4 + 0 * z, chest.spine_y(z) - 25, z], axis=1), 6.5)


def _trachea(chest: Chest) -> Tubes:
    x, y, z = carina(chest)
    h = chest.a.height
    top = Tubes.path(np.array([[x, y - 14, 1.15 * h], [x, y - 6, 0.85 * h], [x, y, z]]), 8.2)
    right = Tubes.path(
        np.array([[x - 3, y, z - 1], [-20, 13, 0.575 * h], [-34, 20, 0.53 * h]]), np.array([7.2, 6.8, 5.2])
    )
    left = Tubes.path(np.array([[x + 3, y, z - 1], [20, 15, 0.59 * h], [36, 21, 0.545 * h]]), np.array([6.6, 6.0, 5.0]))
    return Tubes.join([top, right, left])
