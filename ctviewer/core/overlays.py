"""Overlay planes: graphics that a file carries beside its pixels (PS3.3 C.9.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class OverlayPlane:
    """One overlay plane of one slice, packed: eight pixels to a byte.

    Attributes:
        rows, columns: its own size, which need not be that of the image.
        top, left: row and column of the image, from 0, on which its first pixel lies; may be negative or beyond.
        bits: row after row without padding between them, the lowest bit of a byte first.
        roi: it marks a region of interest, else it is graphics.
        label, description: as in the file.
    """

    rows: int
    columns: int
    top: int
    left: int
    bits: NDArray[np.uint8]
    roi: bool = False
    label: str = ""
    description: str = ""

    @property
    def name(self) -> str:
        """What it is called for the reader; empty where the file does not say."""
        return self.label or self.description

    def array(self) -> NDArray[np.bool_]:
        """`[rows, columns]`: where something is drawn."""
        flat = np.unpackbits(self.bits, count=self.rows * self.columns, bitorder="little")
        return flat.view(bool).reshape(self.rows, self.columns)

    def on_image(self, rows: int, columns: int) -> NDArray[np.bool_]:
        """The part that lies on an image of this size, `[rows, columns]`."""
        image = np.zeros((rows, columns), bool)
        top, left = max(self.top, 0), max(self.left, 0)
        bottom, right = min(self.top + self.rows, rows), min(self.left + self.columns, columns)
        if top < bottom and left < right:
            mine = self.array()[top - self.top : bottom - self.top, left - self.left : right - self.left]
            image[top:bottom, left:right] = mine
        return image
