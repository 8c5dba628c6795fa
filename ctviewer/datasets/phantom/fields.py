"""Smooth random fields in patient space, sampled slice by slice: the same texture whatever the matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_CELLS = 48
_UNIT = np.float32(1 / 0.332)  # a cubic B-spline of white noise has a standard deviation of 0.692 per axis


def _weights(positions: NDArray[np.floating]) -> tuple[NDArray[np.intp], Array]:
    """Cells `[n, 4]` and cubic B-spline weights `[n, 4]` for positions in cells."""
    base = np.floor(positions)
    t = (positions - base).astype(np.float32)
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3], axis=-1) / 6
    cells = (base.astype(np.intp)[:, None] + np.arange(-1, 3)) % _CELLS
    return cells, weights.astype(np.float32)


class NoiseField:
    """Random field with mean 0, standard deviation 1 and grains of about two spacings.

    It repeats every 48 spacings: not visible for coarse fields, which are larger than the chest, nor for fine ones.

    Args:
        rng: draws the grid.
        spacing: mm between grid points.
    """

    def __init__(self, rng: np.random.Generator, spacing: float) -> None:
        self.spacing = spacing
        self._grid = rng.standard_normal((_CELLS, _CELLS, _CELLS), dtype=np.float32) * _UNIT

    def plane(self, x: Array, y: Array, z: float) -> Array:
        """Values `[rows, columns]` on a slice; x `[columns]` and y `[rows]` in mm."""
        kz, wz = _weights(np.array([z / self.spacing]))
        ky, wy = _weights(y / self.spacing)
        kx, wx = _weights(x / self.spacing)
        sheet = np.tensordot(wz[0], self._grid[kz[0]], axes=1)
        rows = sum(wy[:, k, None] * sheet[ky[:, k]] for k in range(4))
        return np.asarray(sum(np.take(rows, kx[:, k], axis=1) * wx[:, k] for k in range(4)), np.float32)

    def at(self, points: NDArray[np.floating]) -> Array:
        """Values `[n]` at points `[n, 3]` (x, y, z in mm)."""
        cells, weights = zip(*(_weights(points[:, axis] / self.spacing) for axis in range(3)), strict=True)
        out = np.zeros(len(points), np.float32)
        for i in range(4):
            for j in range(4):
                for k in range(4):
                    w = weights[2][:, i] * weights[1][:, j] * weights[0][:, k]
                    out += w * self._grid[cells[2][:, i], cells[1][:, j], cells[0][:, k]]
        return out


@dataclass(frozen=True)
class Warp:
    """Bends straight shapes by a few mm in the plane, so that no outline is an ellipse.

    Attributes:
        across, along: fields that move x and y.
        amplitude: mm, one standard deviation.
    """

    across: NoiseField
    along: NoiseField
    amplitude: float

    @classmethod
    def draw(cls, rng: np.random.Generator, amplitude: float, spacing: float = 42.0) -> Warp:
        """Draw a warp with bends of about `spacing` mm."""
        return cls(NoiseField(rng, spacing), NoiseField(rng, spacing), amplitude)

    def grids(self, x: Array, y: Array, z: float) -> tuple[Array, Array]:
        """Coordinates `[rows, columns]` at which shapes are looked up to be seen bent."""
        a = np.float32(self.amplitude)
        return x[None, :] + a * self.across.plane(x, y, z), y[:, None] + a * self.along.plane(x, y, z)

    def place(self, points: NDArray[np.floating]) -> Array:
        """Move points `[n, 3]` as the shapes move (first order)."""
        moved = points.astype(np.float32, copy=True)
        moved[:, 0] -= self.amplitude * self.across.at(points)
        moved[:, 1] -= self.amplitude * self.along.at(points)
        return moved
