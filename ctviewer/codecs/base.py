"""What every decoder takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.integer[Any]]


class CodecError(Exception):
    """A codec refused its data."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """Image Pixel module of one frame with one sample per pixel.

    Attributes:
        bits_allocated: 8 or 16.
        bits_stored, high_bit: which bits of a word are the value.
        signed: two's complement.
    """

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool

    @property
    def frame_bytes(self) -> int:
        """Size of one uncompressed frame."""
        return self.rows * self.columns * self.bits_allocated // 8


Decoder = Callable[[bytes, PixelFormat], Image]


def require_size(found: tuple[int, int] | None, pixel_format: PixelFormat) -> None:
    """Refuse data whose own header states another size, before a codec allocates memory for it.

    Raises:
        CodecError: no size found, or another one than in the DICOM header.
    """
    if found != (pixel_format.rows, pixel_format.columns):
        raise CodecError("the size in the compressed data differs from the header")
