"""What parent and child say to each other over two pipes: a fixed head, then bytes. Nothing is pickled.

The parent asks with a `Request` and its data; the child answers with an `Answer` and its data: decoded words, or the
reason of a refusal in UTF-8. A child that is ready to work says so once, by an answer of its own.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ctviewer.codecs.base import PixelFormat

READY, IMAGE, REFUSED, LACKING_MEMORY = range(4)
_REQUEST = struct.Struct("<64sIIHHH?IQdQ")
_ANSWER = struct.Struct("<B4sB4IQ")
_MOST_DIMENSIONS = 4


class ClosedError(Exception):
    """The other side has gone."""


class Pipe(Protocol):
    """One end of a pipe without a buffer."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill what is there, wait for at least one byte; 0 at the end."""

    def write(self, data: memoryview, /) -> int | None:
        """Write some of the data; how many bytes that were."""


@dataclass(frozen=True, slots=True)
class Request:
    """One frame or picture to decode.

    Attributes:
        kind: Transfer Syntax UID of a frame, or a key of `pictures.KINDS`.
        format: what the header says of a frame; None for a picture, which says itself what it is.
        page: which page of a picture.
        most_pixels: a picture with more is refused.
        seconds: after them the child ends itself.
        length: bytes of data that follow.
    """

    kind: str
    format: PixelFormat | None
    page: int
    most_pixels: int
    seconds: float
    length: int

    def pack(self) -> bytes:
        """The head as bytes."""
        f = self.format or PixelFormat(0, 0, 0, 0, 0, False)
        return _REQUEST.pack(
            self.kind.encode("ascii"), f.rows, f.columns, f.bits_allocated, f.bits_stored, f.high_bit, f.signed,
            self.page, self.most_pixels, self.seconds, self.length,
        )  # fmt: skip

    @classmethod
    def read(cls, pipe: Pipe) -> Request:
        """Wait for a request; raises ClosedError when there will be none."""
        kind, *format_, page, most, seconds, length = _REQUEST.unpack(receive(pipe, _REQUEST.size))
        described = PixelFormat(*format_) if format_[0] else None
        return cls(kind.rstrip(b"\0").decode("ascii"), described, page, most, seconds, length)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request.

    Attributes:
        status: `READY`, `IMAGE`, `REFUSED` or `LACKING_MEMORY`.
        dtype: of an image: kind and size, as numpy writes them ("<u2").
        shape: of an image.
        length: bytes of data that follow.
    """

    status: int
    dtype: str = ""
    shape: tuple[int, ...] = ()
    length: int = 0

    @classmethod
    def of(cls, image: NDArray[np.generic]) -> Answer:
        """The answer that announces an image of a little-endian or one-byte type."""
        return cls(IMAGE, image.dtype.str, image.shape, image.nbytes)

    @property
    def is_sound(self) -> bool:
        """Whether the parts fit together: a child that was hit in its memory may say anything."""
        if self.status != IMAGE:
            return self.status <= LACKING_MEMORY and self.length < 1 << 16
        if self.dtype not in ("|u1", "|i1", "|b1", "<u2", "<i2", "<u4", "<i4", "<f4", "<f8"):
            return False
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize == self.length

    def pack(self) -> bytes:
        """The head as bytes."""
        shape = (*self.shape, *[0] * (_MOST_DIMENSIONS - len(self.shape)))
        return _ANSWER.pack(self.status, self.dtype.encode("ascii"), len(self.shape), *shape, self.length)

    @classmethod
    def read(cls, pipe: Pipe) -> Answer:
        """Wait for an answer; raises ClosedError when the child has gone."""
        status, dtype, dimensions, *shape, length = _ANSWER.unpack(receive(pipe, _ANSWER.size))
        name = dtype.rstrip(b"\0").decode("ascii", "replace")
        return cls(status, name, tuple(shape[:dimensions]), length)


def receive(pipe: Pipe, length: int) -> bytearray:
    """Exactly `length` bytes; raises ClosedError when they do not come."""
    data = bytearray(length)
    receive_into(pipe, memoryview(data))
    return data


def receive_into(pipe: Pipe, target: memoryview) -> None:
    """Fill `target`; raises ClosedError when that cannot be done."""
    while target:
        try:
            count = pipe.readinto(target)
        except (OSError, ValueError) as error:
            raise ClosedError from error
        if not count:
            raise ClosedError
        target = target[count:]


def send(pipe: Pipe, data: bytes | bytearray | memoryview) -> None:
    """Write all of it; raises ClosedError when nobody reads any more."""
    left = memoryview(data).cast("B")
    while left:
        try:
            count = pipe.write(left)
        except (OSError, ValueError) as error:
            raise ClosedError from error
        left = left[count or 0 :]
