"""The lungs of a slice: air and its texture, lesions, vessels, airways, fissures, and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ctviewer.datasets.phantom.chest import SIDES, Chest
from ctviewer.datasets.phantom.families import FamilyTraits
from ctviewer.datasets.phantom.fields import NoiseField, Warp
from ctviewer.datasets.phantom.lesions import Disease, Distractors, Shape
from ctviewer.datasets.phantom.shapes import Array, SliceGrid, coverage, paint, smooth_step
from ctviewer.datasets.phantom.spec import CONSOLIDATION, GROUND_GLASS, LUNG
from ctviewer.datasets.phantom.tubes import Tubes, tube_coverage
from ctviewer.datasets.phantom.vessels import Trees


@dataclass(frozen=True)
class LungPainter:
    """Everything inside the pleura.

    Attributes:
        base: HU of well-aired lung.
        fine, lobules: texture fields of small vessels and of lobules.
        fissure: how visible fissures are, 0 to 1.
        (others: see their classes)
    """

    chest: Chest
    traits: FamilyTraits
    warp: Warp
    base: float
    trees: Trees
    disease: Disease
    distractors: Distractors
    fine: NoiseField
    lobules: NoiseField
    fissure: float

    def placed(self) -> LungPainter:
        """The same with all trees bent as the outlines are."""

        def place(t: Tubes) -> Tubes:
            return Tubes(self.warp.place(t.start), self.warp.place(t.end), t.start_radius, t.end_radius)

        trees = self.trees
        return replace(self, trees=Trees(place(trees.vessels), place(trees.lumens), place(trees.walls)))

    def paint(
        self, image: Array, bent: tuple[Array, Array], grid: SliceGrid, z: float, thickness: float, blood: float
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Draw both lungs into a slice.

        Returns:
            Labels `[rows, columns]` and the number of the lesion (from 1) that each lesion pixel belongs to.
        """
        labels, owners = np.zeros(grid.shape, np.uint8), np.zeros(grid.shape, np.uint8)
        a = self.chest.a
        if z < -thickness or z > a.height + thickness:
            return labels, owners
        reach = a.separation + a.half_width + 5 * a.warp
        window = grid.window((-reach, -a.half_depth - 5 * a.warp - 6), (reach, a.half_depth + 5 * a.warp + 18))
        crop = grid.crop(window)
        view = (bent[0][window], bent[1][window])
        self._paint_crop(image[window], view, crop, z, thickness, blood, labels[window], owners[window])
        return labels, owners

    def _paint_crop(
        self, image: Array, bent: tuple[Array, Array], grid: SliceGrid, z: float, thickness: float, blood: float,
        labels: NDArray[np.uint8], owners: NDArray[np.uint8],
    ) -> None:  # fmt: skip
        x, y = bent
        alpha, depth = self._outline(x, y, grid, z, thickness)
        air = self._air(depth, x, y, grid, z)
        hazy, dense = self._lesions(air, x, y, grid, z, alpha, owners)
        vessels = tube_coverage(self.trees.vessels, grid, z, thickness)
        paint(air, np.float32(blood), vessels)
        bands = tube_coverage(self.distractors.bands, grid, z, thickness)
        paint(air, np.float32(-150.0), bands)
        paint(air, np.float32(30.0), tube_coverage(self.distractors.nodules, grid, z, thickness))
        open_airways = np.float32(1.0) - dense * np.float32(0.0 if self._bronchograms else 1.0)
        paint(air, np.float32(-60.0), tube_coverage(self.trees.walls, grid, z, thickness) * (1 - dense))
        paint(air, np.float32(-985.0), tube_coverage(self.trees.lumens, grid, z, thickness) * open_airways)
        paint(image, air, alpha)
        inside = alpha >= 0.5
        labels[inside] = LUNG
        labels[inside & (hazy >= 0.5)] = GROUND_GLASS
        labels[inside & (dense >= 0.5)] = CONSOLIDATION
        owners[labels <= LUNG] = 0

    @property
    def _bronchograms(self) -> bool:
        return any(shape.bronchograms for shape in self.disease.shapes)

    def _outline(self, x: Array, y: Array, grid: SliceGrid, z: float, thickness: float) -> tuple[Array, Array]:
        """Coverage of both lungs, and depth under the pleura in mm."""
        medial = self.chest.mediastinum(x, y, z)
        alpha, depth = np.zeros(grid.shape, np.float32), np.full(grid.shape, -100.0, np.float32)
        moved = z + self.distractors.ripple * float(np.sin(z * 0.9))  # breathing: neighbours see other phases
        for side in SIDES:
            wall = self.chest.lung_wall(x, y, z, side, medial)
            dome = (1 - self.chest.dome_norm(x, y, moved, side)) * 70.0
            steep = grid.pixel * 1.3 + thickness * (max(z, 0.0) / self.chest.dome_top(side)) ** 2
            share = np.minimum(coverage(wall, grid.pixel * 1.3), coverage(dome, steep))
            np.maximum(alpha, share, out=alpha)
            np.maximum(depth, -np.maximum(self.chest.cavity(x, y, z, side), wall), out=depth)
        return alpha, depth

    def _air(self, depth: Array, x: Array, y: Array, grid: SliceGrid, z: float) -> Array:
        """Aired lung: base, gravity, texture, emphysema, fissures."""
        lobules = self.lobules.plane(grid.x, grid.y, z)
        fine = self.fine.plane(grid.x, grid.y, z)
        air = np.float32(self.base) + 10 * lobules + 14 * fine + 60 * np.maximum(fine - 1.5, 0)
        air += self.distractors.gravity(depth, y, self.chest, grid, z)
        if self.distractors.emphysema > 0:
            holes = smooth_step(lobules, 1.9 - 9 * self.distractors.emphysema, 2.2 - 9 * self.distractors.emphysema)
            paint(air, np.float32(-965.0), np.asarray(holes, np.float32))
        bend = 2.5 * lobules
        for side in SIDES:
            line = self.chest.oblique_fissure(y, z, side) + bend
            seen = self.fissure * np.exp(-((line / 0.9) ** 2))
            if side < 0:
                level = self.chest.horizontal_fissure(y, z) + 1.5 * bend
                seen = np.maximum(seen, self.fissure * np.exp(-((level / 0.9) ** 2)) * (line > 0))
            air += np.asarray(230 * seen * (x * side > 0), np.float32)
        return np.asarray(air, np.float32)

    def _lesions(
        self, air: Array, x: Array, y: Array, grid: SliceGrid, z: float, alpha: Array, owners: NDArray[np.uint8]
    ) -> tuple[Array, Array]:
        """Fill lesions into the air; coverage of ground glass and of consolidation."""
        hazy, dense = np.zeros_like(air), np.zeros_like(air)
        for number, shape in enumerate(self.disease.shapes, start=1):
            if abs(z - shape.centre[2]) < shape.radii[2] * 1.9:
                self._lesion(number, shape, (air, hazy, dense, owners), x, y, grid, z)
        return hazy, dense

    def _lesion(
        self, number: int, shape: Shape, images: tuple[Array, Array, Array, NDArray[np.uint8]],
        x: Array, y: Array, grid: SliceGrid, z: float,
    ) -> None:  # fmt: skip
        cx, cy, _ = shape.centre
        margin = 5 * self.chest.a.warp
        rx, ry = shape.radii[0] * 1.9 + margin, shape.radii[1] * 1.9 + margin
        window = grid.window((cx - rx, cy - ry), (cx + rx, cy + ry))
        crop = grid.crop(window)
        if 0 in crop.shape:
            return
        air, hazy, dense, owners = (a[window] for a in images)
        same = (x[window] - 3.0) * shape.side > 0
        distance = self.disease.extents(shape, x[window], y[window], z, crop, self.chest)
        soft = coverage(distance, shape.softness + grid.pixel) * same
        haze = self.disease.haze(shape, crop, z)
        paint(air, np.maximum(haze, air), soft.astype(np.float32))
        np.maximum(hazy, soft, out=hazy)
        if shape.core is not None:
            core = (coverage(distance + shape.core, 2.0 + grid.pixel) * same).astype(np.float32)
            paint(air, np.float32(18.0) + 0.12 * (haze + 480), core)
            np.maximum(dense, core, out=dense)
        owners[soft >= 0.5] = number
