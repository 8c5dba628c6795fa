"""The machine: couch, point spread, noise and streaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from ctviewer.datasets.phantom.families import ScannerRanges, Table
from ctviewer.datasets.phantom.shapes import Array, Number, SliceGrid, coverage, ellipse, paint

_MATTRESS, _FOAM, _SHELL, _RIB, _RAIL = -930.0, -960.0, -60.0, -150.0, 150.0


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
        soft = grid.pixel * 1.2
        top, bottom = _surfaces(self.table, x)
        width = {Table.SLAB: 205.0, Table.CRADLE: 250.0}.get(self.table, 225.0)
        shell = np.maximum(np.maximum(top - y, y - bottom), np.abs(x) - width)
        paint(image, np.float32(_SHELL), coverage(shell, soft))
        paint(image, np.float32(_FOAM), coverage(shell + 1.7, soft))
        if self.table is Table.DOUBLE:
            layer = np.maximum(np.abs(y - (top + bottom) / 2) - 0.8, shell)
            paint(image, np.float32(_RIB), coverage(layer, soft))
        if self.table in (Table.CURVED, Table.CRADLE):
            mattress = np.maximum(np.maximum(top - 9 - y, y - top + 1), np.abs(x) - 190)
            paint(image, np.float32(_MATTRESS), coverage(mattress, 2.0) * (image < _MATTRESS))
        if self.table is Table.SLAB:
            for side in (-1, 1):
                rail = np.abs(ellipse(x - side * 160, y - 26, 16.0, 9.0)) - 1.3
                paint(image, np.float32(_RAIL), coverage(rail, soft))

    def degrade(self, image: Array, grid: SliceGrid, shoulders: float, rng: np.random.Generator) -> Array:
        """What the machine makes of a slice.

        Args:
            image: `[rows, columns]` HU without noise.
            grid: where its pixels lie.
            shoulders: 0 to 1, how much bone and muscle the rays cross sideways: noise and streaks grow with it.
            rng: draws the noise.
        """
        sharp = ndimage.gaussian_filter(image, self.blur / grid.pixel, mode="nearest", truncate=3)
        if self.edge > 0:
            soft = ndimage.gaussian_filter(sharp, 1.1 / grid.pixel, mode="nearest", truncate=3)
            sharp = sharp + np.float32(self.edge) * (sharp - soft)
        radius = np.sqrt((grid.x[None, :] / 190) ** 2 + (grid.y[:, None] / 140) ** 2)
        level = self.noise * (1 + 0.9 * shoulders) * (0.35 + 0.85 * np.exp(-(radius**2)))
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
        """Noise with the kernel's grain and standard deviation 1: the ramp filter strengthens high frequencies."""
        rows, columns = grid.shape
        fy, fx = fft.fftfreq(rows, grid.pixel)[:, None], fft.rfftfreq(columns, grid.pixel)[None, :]
        f = np.sqrt(fy * fy + fx * fx)
        shape = np.sqrt((0.012 + f) * np.exp(-((f * self.grain * 1.9) ** 2))).astype(np.float32)
        real, imaginary = rng.standard_normal((2, *shape.shape), np.float32)
        noise = fft.irfft2(shape * (real + np.complex64(1j) * imaginary), s=(rows, columns))
        return np.asarray(noise / np.float32(noise.std() + 1e-9), np.float32)


def _surfaces(table: Table, x: Array) -> tuple[Number, Number]:
    """Upper and lower surface of the couch, y in mm behind the patient's back."""
    square = x * x
    if table is Table.CURVED:
        return 4 - square / 700, 44 - square / 900
    if table is Table.CRADLE:
        return 6 - square / 420, 30 - square / 460
    if table is Table.DOUBLE:
        return 3 - square / 1100, 62 - square / 640
    flat = np.full_like(x, 5.0)
    return flat, flat + np.float32(34.0 if table is Table.FLAT else 14.0)
