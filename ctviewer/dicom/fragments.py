"""Encapsulated Pixel Data (PS3.5 A.4): where the fragments lie."""

from __future__ import annotations

import struct

from ctviewer.dicom import tags
from ctviewer.dicom.header import DamagedError, PixelLocation
from ctviewer.dicom.storage import ReadableFile

_MOST_FRAGMENTS = 1 << 20  # a gigabyte of empty ones would take many of memory
_ITEM_HEAD = struct.Struct("<HHI")


def find_fragments(file: ReadableFile, start: int, size: int) -> PixelLocation:
    """Offset and length of each whole fragment, the Basic Offset Table left out.

    Args:
        file: open file.
        start: position of the first item.
        size: size of the file.

    Raises:
        DamagedError: the pixels hold no fragment, or something else.
    """
    found: list[tuple[int, int]] = []
    position, cut = start, False
    while position < size:  # a missing end mark after the last whole fragment does no harm
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            cut = True
            break
        group, element, length = _ITEM_HEAD.unpack(head)
        tag = group << 16 | element
        if tag == tags.SEQUENCE_END:
            break
        if tag != tags.ITEM:
            raise DamagedError("its compressed pixels are malformed")
        if position + 8 + length > size:
            cut = True
            break
        if len(found) > _MOST_FRAGMENTS:
            raise DamagedError("its compressed pixels are in more pieces than can be read")
        found.append((position + 8, length))
        position += 8 + length
    if len(found) < 2 and not cut:
        raise DamagedError("its compressed pixels are empty")
    return PixelLocation(start, 0, tuple(found[1:]), cut=cut)


def offset_table(file: ReadableFile, location: PixelLocation) -> tuple[int, ...]:
    """The Basic Offset Table: where each frame starts, in bytes after the first fragment's item tag; often empty."""
    length = location.fragments[0][0] - 16 - location.offset
    file.seek(location.offset + 8)
    table = file.read(length) if length > 0 else b""
    return struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4])
