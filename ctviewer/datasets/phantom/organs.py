"""The soft body: skin, fat, muscle, what the mediastinum and the upper abdomen hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctviewer.datasets.phantom.chest import SIDES, Chest
from ctviewer.datasets.phantom.fields import NoiseField, Warp
from ctviewer.datasets.phantom.mediastinum import great_vessels, gullet, trachea
from ctviewer.datasets.phantom.shapes import Array, View, coverage, ellipse, ellipsoid, paint, smooth_step, union
from ctviewer.datasets.phantom.tubes import Tubes, tube_coverage

AIR, FAT, MUSCLE, BLOOD, LIVER, SPLEEN = -1000.0, -102.0, 52.0, 42.0, 60.0, 52.0
_CONTRAST_FROM = 100.0
_LEAST_BREAST = 12.0


@dataclass(frozen=True)
class Body:
    """Everything soft that is no lung.

    Attributes:
        chest: its outlines.
        vessels: great vessels of mediastinum and upper abdomen.
        gullet, trachea: oesophagus; trachea and main bronchi (inner radius).
        blood: HU of blood, contrast included.
        stomach: its centre in mm.
        gas: the stomach holds gas in front of this y in mm.
        fat_field, muscle_field: textures.
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

    @classmethod
    def draw(cls, chest: Chest, warp: Warp, contrast: bool, rng: np.random.Generator) -> Body:
        """Draw stomach, blood and textures for a chest."""
        stomach = (float(rng.uniform(52, 66)), float(rng.uniform(-34, -18)), chest.dome_top(1) * 0.36)
        return cls(
            chest=chest,
            vessels=great_vessels(chest).bent(warp),
            gullet=gullet(chest).bent(warp),
            trachea=trachea(chest).bent(warp),
            blood=float(rng.uniform(170, 260)) if contrast else BLOOD,
            stomach=stomach,
            gas=stomach[1] - float(rng.uniform(0, 26)),
            fat_field=NoiseField(rng, 5.0),
            muscle_field=NoiseField(rng, 13.0),
        )

    @property
    def back(self) -> float:
        """Where the patient's back lies on the couch: y in mm."""
        return self.chest.a.half_depth + 27 + 0.8 * self.chest.a.fat

    def outline(self, view: View) -> Array:
        """Distance to the skin."""
        a, z = self.chest.a, view.z
        x, y = view.x, view.y
        high = float(smooth_step(z, 0.55 * a.height, 1.05 * a.height))
        low = float(smooth_step(-z, -0.25 * a.height, 0.1 * a.height))
        width = a.separation + a.half_width + a.wall + a.fat + 8 + 46 * high - 6 * low
        front = a.half_depth + 12 + 0.8 * a.fat - 20 * high
        back = self.back - 8 * high
        trunk = ellipse(x, y - (back - front) / 2, width, (front + back) / 2, 0.42 - 0.3 * high)
        trunk = trunk + 7 * np.exp(-((x / 20) ** 2)) * (smooth_step(y, 30, 80) + 0.6 * smooth_step(-y, 30, 80))
        if a.breast >= _LEAST_BREAST:
            for side in SIDES:
                breast = (x - side * 78, y + front - 12, z - 0.42 * a.height)
                trunk = union(trunk, ellipsoid(*breast, (64.0, a.breast + 14, 62.0)), 14.0)
        return np.asarray(trunk, np.float32)

    def paint(self, image: Array, view: View) -> None:
        """Draw body wall, abdomen and mediastinum into a slice that holds air."""
        fat = FAT + 9 * view.texture(self.fat_field)
        wave = view.texture(self.muscle_field)
        self._paint_wall(image, view, fat, wave)
        hull = np.asarray(self.chest.hull(view.x, view.y, view.z), np.float32)
        paint(image, fat + 10, coverage(hull + 1.0, view.pixel * 1.5))
        if view.z < self.chest.dome_top(-1) + view.thickness:
            self._paint_abdomen(image, view, hull, fat, wave)
        self._paint_mediastinum(image, view, wave)

    def _paint_wall(self, image: Array, view: View, fat: Array, wave: Array) -> None:
        a, x, y = self.chest.a, view.x, view.y
        skin = self.outline(view)
        paint(image, np.float32(20.0), coverage(skin, view.pixel))
        paint(image, fat, coverage(skin + 1.8, view.pixel))
        depth = a.fat * (1.0 + 0.5 * smooth_step(np.abs(x), 70, 150) - 0.35 * smooth_step(-y, 20, 90))
        muscle = skin + depth + 1.5 * wave
        if a.breast >= _LEAST_BREAST:  # breasts are fat with glands, and no muscle
            muscle = np.maximum(muscle, -(y + a.half_depth + 9) - 4 * smooth_step(np.abs(x), 0, 100))
            if abs(view.z - 0.42 * a.height) < 45:
                glands = coverage(np.maximum(skin + 8, 14 - 16 * wave), 6.0) * (y < -a.half_depth)
                paint(image, np.float32(30.0), np.asarray(glands, np.float32))
        paint(image, 4 * wave + np.float32(MUSCLE), coverage(muscle, view.pixel * 1.6))
        # Muscles lie in layers: fat shows between them along the levels of a bent depth, here more, there less.
        layer = muscle / 19 + 1.1 * view.texture(self.muscle_field, 2.3)
        gap = np.abs(layer - np.rint(layer)) * 16
        shown = np.clip(0.3 + 0.9 * view.texture(self.muscle_field, 1.7), 0, 1) * coverage(muscle + 4, 4.0)
        paint(image, fat + 20, np.asarray(shown * np.exp(-((gap / 1.1) ** 2)), np.float32))

    def _paint_abdomen(self, image: Array, view: View, hull: Array, fat: Array, wave: Array) -> None:
        x, y, z = view.x, view.y, view.z
        top = self.chest.dome_top(-1)
        flat = view.pixel + view.thickness * float(np.clip(z / top, 0, 1)) ** 3  # the dome's top is cut level: blurred
        under = np.asarray(self.chest.abdomen(x, y, z), np.float32)
        inside = coverage(hull + 1.0, view.pixel * 1.5)
        paint(image, np.float32(48.0), inside * coverage(under, flat))  # the diaphragm itself
        bed = coverage(hull + 2.2, view.pixel * 1.5) * coverage(under + 1.8, flat)
        paint(image, fat, bed)
        spleen = ellipsoid(
            x - self.chest.a.separation - 42, y - 30 + 3 * wave, z - 0.25 * top, (27.0, 46.0, 0.55 * top)
        )
        paint(image, np.float32(SPLEEN), bed * coverage(spleen, view.pixel * 1.5))
        self._paint_stomach(image, view, bed, wave)
        self._paint_liver(image, view, bed, wave)

    def _paint_liver(self, image: Array, view: View, bed: Array, wave: Array) -> None:
        x, y, top = view.x, view.y, self.chest.dome_top(-1)
        edge = x - 34 + 0.55 * y + 4 * wave - 0.25 * (view.z - 0.4 * top)
        behind = ellipse(x, y - float(self.chest.spine_y(view.z)), 27, 31)
        liver = np.maximum(edge * 0.8, -behind)
        paint(image, np.float32(LIVER), bed * coverage(liver, view.pixel * 1.5))
        veins = np.exp(-((view.texture(self.muscle_field, 1.8) / 0.09) ** 2))
        tint = 0.55 * self.blood - 40 if self.blood > _CONTRAST_FROM else -12.0
        image += np.asarray(tint * veins * bed * coverage(liver + 10, 6.0), np.float32)

    def _paint_stomach(self, image: Array, view: View, bed: Array, wave: Array) -> None:
        cx, cy, cz = self.stomach
        shape = ellipsoid(view.x - cx, view.y - cy, view.z - cz, (44.0, 42.0, 44.0)) + 2.0 * wave
        paint(image, np.float32(45.0), bed * coverage(shape, view.pixel * 1.5))
        food = view.texture(self.fat_field, 0.7)
        content = np.where(view.grid.y[:, None] < self.gas, AIR + 30, 26 + 16 * food - 320 * np.clip(food - 1.9, 0, 1))
        paint(image, content.astype(np.float32), bed * coverage(shape + 4.5, view.pixel * 1.5))

    def _paint_mediastinum(self, image: Array, view: View, wave: Array) -> None:
        heart = np.asarray(self.chest.heart(view.x, view.y, view.z), np.float32) + 1.2 * wave
        border = view.pixel * 2.5  # the heart beats while it is scanned
        if self.blood > _CONTRAST_FROM:
            paint(image, np.float32(105.0), coverage(heart, border))
            paint(image, np.float32(self.blood), coverage(heart + 9 + 2 * wave, 3.0))
        else:
            paint(image, np.float32(BLOOD + 3), coverage(heart, border))
            grooves = np.exp(-((view.texture(self.muscle_field, 2.2) / 0.05) ** 2))
            paint(
                image,
                np.float32(FAT + 30),
                np.asarray(0.6 * grooves * coverage(np.abs(heart + 6) - 6, 4.0), np.float32),
            )
        paint(image, np.float32(38.0), tube_coverage(self.gullet, view))
        paint(image, np.float32(self.blood), tube_coverage(self.vessels, view))

    def paint_trachea(self, image: Array, view: View) -> None:
        """Draw trachea and main bronchi: last, for they run through everything."""
        paint(image, np.float32(30.0), tube_coverage(self.trachea.grown(1.4), view))
        paint(image, np.float32(AIR + 12), tube_coverage(self.trachea, view))
