"""The directory of a TIFF file: where each page lies and what its pixels are, without decoding any (TIFF 6.0, BigTIFF).

A compressed page is cut out of its file as a small file of one page, so that a decoder gets that page and nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctviewer.dicom.naming import FormatError
from ctviewer.dicom.pixels import exactly
from ctviewer.dicom.storage import ReadableFile

_MOST_PAGES = 20_000
_MOST_VALUES = 1 << 20
_MOST_BYTES = 1 << 30
_FORMATS = {1: "B", 3: "H", 4: "I", 7: "s", 16: "Q"}  # of the tags that count, none is negative or a fraction
_SUBFILE, _WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_OFFSETS, _SAMPLES, _COUNTS, _PLANAR, _SAMPLE_FORMAT = 273, 277, 279, 284, 339
_TILE_OFFSETS, _TILE_COUNTS, _JPEG_TABLES = 324, 325, 347
_COPIED = (  # what a decoder needs to know beside the strips or tiles
    _WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC, 266, _SAMPLES, 278, _PLANAR, 292, 293, 317, 320, 322, 323, 338,
    _SAMPLE_FORMAT, _JPEG_TABLES, 530,
)  # fmt: skip
_KINDS = {1: "u", 2: "i", 3: "f"}

Tags = dict[int, tuple[Any, ...]]


@dataclass(frozen=True, eq=False)
class Page:
    """One page.

    Attributes:
        order: byte order, "<" or ">".
        tags: what the directory states, by tag number.
    """

    order: str
    tags: Tags

    @property
    def rows(self) -> int:
        """Height in pixels."""
        return self._number(_LENGTH)

    @property
    def columns(self) -> int:
        """Width in pixels."""
        return self._number(_WIDTH)

    @property
    def samples(self) -> int:
        """Channels."""
        return self._number(_SAMPLES, 1)

    @property
    def photometric(self) -> int:
        """0 for white as zero, 1 for black as zero, 2 for RGB, 3 for a palette."""
        return self._number(_PHOTOMETRIC, 1)

    @property
    def is_reduced(self) -> bool:
        """Whether it is a small copy of another page."""
        return bool(self._number(_SUBFILE, 0) & 1)

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Type of a sample; None for one that is no plain number of bytes."""
        bits = set(self.tags.get(_BITS, (1,)))
        kinds = set(self.tags.get(_SAMPLE_FORMAT, (1,)))
        if len(bits) != 1 or len(kinds) != 1:
            return None
        size, kind = bits.pop(), _KINDS.get(kinds.pop())
        if kind is None or size not in ((32, 64) if kind == "f" else (8, 16, 32)):
            return None
        return np.dtype(f"{self.order}{kind}{size // 8}")

    @property
    def bits(self) -> int:
        """Bits of the first sample."""
        return int(self.tags.get(_BITS, (1,))[0])

    def offset_of_plain(self) -> int | None:
        """Where the pixels begin if they lie there row by row, not compressed; None otherwise."""
        offsets, counts = self.tags.get(_OFFSETS, ()), self.tags.get(_COUNTS, ())
        dtype = self.dtype
        if self._number(_COMPRESSION, 1) != 1 or self.samples != 1 or dtype is None or _TILE_OFFSETS in self.tags:
            return None
        if not offsets or self._number(266, 1) != 1:
            return None
        if len(offsets) > 1 and any(a + n != b for a, n, b in zip(offsets, counts, offsets[1:], strict=False)):
            return None
        return int(offsets[0])

    def alone(self, file: ReadableFile) -> bytes:
        """This page as a TIFF file of its own.

        Raises:
            DecodeError: the file ends before; the text is a clause.
            FormatError: it states nothing that could be cut out.
        """
        tiled = _TILE_OFFSETS in self.tags
        offsets = self.tags.get(_TILE_OFFSETS if tiled else _OFFSETS, ())
        counts = self.tags.get(_TILE_COUNTS if tiled else _COUNTS, ())
        if not offsets or len(offsets) != len(counts) or sum(counts) > _MOST_BYTES:
            raise FormatError("it does not say where its pixels lie")
        pieces = [exactly(file, int(offset), int(count)) for offset, count in zip(offsets, counts, strict=True)]
        own = {tag: self.tags[tag] for tag in _COPIED if tag in self.tags}
        places, at = [], 8
        for piece in pieces:
            places.append(at)
            at += len(piece)
        own[_TILE_OFFSETS if tiled else _OFFSETS] = tuple(places)
        own[_TILE_COUNTS if tiled else _COUNTS] = tuple(len(piece) for piece in pieces)
        magic = b"II*\0" if self.order == "<" else b"MM\0*"
        return magic + struct.pack(f"{self.order}I", at) + b"".join(pieces) + _directory(own, self.order, at)

    def _number(self, tag: int, absent: int = 0) -> int:
        return int((self.tags.get(tag) or (absent,))[0])


