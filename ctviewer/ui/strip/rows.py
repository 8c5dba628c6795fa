"""Which pixel rows a slice has in the strip, and which slices a pixel row has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RowMap:
    """Shares `height` pixel rows among `count` slices, first slice on top; each slice and each row is used once.

    With enough rows a slice has several; with too few a row stands for several neighbouring slices.

    Attributes:
        count: number of slices, at least 1.
        height: number of pixel rows, at least 1.
    """

    count: int
    height: int

    @property
    def crowded(self) -> bool:
        """Whether some row stands for more than one slice."""
        return self.height < self.count

    def slices(self, row: int) -> range:
        """Display positions that a row stands for; rows outside count as the nearest one."""
        row = min(self.height - 1, max(0, row))
        if not self.crowded:
            position = row * self.count // self.height
            return range(position, position + 1)
        return range(-(-row * self.count // self.height), -(-(row + 1) * self.count // self.height))

    def rows(self, position: int) -> range:
        """Pixel rows of a slice: at least one, shared with its neighbours when crowded."""
        if self.crowded:
            row = position * self.height // self.count
            return range(row, row + 1)
        return range(-(-position * self.height // self.count), -(-(position + 1) * self.height // self.count))

    def centre(self, position: int) -> float:
        """Middle of a slice's rows, in pixels from the top."""
        rows = self.rows(position)
        return (rows.start + rows.stop) / 2

    def strongest(self, row: int, *values: NDArray[np.float64] | None) -> int:
        """The slice of a row that is strongest in the first of `values` that says anything, else its middle one.

        Args:
            row: pixel row.
            values: `[count]` each, NaN where unknown; None where there are none.
        """
        candidates = self.slices(row)
        for v in values:
            part = np.zeros(0) if v is None else v[candidates.start : candidates.stop]
            if np.isfinite(part).any() and np.nanmax(part) > 0:
                return candidates.start + int(np.nanargmax(part))
        return candidates[len(candidates) // 2]

    def maxima(self, values: NDArray[np.float64]) -> list[tuple[range, float]]:
        """What is drawn: rows and the value they show, the maximum of their slices (NaN where all are).

        Args:
            values: `[count]`, NaN where unknown.
        """
        if not self.crowded:
            return [(self.rows(i), float(v)) for i, v in enumerate(values)]
        starts = np.array([self.slices(r).start for r in range(self.height)])
        return [(range(r, r + 1), float(v)) for r, v in enumerate(np.fmax.reduceat(values, starts))]
