"""Where a slice lies in a net's square input: upright in patient axes, padded to a square, resized. And the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.geometry import Geometry
from ctviewer.core.masks import BoxMask
from ctviewer.core.upright import Upright

__all__ = ["Placement", "Upright"]


@dataclass(frozen=True)
class Placement:
    """A slice in a square input of `size` pixels.

    Attributes:
        rows, columns: of the volume's own matrix.
        upright: how it is brought to patient axes.
        size: side of the input in pixels.
    """

    rows: int
    columns: int
    upright: Upright
    size: int

    @classmethod
    def of(cls, geometry: Geometry, size: int) -> Placement:
        """For the slices of a volume."""
        return cls(geometry.shape[1], geometry.shape[2], Upright.of(geometry), size)

    @property
    def upright_shape(self) -> tuple[int, int]:
        """Rows and columns after `upright`."""
        return (self.columns, self.rows) if self.upright.transpose else (self.rows, self.columns)

    @property
    def side(self) -> int:
        """Side of the padded square, in pixels of the matrix."""
        return max(self.rows, self.columns)

    @property
    def padding(self) -> tuple[int, int]:
        """Rows above and columns left of the upright slice in the square, in pixels of the matrix."""
        rows, columns = self.upright_shape
        return (self.side - rows) // 2, (self.side - columns) // 2

    def square(self, array: NDArray[Any], fill: float) -> NDArray[Any]:
        """`[..., rows, columns]` of the volume as an upright square `[..., side, side]`, padded with `fill`."""
        up = self.upright.apply(array)
        if up.shape[-1] == up.shape[-2]:
            return up
        (rows, columns), (top, left) = self.upright_shape, self.padding
        out = np.full((*array.shape[:-2], self.side, self.side), fill, array.dtype)
        out[..., top : top + rows, left : left + columns] = up
        return out

    def labels(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A label map `[rows, columns]` as the net sees it, `[size, size]`: the label under each pixel's centre."""
        centres = ((np.arange(self.size) + 0.5) * self.side / self.size).astype(np.intp)
        square = self.square(labels, 0)
        return np.ascontiguousarray(square[np.ix_(centres, centres)])

    def paste(self, box: NDArray[np.floating], mask: NDArray[np.floating], threshold: float = 0.5) -> BoxMask | None:
        """Bring one instance back to the volume's matrix; only its box is ever sampled.

        Args:
            box: `[4]` x1, y1, x2, y2 in pixels of the square input.
            mask: `[m, m]` probabilities, spread evenly over the box.
            threshold: lowest probability that belongs to the mask.

        Returns:
            The mask in the volume's own rows and columns, None where nothing of it is inside the slice.
        """
        scale, (top, left), (rows, columns) = self.side / self.size, self.padding, self.upright_shape
        x1, y1, x2, y2 = (float(v) * scale for v in box)
        r0, weights_r = _samples(y1 - top, y2 - top, rows, mask.shape[0])
        c0, weights_c = _samples(x1 - left, x2 - left, columns, mask.shape[1])
        inside = weights_r @ np.asarray(mask, np.float64) @ weights_c.T >= threshold
        packed = BoxMask.from_array(self.upright.undo(inside)) if inside.size else None
        if packed is None:
            return None
        first_row, first_column = self._matrix_corner(r0, c0, inside.shape)
        return BoxMask(first_row + packed.top, first_column + packed.left, packed.height, packed.width, packed.bits)

    def box(self, box: NDArray[np.floating]) -> tuple[float, float, float, float]:
        """Bring a box back to the volume's matrix, cut at the slice's edges.

        Args:
            box: `[4]` x1, y1, x2, y2 in pixels of the square input.

        Returns:
            x1, y1, x2, y2: edges in columns and rows; 0 is the outer edge of the first pixel.
        """
        scale, (top, left), (rows, columns) = self.side / self.size, self.padding, self.upright_shape
        x = [min(max(float(v) * scale - left, 0.0), float(columns)) for v in (box[0], box[2])]
        y = [min(max(float(v) * scale - top, 0.0), float(rows)) for v in (box[1], box[3])]
        if self.upright.flip_columns:
            x = [columns - x[1], columns - x[0]]
        if self.upright.flip_rows:
            y = [rows - y[1], rows - y[0]]
        (x1, x2), (y1, y2) = (y, x) if self.upright.transpose else (x, y)
        return x1, y1, x2, y2

    def _matrix_corner(self, row: int, column: int, shape: tuple[int, ...]) -> tuple[int, int]:
        """First row and column, in the volume's matrix, of an upright box at (row, column)."""
        rows, columns = self.upright_shape
        r = rows - row - shape[0] if self.upright.flip_rows else row
        c = columns - column - shape[1] if self.upright.flip_columns else column
        return (c, r) if self.upright.transpose else (r, c)


def _samples(low: float, high: float, limit: int, cells: int) -> tuple[int, NDArray[np.float64]]:
    """Bilinear weights of mask cells for the pixels whose centres lie in [low, high) and in the slice.

    Returns:
        The first pixel, and `[pixels, cells]` weights whose rows sum to 1.
    """
    first = max(0, int(np.ceil(low - 0.5)))
    last = min(limit, int(np.ceil(high - 0.5)))
    if last <= first or high <= low:
        return first, np.zeros((0, cells))
    at = (np.arange(first, last) + 0.5 - low) / (high - low) * cells - 0.5
    at = np.clip(at, 0.0, cells - 1.0)
    return first, np.asarray(np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(cells)[None, :])))
