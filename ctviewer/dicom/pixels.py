"""Pixels of one slice: from the file to 16-bit stored values."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ctviewer import codecs
from ctviewer.codecs import CodecError, Image, PixelFormat, processes
from ctviewer.core.errors import DecodeError
from ctviewer.dicom.deflated import open_inflated
from ctviewer.dicom.header import PixelLocation
from ctviewer.dicom.naming import named
from ctviewer.dicom.storage import ReadableFile, open_file
from ctviewer.dicom.syntaxes import BIG_ENDIAN, is_supported, syntax_name
from ctviewer.dicom.text import visible

Stored = NDArray[np.int16] | NDArray[np.uint16]


class SliceSource(Protocol):
    """Where the pixels of one slice come from; one class for each kind of file."""

    def read(self, out: Stored) -> tuple[float, float] | None:
        """Decode the slice into `out`, `[rows, columns]` and C-contiguous: int16, or uint16 where no value is negative.

        Returns:
            Slope and intercept of this slice, where they are known only now; None where those of the stack hold.

        Raises:
            DecodeError: the text names the file and the reason.
        """


@dataclass(frozen=True, slots=True)
class PixelSource:
    """One frame of a DICOM file.

    Attributes:
        lut: first stored value and table of a Modality LUT, None where rescale slope and intercept apply.
    """

    path: Path
    syntax: str
    location: PixelLocation
    format: PixelFormat
    lut: tuple[int, NDArray[np.uint16]] | None = None

    def read(self, out: Stored) -> None:
        """Decode the frame; see `SliceSource.read`."""
        align(self.words(out), self.format, out)
        if self.lut is not None:
            first, table = self.lut
            values = out.view(np.int16) if self.format.signed else out.view(np.uint16)
            positions = np.clip(values.astype(np.int32) - first, 0, len(table) - 1)
            out[...] = table[positions].astype(out.dtype, copy=False)

    def words(self, scratch: Stored) -> Image:
        """The frame's words with all their bits, those that are not the value too; `[rows, columns]`, may be `scratch`.

        Raises:
            DecodeError: the text names the file and the reason.
        """
        with named(self.path), self._opened() as file:
            return _read(file, self, scratch)
        raise AssertionError  # mypy: `named` might swallow an error; it changes it

    @contextlib.contextmanager
    def _opened(self) -> Iterator[ReadableFile]:
        """The file, or the inflated data set in it."""
        if self.location.deflated:
            with open_inflated(self.path, self.location.deflated) as inflated:
                yield inflated
        else:
            with open_file(self.path) as (file, _):
                yield file


@dataclass(frozen=True, slots=True)
class NoSource:
    """Stands for a slice whose header tells of no pixels that could be read."""

    path: Path

    def read(self, out: Stored) -> None:
        """Refuse; see `SliceSource.read`."""
        raise DecodeError(f"{visible(str(self.path))} has pixels of a kind that cannot be read.")


def empty(shape: tuple[int, ...], *, signed: bool) -> Stored:
    """Zeroed memory for stored values, int16 or uint16."""
    return np.zeros(shape, np.int16) if signed else np.zeros(shape, np.uint16)


def _read(file: ReadableFile, source: PixelSource, out: Stored) -> Image:
    location, pixel_format = source.location, source.format
    if location.fragments:
        data = _joined([exactly(file, *fragment) for fragment in location.fragments])
        return _decode(source.syntax, data, pixel_format, out)
    if not is_supported(source.syntax):
        raise DecodeError(f"pixels stored as {syntax_name(source.syntax)} cannot be decoded")
    if pixel_format.bits_allocated == 16 and source.syntax != BIG_ENDIAN:
        file.seek(location.offset)  # straight into place: no copy
        fill(file, out.data.cast("B"))
        return out
    fetch = _swapped if location.swapped and pixel_format.bits_allocated == 8 else exactly
    return _as_image(fetch(file, location.offset, pixel_format.frame_bytes), source)


def _joined(fragments: list[bytes]) -> bytes:
    return fragments[0] if len(fragments) == 1 else b"".join(fragments)


def _decode(syntax: str, data: bytes, pixel_format: PixelFormat, out: Stored) -> Image:
    if syntax not in codecs.SUPPORTED:
        raise DecodeError(f"pixels compressed as {syntax_name(syntax)} cannot be decoded")
    try:
        return processes.decode(syntax, data, pixel_format, out)
    except CodecError as error:
        raise DecodeError(f"the {syntax_name(syntax)} data {error.predicate}") from error


def fill(file: ReadableFile, target: memoryview) -> None:
    """Read until `target` is full.

    Raises:
        DecodeError: the file ends before; the text is a clause.
    """
    while target:
        count = file.readinto(target)
        if not count:
            raise DecodeError("it ends in the middle of the pixels")
        target = target[count:]


def exactly(file: ReadableFile, offset: int, length: int) -> bytes:
    """`length` bytes at `offset`.

    Raises:
        DecodeError: the file ends before; the text is a clause.
    """
    file.seek(offset)
    data = bytearray(length)
    fill(file, memoryview(data))
    return bytes(data)


def _swapped(file: ReadableFile, offset: int, length: int) -> bytes:
    """`length` bytes from `offset` on of data whose bytes are swapped in pairs; values start at even places of a file."""
    start, end = offset - offset % 2, offset + length + (offset + length) % 2
    pairs = np.frombuffer(exactly(file, start, end - start), np.uint16).byteswap().tobytes()
    return pairs[offset - start :][:length]


def _as_image(data: bytes, source: PixelSource) -> Image:
    pixel_format = source.format
    order = ">" if source.syntax == BIG_ENDIAN else "<"
    dtype = np.dtype("u1") if pixel_format.bits_allocated == 8 else np.dtype(f"{order}u2")
    return np.frombuffer(data, dtype).reshape(pixel_format.rows, pixel_format.columns)


def align(image: Image, pixel_format: PixelFormat, out: Stored) -> None:
    """Bring raw words into `out` as plain integers: sign extended, bits that are not the value cleared (PS3.5 8.1.1).

    Args:
        image: `[rows, columns]` words of 8 or 16 bits, of either sign and byte order; may share memory with `out`.
        pixel_format: which bits are the value.
        out: `[rows, columns]` int16 or uint16.
    """
    words = out.view(np.uint16)
    if not np.may_share_memory(image, out):
        words[...] = image.view(np.uint8) if image.itemsize == 1 else image.view(image.dtype.str.replace("i", "u"))
    stored, low = pixel_format.bits_stored, pixel_format.high_bit + 1 - pixel_format.bits_stored
    if stored == 16:
        return
    if pixel_format.signed:
        signed: NDArray[Any] = words.view(np.int16)
        np.left_shift(signed, 16 - stored - low, out=signed)
        np.right_shift(signed, 16 - stored, out=signed)
        return
    if low:
        np.right_shift(words, low, out=words)
    np.bitwise_and(words, (1 << stored) - 1, out=words)
