"""The lungs of a slice: air and its texture, lesions, vessels, airways, fissures, and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.datasets.phantom.chest import MIDLINE, SIDES, Chest
from ctviewer.datasets.phantom.distractors import Distractors
from ctviewer.datasets.phantom.fields import NoiseField
from ctviewer.datasets.phantom.lesions import Disease, Shape
from ctviewer.datasets.phantom.shapes import Array, View, coverage, paint, smooth_step
from ctviewer.datasets.phantom.spec import CONSOLIDATION, GROUND_GLASS, LUNG
from ctviewer.datasets.phantom.tubes import tube_coverage
from ctviewer.datasets.phantom.vessels import Trees

_LESION_REACH = 1.9  # how far beyond its radii a ragged outline can lie (ratio)


@dataclass(frozen=True)
class Truth:
    """What is where on a slice.

    Attributes:
        labels: `[rows, columns]` uint8, see `spec`.
        owners: `[rows, columns]` uint8: number of the lesion, from 1, that a lesion's pixel belongs to.
    """

    labels: NDArray[np.uint8]
    owners: NDArray[np.uint8]

    def crop(self, window: tuple[slice, slice]) -> Truth:
        """A view of a window of it."""
        return Truth(self.labels[window], self.owners[window])


@dataclass(frozen=True)
class LungPainter:
    """Everything inside the pleura.

    Attributes:
        chest, trees, disease, distractors: see their classes; the trees are bent as the outlines are.
        base: HU of well-aired lung.
        fine, lobules: texture fields of small vessels and of lobules.
        fissure: how visible fissures are, 0 to 1.
    """

    chest: Chest
    trees: Trees
    disease: Disease
    distractors: Distractors
    base: float
    fine: NoiseField
    lobules: NoiseField
    fissure: float

    def paint(self, image: Array, view: View, blood: float) -> Truth:
        """Draw both lungs into a slice; `blood` is the HU of blood."""
        truth = Truth(np.zeros(view.grid.shape, np.uint8), np.zeros(view.grid.shape, np.uint8))
        a = self.chest.a
        if -view.thickness < view.z < a.height + view.thickness:
            x, y = a.separation + a.half_width + 5 * a.warp, a.half_depth + 5 * a.warp
            window = view.grid.window((-x, -y - 6), (x, y + 18))
            self._paint_window(image[window], view.crop(window), blood, truth.crop(window))
        return truth

    def _paint_window(self, image: Array, view: View, blood: float, truth: Truth) -> None:
        alpha, depth = self._outline(view)
        air = self._air(view, depth)
        hazy, dense = self._paint_lesions(air, view, truth.owners)
        paint(air, np.float32(blood), tube_coverage(self.trees.vessels, view))
        paint(air, np.float32(-150.0), tube_coverage(self.distractors.bands, view))
        paint(air, np.float32(30.0), tube_coverage(self.distractors.nodules, view))
        free = 1 - dense
        stays_open = any(shape.bronchograms for shape in self.disease.shapes)
        paint(air, np.float32(-130.0), tube_coverage(self.trees.walls, view) * free)
        paint(air, np.float32(-985.0), tube_coverage(self.trees.lumens, view) * (1 if stays_open else free))
        paint(image, air, alpha)
        inside = alpha >= 0.5
        truth.labels[inside] = LUNG
        truth.labels[inside & (hazy >= 0.5)] = GROUND_GLASS
        truth.labels[inside & (dense >= 0.5)] = CONSOLIDATION
        truth.owners[truth.labels <= LUNG] = 0

    def _outline(self, view: View) -> tuple[Array, Array]:
        """Coverage of both lungs, and depth under the pleura in mm."""
        x, y, z = view.x, view.y, view.z
        medial = self.chest.mediastinum(x, y, z)
        alpha, depth = np.zeros(view.grid.shape, np.float32), np.full(view.grid.shape, -100.0, np.float32)
        moved = z + self.distractors.ripple * float(np.sin(z * 0.7))  # breathing: neighbours see other phases
        for side in SIDES:
            wall = self.chest.lung_wall(x, y, z, side, medial)
            share = coverage(wall, view.pixel * 1.3)
            top = self.chest.dome_top(side)
            if z < top + view.thickness:
                level = view.thickness * float(np.clip(z / top, 0, 1)) ** 3
                share = np.minimum(share, coverage(-self.chest.under_dome(x, y, moved, side), view.pixel * 1.3 + level))
            np.maximum(alpha, share, out=alpha)
            np.maximum(depth, -np.maximum(self.chest.cavity(x, y, z, side), wall), out=depth)
        return alpha, depth

    def _air(self, view: View, depth: Array) -> Array:
        """Aired lung: base, gravity, texture, emphysema, fissures."""
        lobules, fine = view.texture(self.lobules), view.texture(self.fine)
        air = np.float32(self.base) + 10 * lobules + 14 * fine + 60 * np.maximum(fine - 1.5, 0)
        air += self.distractors.gravity(depth, view, self.chest)
        share = self.distractors.emphysema
        if share > 0:
            holes = smooth_step(lobules, 1.9 - 9 * share, 2.2 - 9 * share)
            paint(air, np.float32(-965.0), np.asarray(holes, np.float32))
        air += np.float32(150 * self.fissure) * self._fissures(view) * np.clip(1 + 0.5 * lobules, 0, 2)
        return np.asarray(air, np.float32)

    def _fissures(self, view: View) -> Array:
        """How much of a fissure a pixel holds, 0 to 1."""
        bend = 4.0 * view.texture(self.lobules, 4.0)
        seen = np.zeros(view.grid.shape, np.float32)
        for side in SIDES:
            here = view.x * side > 0
            oblique = self.chest.oblique_fissure(view.y, view.z, side) + bend
            seen[here] = np.exp(-((oblique[here] / 0.9) ** 2))
            if side < 0:
                level = (self.chest.horizontal_fissure(view.y, view.z) + 0.8 * bend) / 0.9
                np.maximum(seen, np.exp(-(level**2)) * (here & (oblique > 0)), out=seen)
        return seen

    def _paint_lesions(self, air: Array, view: View, owners: NDArray[np.uint8]) -> tuple[Array, Array]:
        """Fill lesions into the air; coverage of ground glass and of consolidation."""
        hazy, dense = np.zeros_like(air), np.zeros_like(air)
        margin = 5 * self.chest.a.warp
        for number, shape in enumerate(self.disease.shapes, start=1):
            (cx, cy, cz), (rx, ry, rz) = shape.centre, (_LESION_REACH * r for r in shape.radii)
            window = view.grid.window((cx - rx - margin, cy - ry - margin), (cx + rx + margin, cy + ry + margin))
            seen = view.crop(window)
            if abs(view.z - cz) < rz and 0 not in seen.grid.shape:
                layers = (air[window], hazy[window], dense[window])
                owners[window][self._paint_lesion(shape, seen, layers)] = number
        return hazy, dense

    def _paint_lesion(self, shape: Shape, view: View, layers: tuple[Array, Array, Array]) -> NDArray[np.bool_]:
        """Fill one lesion into air, ground glass and consolidation; where it is."""
        air, hazy, dense = layers
        same = ((view.x - MIDLINE) * shape.side > 0).astype(np.float32)
        distance = self.disease.extents(shape, view, self.chest)
        soft = coverage(distance, shape.softness + view.pixel) * same
        haze = self.disease.haze(shape, view)
        paint(air, np.maximum(haze, air), soft)
        np.maximum(hazy, soft, out=hazy)
        if shape.core is not None:
            core = coverage(distance + shape.core, 2.0 + view.pixel) * same
            paint(air, 18 + 0.12 * (haze - np.float32(shape.haze)), core)
            np.maximum(dense, core, out=dense)
        return np.asarray(soft >= 0.5)
