"""Encapsulated Pixel Data (PS3.5 A.4): where the fragments lie."""

from __future__ import annotations

import struct

from ctviewer.dicom import tags
from ctviewer.dicom.header import DamagedError
from ctviewer.dicom.storage import ReadableFile

_ITEM_HEAD = struct.Struct("<HHI")


def find_fragments(file: ReadableFile, start: int, size: int) -> tuple[tuple[int, int], ...]:
    """Offset and length of each fragment, the Basic Offset Table left out.

    Args:
        file: open file.
        start: position of the first item.
        size: size of the file.

    Raises:
        DamagedError: the file ends within the pixels, or holds no fragment.
    """
    found: list[tuple[int, int]] = []
    position = start
    while position < size:  # a missing end mark after the last whole fragment does no harm
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            raise DamagedError("it ends in the middle of the pixels")
        group, element, length = _ITEM_HEAD.unpack(head)
        tag = group << 16 | element
        if tag == tags.SEQUENCE_END:
            break
        if tag != tags.ITEM:
            raise DamagedError("its compressed pixels are malformed")
        if position + 8 + length > size:
            raise DamagedError("it ends in the middle of the pixels")
        found.append((position + 8, length))
        position += 8 + length
    if len(found) < 2:
        raise DamagedError("its compressed pixels are empty")
    return tuple(found[1:])