def _directory(tags: Tags, order: str, start: int) -> bytes:
    """A directory that begins at `start`, followed by the values that do not fit into it."""
    entries, extra = b"", b""
    after = start + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        values = tags[tag]
        if isinstance(values[0], bytes):
            kind, packed = 7, values[0]
            count = len(packed)
        else:
            kind = 4 if max(values) > 0xFFFF else 3
            packed, count = struct.pack(f"{order}{len(values)}{_FORMATS[kind]}", *values), len(values)
        entries += struct.pack(f"{order}HHI", tag, kind, count)
        if len(packed) <= 4:
            entries += packed.ljust(4, b"\0")
        else:
            entries += struct.pack(f"{order}I", after + len(extra))
            extra += packed
    return struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + extra


def read_pages(file: ReadableFile, size: int) -> list[Page]:
    """The pages of a TIFF file, small copies left out.

    Raises:
        FormatError: the file is damaged; the text is a clause.
    """
    try:
        return [page for page in _pages(file, size) if not page.is_reduced]
    except (struct.error, OverflowError) as error:
        raise FormatError("its directory is damaged") from error


def _pages(file: ReadableFile, size: int) -> Iterator[Page]:
    file.seek(0)
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise FormatError("it is not TIFF, in spite of its name" if head else "it is empty")
    version = struct.unpack(f"{order}H", head[2:4])[0]
    if version not in (42, 43):
        raise FormatError("it is not TIFF, in spite of its name")
    big = version == 43
    (place,) = struct.unpack(f"{order}Q", head[8:16]) if big else struct.unpack(f"{order}I", head[4:8])
    seen: set[int] = set()
    while place:
        if place in seen or len(seen) >= _MOST_PAGES:
            raise FormatError("its directories lead round in a circle, or are too many")
        seen.add(place)
        tags, place = _read_directory(file, size, place, order, big)
        yield Page(order, tags)


def _read_directory(file: ReadableFile, size: int, place: int, order: str, big: bool) -> tuple[Tags, int]:
    """The tags of one directory, and where the next one is."""
    counter, entry, link = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    counter, entry, link = order + counter, order + entry, order + link
    file.seek(place)
    (count,) = struct.unpack(counter, file.read(struct.calcsize(counter)))
    if count > 4096:
        raise FormatError("its directory is damaged")
    length = struct.calcsize(entry)
    data = file.read(length * count + struct.calcsize(link))
    (following,) = struct.unpack_from(link, data, length * count)
    tags: Tags = {}
    for number in range(count):
        tag, kind, values, inline = struct.unpack_from(entry, data, number * length)
        if (tag == _JPEG_TABLES) != (kind == 7):
            continue
        if (tag in _COPIED or tag in (_SUBFILE, _OFFSETS, _COUNTS, _TILE_OFFSETS, _TILE_COUNTS)) and kind in _FORMATS:
            tags[tag] = _values(file, size, order, kind, values, inline)
    return tags, following


def _values(file: ReadableFile, size: int, order: str, kind: int, count: int, inline: bytes) -> tuple[Any, ...]:
    """The values of one tag; from elsewhere in the file where they do not fit into the entry."""
    form = f"{order}{count}{_FORMATS[kind]}"
    if count > _MOST_VALUES or not count:
        raise FormatError("its directory is damaged")
    length = struct.calcsize(form)
    if length > len(inline):
        (place,) = struct.unpack(f"{order}{'Q' if len(inline) == 8 else 'I'}", inline)
        if place + length > size:
            raise FormatError("it is cut off")
        file.seek(place)
        inline = file.read(length)
    return struct.unpack(form, inline[:length])
