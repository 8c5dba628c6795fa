"""What every decoder takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.integer[Any]]


DAMAGED = "are damaged"
CUT_OFF = "are cut off"
OTHER_SIZE = "are of another size than the header says"  # found before a codec allocates memory for it
NO_DECODER = "cannot be decoded by anything that is installed"


class CodecError(Exception):
    """A codec refused its data.

    Args:
        predicate: what is said of the data ("are cut off"). A library's own words are for its makers: they stay the cause.
    """

    def __init__(self, predicate: str = DAMAGED) -> None:
        super().__init__(f"the data {predicate}")
        self.predicate = predicate


class UnknownFormError(CodecError):
    """A codec met a form of its format that it does not know; the data may be whole."""


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


class Decoded(NamedTuple):
    """What a codec gives.

    Attributes:
        image: `[rows, columns]`, or `[rows, columns, channels]`; of a signed type where the codec knows signs.
        precision: bits of a value in the compressed data, whatever the header says.
    """

    image: NDArray[Any]
    precision: int


Decoder = Callable[[bytes, PixelFormat], Decoded]


def sign_extended(image: NDArray[Any], precision: int) -> NDArray[np.int16]:
    """Words of 8 or 16 bits as int16, the highest of their `precision` bits taken as the sign."""
    shift = 16 - precision
    return (image.astype(np.int16) << shift) >> shift


def with_end(data: bytes, mark: bytes = b"\xff\xd9") -> bytes:
    """The data with their end mark, where a writer cut it off: the codecs that are strict about it check all the rest."""
    if data.rstrip(b"\0").endswith(mark) or data.rfind(mark, -16) >= 0:
        return data
    return data + mark[1:] if data.endswith(mark[:1]) else data + mark
