"""Compressed volumes, gzip or zlib, from any place of a file on: unpacked once, in order, as far as is read."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ctviewer.dicom.pixels import fill
from ctviewer.dicom.storage import open_file
from ctviewer.dicom.unpacking import Inflating, Unpacked, UnpackingError, unpacked

_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Inflated:
    """The inflated bytes of a file.

    Attributes:
        path: the file.
        start: where its compressed stream begins.
        length: how many inflated bytes there should be; with the last of them the checksum is compared. 0: unknown.
    """

    path: Path
    start: int = 0
    length: int = 0

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` with what lies at `offset` of the inflated bytes.

        Raises:
            DecodeError: the data end before; the text is a clause.
            OSError: they are damaged, or the file cannot be read.
        """
        with unpacked(("inflated", self.path, self.start), self._begin) as file:
            file.seek(offset)
            fill(file, target)
            if offset + len(target) == self.length:
                file.read(1)

    def parts(self, offset: int, length: int, part: int) -> Iterator[bytes]:
        """Up to `length` inflated bytes from `offset` on, in pieces of `part`, without keeping any.

        Raises:
            OSError: the data are damaged or end early, or the file cannot be read.
        """
        with open_file(self.path) as (file, _):
            file.seek(self.start)
            stream, skip, waiting = Inflating(file, Inflating.WRAPPED), offset, bytearray()
            while skip + length > 0:
                made = _read(stream, min(_CHUNK, skip + length))
                if not made:
                    break
                skipped = min(skip, len(made))
                skip, length = skip - skipped, length - (len(made) - skipped)
                waiting += made[skipped:]
                while len(waiting) >= part:
                    yield bytes(waiting[:part])
                    del waiting[:part]
            if waiting:
                yield bytes(waiting)

    def head(self, length: int) -> bytes:
        """The first inflated bytes, fewer where there are no more; errors as of `parts`."""
        return next(self.parts(0, length, length), b"")

    def _begin(self) -> Unpacked:
        with contextlib.ExitStack() as stack:
            file, _ = stack.enter_context(open_file(self.path))
            file.seek(self.start)
            return Unpacked(Inflating(file, Inflating.WRAPPED), stack.pop_all().close)
        raise AssertionError  # mypy: an ExitStack might swallow the error; this one does not


def _read(stream: Inflating, size: int) -> bytes:
    try:
        return stream.read(size)
    except EOFError as error:
        raise UnpackingError("its packed data end too early") from error
    except zlib.error as error:
        raise UnpackingError("its packed data are damaged") from error
