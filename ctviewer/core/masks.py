"""Binary masks of one slice, kept as packed bits of their bounding box: a lesion costs bytes, not a float image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class BoxMask:
    """A binary mask inside a box of one slice.

    Attributes:
        top, left: row and column of the box's first pixel in the slice.
        height, width: size of the box in pixels.
        bits: `numpy.packbits` of the box, row by row.
    """

    top: int
    left: int
    height: int
    width: int
    bits: bytes

    @classmethod
    def from_array(cls, mask: NDArray[np.bool_]) -> BoxMask | None:
        """Pack a `[rows, columns]` bool mask, cropped to what is set; None for an empty one."""
        rows = np.flatnonzero(mask.any(axis=1))
        if rows.size == 0:
            return None
        columns = np.flatnonzero(mask.any(axis=0))
        top, left = int(rows[0]), int(columns[0])
        box = mask[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
        return cls(top, left, box.shape[0], box.shape[1], np.packbits(box).tobytes())

    def array(self) -> NDArray[np.bool_]:
        """The box alone, `[height, width]` bool."""
        bits = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=self.height * self.width)
        return bits.reshape(self.height, self.width).astype(bool)

    def full(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The mask on a whole slice `[rows, columns]`."""
        out = np.zeros(shape, bool)
        out[self.top : self.top + self.height, self.left : self.left + self.width] = self.array()
        return out

    @property
    def area(self) -> int:
        """Number of pixels set."""
        return int(self.array().sum())


def overlap(a: BoxMask, b: BoxMask) -> bool:
    """Whether two masks of one matrix share a pixel."""
    top, bottom = max(a.top, b.top), min(a.top + a.height, b.top + b.height)
    left, right = max(a.left, b.left), min(a.left + a.width, b.left + b.width)
    if top >= bottom or left >= right:
        return False
    first = a.array()[top - a.top : bottom - a.top, left - a.left : right - a.left]
    second = b.array()[top - b.top : bottom - b.top, left - b.left : right - b.left]
    return bool((first & second).any())


def union(masks: Sequence[BoxMask]) -> BoxMask:
    """The pixels of one or more masks of one slice, in the smallest box that holds all of theirs."""
    if len(masks) == 1:
        return masks[0]
    top, left = min(m.top for m in masks), min(m.left for m in masks)
    height = max(m.top + m.height for m in masks) - top
    width = max(m.left + m.width for m in masks) - left
    box = np.zeros((height, width), bool)
    for m in masks:
        box[m.top - top : m.top - top + m.height, m.left - left : m.left - left + m.width] |= m.array()
    return BoxMask(top, left, height, width, np.packbits(box).tobytes())
