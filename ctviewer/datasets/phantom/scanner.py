"""The machine: couch, point spread, noise and streaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from ctviewer.datasets.phantom.families import ScannerRanges, Table
from ctviewer.datasets.phantom.shapes import Array, SliceGrid, coverage, ellipse, paint


@dataclass(frozen=True)
class Scanner:
    """One draw from a family's scanners; see `ScannerRanges` for the fields."""

    kernel: str
    blur: float
    edge: float
    noise: float
    grain: float
    field_of_view: float
    thickness: float
    table: Table
    circle: bool

    @classmethod
    def draw(cls, ranges: ScannerRanges, rng: np.random.Generator) -> Scanner:
        """Draw every measure evenly from its range."""
        names = ("blur", "edge", "noise", "grain", "field_of_view", "thickness")
        drawn = {name: float(rng.uniform(*getattr(ranges, name))) for name in names}
        return cls(kernel=ranges.kernel, table=ranges.table, circle=ranges.circle, **drawn)

    def paint_table(self, image: Array, grid: SliceGrid, back: float) -> None:
        """Draw the couch; `back` is the y in mm on which the patient lies."""
        x, y = grid.x[None, :], grid.y[:, None] - np.float32(back)
        top, bottom = _surfaces(self.table, x)
        width = {Table.SLAB: 205.0, Table.CRADLE: 250.0}.get(self.table, 225.0)
        shell = np.maximum(np.maximum(top - y, y - bottom), np.abs(x) - width)
        paint(image, np.float32(-60.0), coverage(shell, grid.pixel * 1.2))
        paint(image, np.float32(-960.0), coverage(shell + 1.7, grid.pixel * 1.2))
        if self.table is Table.DOUBLE:
            paint(
                image,
                np.float32(-150.0),
                coverage(np.abs(y - (top + bottom) / 2) + shell * 0 - 0.8, grid.pixel * 1.2) * (shell < 0),
            )
        if self.table in (Table.CURVED, Table.CRADLE):  # a mattress
            mat = np.maximum(top - 9 - y, y - top + 1) + 0 * x
            paint(image, np.float32(-930.0), coverage(np.maximum(mat, np.abs(x) - 190), 2.0) * (image < -900))
        if self.table is Table.SLAB:
            for side in (-1, 1):
                rail = np.abs(ellipse(x - side * 160, y - 26, 16.0, 9.0)) - 1.3
                paint(image, np.float32(150.0), coverage(rail, grid.pixel * 1.2))

    def degrade(self, image: Array, grid: SliceGrid, shoulders: float, rng: np.random.Generator) -> Array:
        """What the machine makes of a slice: blurred by its kernel, noisy, streaked where shoulders (0 to 1) are wide."""
        sharp = (
            ndimage.gaussian_filter(image, self.blur / grid.pixel, mode="nearest")
            if self.blur / grid.pixel > 0.2
            else image
        )
        if self.edge > 0:
            soft = ndimage.gaussian_filter(sharp, 1.1 / grid.pixel, mode="nearest")
            sharp = sharp + np.float32(self.edge) * (sharp - soft)
        dense = ndimage.zoom(ndimage.uniform_filter(image[::4, ::4] > -500, 0).astype(np.float32), 1) if False else None
        del dense
        radius = np.sqrt((grid.x[None, :] / 190) ** 2 + (grid.y[:, None] / 140) ** 2)
        level = (
            np.float32(self.noise) * (np.float32(0.35) + np.exp(-(radius**2)) * 0.85) * np.float32(1 + 0.9 * shoulders)
        )
        out = sharp + level.astype(np.float32) * self._noise(grid, rng)
        if shoulders > 0:
            rows = ndimage.gaussian_filter1d(rng.standard_normal(grid.shape[0]), 1.6 / grid.pixel + 0.3)
            out += (9 * shoulders * rows[:, None] * np.exp(-(radius**4))).astype(np.float32)
        if self.circle:
            limit = (grid.x[-1] - grid.x[0] + grid.pixel) / 2
            centre = (grid.y[-1] + grid.y[0]) / 2
            out[(grid.x[None, :] ** 2 + (grid.y[:, None] - centre) ** 2) > limit**2] = -1024
        return np.asarray(out, np.float32)

    def _noise(self, grid: SliceGrid, rng: np.random.Generator) -> Array:
        """Noise with the kernel's grain and standard deviation 1: the ramp filter makes it stronger at high frequencies."""
        rows, columns = grid.shape
        fy = fft.fftfreq(rows, grid.pixel)[:, None]
        fx = fft.rfftfreq(columns, grid.pixel)[None, :]
        f = np.sqrt(fy * fy + fx * fx)
        power = (0.012 + f) * np.exp(-((f * self.grain * 1.9) ** 2))
        shape = np.sqrt(power).astype(np.float32)
        spectrum = (
            rng.standard_normal((rows, shape.shape[1]), np.float32)
            + 1j * rng.standard_normal((rows, shape.shape[1]), np.float32)
        ) * shape
        noise = fft.irfft2(spectrum.astype(np.complex64), s=(rows, columns))
        return np.asarray(noise / np.float32(noise.std() + 1e-9), np.float32)


def _surfaces(table: Table, x: Array) -> tuple[Array, Array]:
    """Height of the couch's upper and lower surface, y in mm under the patient's lowest point."""
    if table is Table.CURVED:
        return 4 - x * x / 700, 44 - x * x / 900
    if table is Table.CRADLE:
        return 6 - x * x / 420, 30 - x * x / 460
    if table is Table.DOUBLE:
        return 3 - x * x / 1100, 62 - x * x / 640
    flat = np.full_like(x, 5.0)
    return flat, flat + (34.0 if table is Table.FLAT else 14.0)
