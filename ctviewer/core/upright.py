"""Bringing axial slices to patient axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.geometry import Geometry


@dataclass(frozen=True)
class Upright:
    """Flips and a transpose that bring axial slices to patient axes: columns to patient left, rows to posterior.

    The transpose comes first, then the flips of what are rows and columns after it.
    """

    transpose: bool
    flip_rows: bool
    flip_columns: bool

    @classmethod
    def of(cls, geometry: Geometry) -> Upright:
        """From the direction cosines (LPS): x grows to the patient's left, y to posterior."""
        along_row, along_column = geometry.row_cosines, geometry.column_cosines
        transpose = abs(along_row[0]) < abs(along_column[0])
        if transpose:
            along_row, along_column = along_column, along_row
        return cls(transpose, flip_rows=along_column[1] < 0, flip_columns=along_row[0] < 0)

    def apply(self, array: NDArray[Any]) -> NDArray[Any]:
        """A view of `[..., rows, columns]` in patient axes."""
        out = np.swapaxes(array, -1, -2) if self.transpose else array
        return out[..., :: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]

    def undo(self, array: NDArray[Any]) -> NDArray[Any]:
        """A view of `[..., rows, columns]` in patient axes as the volume stores it."""
        out = array[..., :: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]
        return np.swapaxes(out, -1, -2) if self.transpose else out
