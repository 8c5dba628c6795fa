"""Tapering tubes: vessels, airways, ribs. Evaluated only in the small windows that they cross on a slice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ctviewer.datasets.phantom.fields import Warp
from ctviewer.datasets.phantom.shapes import Array, SliceGrid, View

_SIZES = np.array([4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048])
_CHUNK = 400_000  # pixels evaluated at once: what fits the cache


@dataclass(frozen=True)
class Tubes:
    """Capsules whose radius changes linearly.

    Attributes:
        start, end: `[n, 3]` x, y, z in mm.
        start_radius, end_radius: `[n]` mm.
        z_scale: heights are multiplied by it before a distance is taken: below 1 a tube is taller than wide.
    """

    start: Array
    end: Array
    start_radius: Array
    end_radius: Array
    z_scale: float = 1.0

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def none(cls) -> Tubes:
        """No tubes."""
        points, radii = np.zeros((0, 3), np.float32), np.zeros(0, np.float32)
        return cls(points, points, radii, radii)

    @classmethod
    def path(cls, nodes: NDArray[np.floating], radii: NDArray[np.floating] | float, *, z_scale: float = 1.0) -> Tubes:
        """A polyline through nodes `[n, 3]` with a radius per node (or one for all)."""
        points = np.asarray(nodes, np.float32)
        r = np.broadcast_to(np.asarray(radii, np.float32), len(points))
        return cls(points[:-1], points[1:], r[:-1].copy(), r[1:].copy(), z_scale)

    @classmethod
    def join(cls, parts: list[Tubes]) -> Tubes:
        """All tubes of several sets (of one z_scale)."""
        if not parts:
            return cls.none()
        return cls(
            np.concatenate([p.start for p in parts]),
            np.concatenate([p.end for p in parts]),
            np.concatenate([p.start_radius for p in parts]),
            np.concatenate([p.end_radius for p in parts]),
            parts[0].z_scale,
        )

    def bent(self, warp: Warp) -> Tubes:
        """The same tubes, moved as a warp moves the outlines around them."""
        return replace(self, start=warp.place(self.start), end=warp.place(self.end))

    def grown(self, by: float) -> Tubes:
        """The same tubes with radii larger by `by` mm (thinner where negative; gone where nothing is left)."""
        r0, r1 = self.start_radius + np.float32(by), self.end_radius + np.float32(by)
        return replace(self, start_radius=r0, end_radius=r1).select((r0 > 0.05) & (r1 > 0.05))

    def select(self, keep: NDArray[np.bool_]) -> Tubes:
        """Those where `keep` is set."""
        r0, r1 = self.start_radius[keep], self.end_radius[keep]
        return Tubes(self.start[keep], self.end[keep], r0, r1, self.z_scale)


@dataclass(frozen=True)
class _Windows:
    """Where tubes are seen on a slice: first row, first column and side `[n]` in pixels; side 0: not at all."""

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    side: NDArray[np.intp]


def tube_coverage(tubes: Tubes, view: View) -> Array:
    """How much of each pixel `[rows, columns]` of a slice the tubes fill, 0 to 1, its thickness taken into account."""
    grid, z, thickness = view.grid, view.z, view.thickness
    out = np.zeros(grid.shape[0] * grid.shape[1] + 1, np.float32)  # the extra cell takes what lies outside
    reach = np.maximum(tubes.start_radius, tubes.end_radius) + np.float32(grid.pixel)
    half = reach / np.float32(tubes.z_scale) + np.float32(thickness / 2)
    bottom, top = np.minimum(tubes.start[:, 2], tubes.end[:, 2]), np.maximum(tubes.start[:, 2], tubes.end[:, 2])
    near = (bottom - half < z) & (top + half > z)
    found = tubes.select(near)
    windows = _windows(found, grid, np.stack([z - half[near], z + half[near]]), reach[near])
    steps = max(1, round(thickness / 1.25))
    depths = z + thickness * ((np.arange(steps) + 0.5) / steps - 0.5)
    sizes = _SIZES[np.searchsorted(_SIZES, windows.side)]
    for size in np.unique(sizes):
        members = np.flatnonzero((sizes == size) & (windows.side > 0))
        for first in range(0, len(members), step := max(1, _CHUNK // int(size * size))):
            chosen = members[first : first + step]
            rows = windows.row[chosen, None] + np.arange(size)
            columns = windows.column[chosen, None] + np.arange(size)
            filled = _filled(
                found, chosen, grid.x[0] + columns * grid.pixel, grid.y[0] + rows * grid.pixel, (depths, grid.pixel)
            )
            seen = (rows < grid.shape[0])[:, :, None] & (columns < grid.shape[1])[:, None, :]
            cells = np.where(seen, rows[:, :, None] * grid.shape[1] + columns[:, None, :], len(out) - 1)
            np.maximum.at(out, cells.ravel(), filled.ravel())
    return out[:-1].reshape(grid.shape)


def _windows(tubes: Tubes, grid: SliceGrid, slab: NDArray[np.floating], reach: Array) -> _Windows:
    """The window of every tube; `slab` `[2, n]` holds the heights between which it can be seen."""
    rise = tubes.end[:, 2] - tubes.start[:, 2]
    level = np.abs(rise) < 1e-3
    share = np.clip((slab - tubes.start[:, 2]) / np.where(level, 1, rise), 0, 1)
    share = np.where(level, np.array([[0.0], [1.0]]), share)
    ends = tubes.start[None, :, :2] + share[:, :, None] * (tubes.end - tubes.start)[None, :, :2]
    corner = np.array([grid.x[0], grid.y[0]])
    first = np.floor((ends.min(axis=0) - reach[:, None] - corner) / grid.pixel).astype(np.intp)
    last = np.ceil((ends.max(axis=0) + reach[:, None] - corner) / grid.pixel).astype(np.intp) + 1
    size = np.array([grid.shape[1], grid.shape[0]])
    inside = ((last > 0) & (first < size)).all(axis=1)
    first = np.maximum(first, 0)
    side = (np.minimum(last, size) - first).max(axis=1, initial=0)
    return _Windows(first[:, 1], first[:, 0], np.where(inside, side, 0))


def _filled(
    tubes: Tubes,
    members: NDArray[np.intp],
    columns: NDArray[np.floating],
    rows: NDArray[np.floating],
    sampling: tuple[NDArray[np.floating], float],
) -> Array:
    """Coverage `[n, side, side]` of some tubes in their windows.

    Args:
        tubes: all tubes near the slice.
        members: `[n]` which ones.
        columns: `[n, side]` mm, where the columns of the windows lie.
        rows: `[n, side]` mm, where their rows lie.
        sampling: heights at which the slice is sampled, and mm per pixel.
    """
    depths, pixel = sampling
    a, d = tubes.start[members], (tubes.end - tubes.start)[members]
    r0, dr = tubes.start_radius[members], (tubes.end_radius - tubes.start_radius)[members]
    scale = np.array([1, 1, tubes.z_scale], np.float32)
    a, d = (a * scale)[:, :, None, None], (d * scale)[:, :, None, None]
    length = np.maximum((d * d).sum(axis=1), np.float32(1e-6))
    px = columns.astype(np.float32)[:, None, :] - a[:, 0]
    py = rows.astype(np.float32)[:, :, None] - a[:, 1]
    flat, along = px * px + py * py, (px * d[:, 0] + py * d[:, 1]) / length
    total = np.zeros(flat.shape, np.float32)
    for depth in depths:
        pz = np.float32(depth * tubes.z_scale) - a[:, 2]
        foot = along + pz * d[:, 2] / length
        t = np.clip(foot, 0, 1)
        distance = np.sqrt(np.maximum(flat + pz * pz + t * (t - 2 * foot) * length, 0))
        total += np.clip(0.5 - (distance - r0[:, None, None] - t * dr[:, None, None]) / np.float32(pixel), 0, 1)
    thin = np.minimum(1, (2 * r0 + dr) / np.float32(pixel)) ** 1.5  # a hair fills only part of its pixel
    return np.asarray(total * (thin / np.float32(len(depths)))[:, None, None], np.float32)
