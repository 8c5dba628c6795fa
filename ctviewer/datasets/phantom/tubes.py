"""Tapering tubes: vessels, airways, ribs. Evaluated only in the small windows that they cross on a slice."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ctviewer.datasets.phantom.shapes import Array, SliceGrid

_SIZES = np.array([4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096])
_CHUNK = 400_000


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
        return cls(*(np.zeros(shape, np.float32) for shape in ((0, 3), (0, 3), 0, 0)))

    @classmethod
    def path(cls, nodes: NDArray[np.floating], radii: NDArray[np.floating] | float, *, z_scale: float = 1.0) -> Tubes:
        """A polyline through nodes `[n, 3]` with a radius per node (or one for all)."""
        nodes = np.asarray(nodes, np.float32)
        r = np.broadcast_to(np.asarray(radii, np.float32), len(nodes))
        return cls(nodes[:-1], nodes[1:], r[:-1].copy(), r[1:].copy(), z_scale)

    @classmethod
    def join(cls, parts: list[Tubes]) -> Tubes:
        """All tubes of several sets (of one z_scale)."""
        if not parts:
            return cls.none()
        fields = ("start", "end", "start_radius", "end_radius")
        return cls(*(np.concatenate([getattr(p, f) for p in parts]) for f in fields), parts[0].z_scale)

    def grown(self, by: float) -> Tubes:
        """The same tubes with radii larger by `by` mm (thinner where negative; gone where nothing is left)."""
        r0, r1 = self.start_radius + np.float32(by), self.end_radius + np.float32(by)
        keep = (r0 > 0.05) & (r1 > 0.05)
        return Tubes(self.start[keep], self.end[keep], r0[keep], r1[keep], self.z_scale)

    def select(self, keep: NDArray[np.bool_]) -> Tubes:
        """Those where `keep` is set."""
        return Tubes(self.start[keep], self.end[keep], self.start_radius[keep], self.end_radius[keep], self.z_scale)


def tube_coverage(tubes: Tubes, grid: SliceGrid, z: float, thickness: float) -> Array:
    """How much of each pixel `[rows, columns]` of a slice of some thickness (mm) the tubes fill, 0 to 1."""
    out = np.zeros(grid.shape, np.float32)
    if len(tubes) == 0:
        return out
    reach = np.maximum(tubes.start_radius, tubes.end_radius) + np.float32(grid.pixel)
    high = reach / tubes.z_scale + thickness / 2
    near = (np.minimum(tubes.start[:, 2], tubes.end[:, 2]) - high < z) & (
        np.maximum(tubes.start[:, 2], tubes.end[:, 2]) + high > z
    )
    if not near.any():
        return out
    found = tubes.select(near)
    windows = _windows(found, grid, z, reach[near], high[near])
    depths = z + thickness * (np.arange(n := max(1, round(thickness / 1.25))) + 0.5 - n / 2) / n
    sizes = _SIZES[np.searchsorted(_SIZES, windows[:, 2])]
    flat = np.append(out.ravel(), np.float32(0))  # the extra cell takes what lies outside the slice
    for size in np.unique(sizes):
        members = np.flatnonzero((sizes == size) & (windows[:, 2] > 0))
        step = max(1, _CHUNK // int(size * size))
        for first, last in pairwise([*range(0, len(members), step), len(members)]):
            _fill(flat, found, members[first:last], windows, int(size), grid, depths)
    return flat[:-1].reshape(grid.shape)


def _windows(tubes: Tubes, grid: SliceGrid, z: float, reach: Array, high: Array) -> NDArray[np.intp]:
    """`[n, 3]`: first row, first column and side of the window in which a tube is seen on the slice; side 0: not at all."""
    rise = tubes.end[:, 2] - tubes.start[:, 2]
    safe = np.where(np.abs(rise) < 1e-4, np.float32(1e-4), rise)
    t = np.stack([(z - high - tubes.start[:, 2]) / safe, (z + high - tubes.start[:, 2]) / safe])
    t = np.clip(t, 0, 1)
    ends = tubes.start[None, :, :2] + t[:, :, None] * (tubes.end - tubes.start)[None, :, :2]
    low, top = ends.min(axis=0) - reach[:, None], ends.max(axis=0) + reach[:, None]
    first = np.floor((low - (grid.x[0], grid.y[0])) / grid.pixel).astype(np.intp)
    last = np.ceil((top - (grid.x[0], grid.y[0])) / grid.pixel).astype(np.intp) + 1
    rows, columns = grid.shape
    inside = (last[:, 0] > 0) & (last[:, 1] > 0) & (first[:, 0] < columns) & (first[:, 1] < rows)
    first = np.maximum(first, 0)
    side = np.minimum(last, (columns, rows)) - first
    return np.stack([first[:, 1], first[:, 0], np.where(inside, side.max(axis=1), 0)], axis=1)


def _fill(
    flat: Array,
    tubes: Tubes,
    members: NDArray[np.intp],
    windows: NDArray[np.intp],
    size: int,
    grid: SliceGrid,
    depths: NDArray[np.floating],
) -> None:
    """Raise `flat` to the coverage of some tubes whose windows have one size."""
    rows, columns = grid.shape
    row = windows[members, 0, None] + np.arange(size)
    column = windows[members, 1, None] + np.arange(size)
    a, d = tubes.start[members], (tubes.end - tubes.start)[members]
    s = np.float32(tubes.z_scale)
    r0, dr = tubes.start_radius[members], (tubes.end_radius - tubes.start_radius)[members]
    px = (grid.x[0] + column * np.float32(grid.pixel) - a[:, 0, None]).astype(np.float32)[:, None, :]
    py = (grid.y[0] + row * np.float32(grid.pixel) - a[:, 1, None]).astype(np.float32)[:, :, None]
    length = np.maximum((d[:, :2] ** 2).sum(axis=1) + (d[:, 2] * s) ** 2, np.float32(1e-6))
    along = (px * d[:, 0, None, None] + py * d[:, 1, None, None]) / length[:, None, None]
    flatness = px * px + py * py
    total = np.zeros((len(members), size, size), np.float32)
    for depth in depths:
        pz = (np.float32(depth) - a[:, 2]) * s
        t = np.clip(along + (pz * d[:, 2] * s / length)[:, None, None], 0, 1)
        square = (
            flatness
            + (pz * pz)[:, None, None]
            + t * (t - 2 * (along + (pz * d[:, 2] * s / length)[:, None, None])) * length[:, None, None]
        )
        radius = r0[:, None, None] + t * dr[:, None, None]
        total += np.clip(0.5 - (np.sqrt(np.maximum(square, 0)) - radius) / np.float32(grid.pixel), 0, 1)
    thin = np.minimum(1, 2 * (r0 + dr / 2) / np.float32(grid.pixel)) ** 1.5  # a hair fills part of its pixel only
    total *= (thin / len(depths))[:, None, None]
    index = np.where(
        (row < rows)[:, :, None] & (column < columns)[:, None, :],
        row[:, :, None] * columns + column[:, None, :],
        rows * columns,
    )
    np.maximum.at(flat, index.ravel(), total.ravel())
