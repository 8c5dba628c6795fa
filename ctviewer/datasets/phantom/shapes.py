"""Signed distances (mm, negative inside) and anti-aliased coverage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.datasets.phantom.fields import NoiseField, Warp

Array = NDArray[np.float32]
Number = Any  # a float or an array: shapes are evaluated on slices, points and scalars alike


@dataclass(frozen=True)
class SliceGrid:
    """The pixel centres of a slice.

    Attributes:
        x: `[columns]` mm, to the patient's left.
        y: `[rows]` mm, to the back.
        pixel: mm per pixel.
    """

    x: Array
    y: Array
    pixel: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return len(self.y), len(self.x)

    def window(self, low: tuple[float, float], high: tuple[float, float]) -> tuple[slice, slice]:
        """Rows and columns that hold the box from `low` to `high` (x, y in mm), cut to the slice."""
        columns = np.searchsorted(self.x, (low[0], high[0]))
        rows = np.searchsorted(self.y, (low[1], high[1]))
        return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[1]))

    def crop(self, window: tuple[slice, slice]) -> SliceGrid:
        """The part of the grid in a window."""
        return SliceGrid(self.x[window[1]], self.y[window[0]], self.pixel)


@dataclass(frozen=True)
class View:
    """A slice, or a window of one, as the painters see it.

    Attributes:
        grid: true pixel centres: for tubes, textures and the couch.
        x, y: `[rows, columns]` bent coordinates in mm: for the outlines of anatomy.
        z: height in mm.
        thickness: slice thickness in mm.
    """

    grid: SliceGrid
    x: Array
    y: Array
    z: float
    thickness: float

    @classmethod
    def of(cls, grid: SliceGrid, warp: Warp, z: float, thickness: float) -> View:
        """The whole slice at a height."""
        return cls(grid, *warp.grids(grid.x, grid.y, z), z, thickness)

    @property
    def pixel(self) -> float:
        """Millimetres per pixel."""
        return self.grid.pixel

    def crop(self, window: tuple[slice, slice]) -> View:
        """A window of it."""
        return View(self.grid.crop(window), self.x[window], self.y[window], self.z, self.thickness)

    def texture(self, field: NoiseField, stretch: float = 1.0) -> Array:
        """A noise field `[rows, columns]` on this slice, with grains `stretch` times as large."""
        k = np.float32(1 / stretch)
        return field.plane(self.grid.x * k, self.grid.y * k, self.z / stretch)


def coverage(distance: Number, width: Number) -> Any:
    """Share of a pixel that lies inside a border blurred over `width` mm."""
    return np.clip(0.5 - distance / width, 0.0, 1.0)


def smooth_step(values: Number, low: float, high: float) -> Any:
    """0 below `low`, 1 above `high`, a smooth rise between."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def union(first: Number, second: Number, radius: float) -> Any:
    """Union of two shapes with the notch between them filled over `radius` mm."""
    h = np.maximum(radius - np.abs(first - second), 0.0)
    return np.minimum(first, second) - h * h * (0.25 / radius)


def intersection(first: Number, second: Number, radius: float) -> Any:
    """Intersection of two shapes with its edge rounded over `radius` mm."""
    return -union(-first, -second, radius)


def ellipse(x: Number, y: Number, a: Number, b: Number, square: float = 0.0) -> Any:
    """Distance to an ellipse with half axes a and b about the origin; square 1 is a superellipse of power 4."""
    u, v = (x / a) ** 2, (y / b) ** 2
    norm = np.sqrt(u + v) if square == 0 else np.sqrt(np.sqrt(np.maximum(u * u + v * v + 2 * (1 - square) * u * v, 0)))
    return (norm - 1) * np.minimum(a, b)


def ellipsoid(x: Number, y: Number, z: Number, radii: tuple[float, float, float]) -> Any:
    """Distance to an ellipsoid about the origin."""
    norm = np.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2)
    return (norm - 1) * min(radii)


def rotate(x: Number, y: Number, degrees: float) -> tuple[Any, Any]:
    """Coordinates in a frame turned by `degrees` about z."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return x * np.float32(c) + y * np.float32(s), y * np.float32(c) - x * np.float32(s)


def paint(image: Array, value: Number, alpha: Array) -> None:
    """Blend a value into an image in place."""
    image += alpha * (value - image)
