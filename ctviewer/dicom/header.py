"""One file's header: raw values of the wanted attributes, where the pixels lie, and typed access to them.

Both readers (`fast_header`, `slow_header`) fill the same raw form, so there is one place only where bytes get a meaning.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from functools import lru_cache

from ctviewer.dicom import tags
from ctviewer.dicom.text import clean, decode

LARGEST_VALUE = 65536
"""Bytes. Wanted values are short: a longer one is damage, and is taken for empty."""
_MOST_KEPT = 256  # bytes of a value whose meaning is remembered
_MOST_DECIMALS = 16
_LARGE_FRAME = 32 << 20
_MOST_COMPRESSED = 1000


class NotDicomError(Exception):
    """The file is not DICOM at all: it is passed over."""


class DamagedError(Exception):
    """The file is DICOM, but truncated or malformed; the text says what, in a clause."""


@dataclass(frozen=True, slots=True)
class PixelLocation:
    """Where the value of Pixel Data lies in a file.

    Attributes:
        offset, length: bytes of an uncompressed value; in a deflated data set, where it lies once that is inflated.
        fragments: offset and length of each fragment of a compressed value; empty for an uncompressed one.
        deflated: where the deflated data set starts in the file (`deflated.open_inflated`), 0 where it is not deflated.
        swapped: bytes are swapped in pairs: big endian words, to be read as bytes where a pixel is one (PS3.5 8.2).
        cut: the file ends before the value does; `length` and `fragments` tell what is there.
    """

    offset: int
    length: int
    fragments: tuple[tuple[int, int], ...] = ()
    deflated: int = 0
    swapped: bool = False
    cut: bool = False

    @classmethod
    def within(cls, offset: int, length: int, size: int) -> PixelLocation:
        """An uncompressed value in a file of `size` bytes."""
        return cls(offset, max(0, min(length, size - offset)), cut=offset + length > size)

    def require_room_for(self, frame_bytes: int, frames: int = 1) -> None:
        """Refuse a few kilobytes that are said to hold gigabytes, before memory is taken for them.

        No image of tissue shrinks to a thousandth; small ones without any content do, and cost nothing.

        Args:
            frame_bytes: size of one uncompressed frame as the header states it.
            frames: how many of them these fragments hold.

        Raises:
            DamagedError: the header states an image that these fragments cannot hold.
        """
        held = sum(length for _, length in self.fragments)
        if frame_bytes > _LARGE_FRAME and frame_bytes * frames > _MOST_COMPRESSED * held:
            raise DamagedError("its header states a larger image than its compressed data can hold")


@dataclass(slots=True)
class Header:
    """Raw values of one file.

    Attributes:
        syntax: Transfer Syntax UID.
        little: byte order of binary values.
        values: tag to raw value bytes; sequences are present as empty bytes.
        pixels: where Pixel Data lies, None where there is none.
        nested: values in the items of `tags.NESTED` (see `functional_groups`), None where the file has none of them.
    """

    syntax: str
    little: bool
    values: dict[int, bytes]
    pixels: PixelLocation | None = None
    nested: dict[int, list[dict[int, bytes]]] | None = None

    def has(self, tag: int) -> bool:
        """Whether the attribute is in the file, empty or not."""
        return tag in self.values

    def strings(self, tag: int) -> tuple[str, ...]:
        """The values of a multi-valued text attribute, cleaned for display; none where it is absent or empty."""
        raw = self.values.get(tag)
        if not raw:
            return ()
        find = _known_strings if len(raw) <= _MOST_KEPT else _strings
        return find(raw, self.values.get(tags.SPECIFIC_CHARACTER_SET, b""))

    def text(self, tag: int) -> str:
        """A text attribute cleaned for display, several values joined by a backslash; empty where absent."""
        return "\\".join(self.strings(tag))

    def numbers(self, tag: int) -> tuple[float, ...]:
        """DS or IS values; none at all where one of them is no finite number."""
        raw = self.values.get(tag)
        if not raw:
            return ()
        return _known_numbers(raw) if len(raw) <= _MOST_KEPT else _numbers(raw)

    def number(self, tag: int) -> float | None:
        """The first DS value, None where absent or no finite number."""
        found = self.numbers(tag)
        return found[0] if found else None

    def integer(self, tag: int) -> int | None:
        """The first IS value, None where absent, not whole or outside 32 bits (PS3.5 6.2)."""
        found = self.number(tag)
        return int(found) if found is not None and found == int(found) and -(2**31) <= found < 2**31 else None

    def short(self, tag: int) -> int | None:
        """The first US value, None where absent."""
        raw = self.values.get(tag)
        return None if raw is None or len(raw) < 2 else int(struct.unpack_from("<H" if self.little else ">H", raw)[0])

    def decimals(self, tag: int) -> int:
        """The most decimal places that any of the DS values is written with."""
        raw = self.values.get(tag, b"")
        return max((_decimals(part.strip(b" \0")) for part in raw.split(b"\\")), default=0)


def _numbers(raw: bytes) -> tuple[float, ...]:
    if b"_" in raw:  # float() would take 1_000
        return ()
    try:
        found = tuple(float(part) for part in raw.rstrip(b" \0").split(b"\\"))
    except ValueError:
        return ()
    return found if all(map(math.isfinite, found)) else ()


def _strings(raw: bytes, character_set: bytes) -> tuple[str, ...]:
    parts = tuple(clean(part) for part in decode(raw, character_set).split("\\"))
    return parts if any(parts) else ()


_known_numbers = lru_cache(4096)(_numbers)  # most values are the same in all files of a series
_known_strings = lru_cache(4096)(_strings)


def _decimals(raw: bytes) -> int:
    mantissa, _, exponent = raw.lower().partition(b"e")
    places = len(mantissa.partition(b".")[2])
    try:
        return min(_MOST_DECIMALS, max(0, places - int(exponent or 0)))
    except ValueError:
        return min(_MOST_DECIMALS, places)
