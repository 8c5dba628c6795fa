"""Where each frame of a multi-frame file lies."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from ctviewer.dicom import tags
from ctviewer.dicom.fragments import offset_table
from ctviewer.dicom.header import DamagedError, Header, PixelLocation
from ctviewer.dicom.storage import ReadableFile

Fragments = tuple[tuple[int, int], ...]
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")  # JPEG, JPEG-LS; JPEG 2000, bare and in a box
_JPEG_XL = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")
_MARKS = {f"1.2.840.10008.1.2.4.11{end}": _JPEG_XL for end in (0, 1, 2)} | {
    "1.2.840.10008.1.2.5": (b"\1\0\0\0\x40\0\0\0", b"\2\0\0\0\x40\0\0\0")  # RLE: one or two segments, after 64 bytes
}
_MOST_FRAMES = 1 << 15  # thirty hearts of a thousand slices; a file made up of single pixels holds millions


def frame_locations(file: ReadableFile, header: Header, frames: int, frame_bytes: int) -> list[PixelLocation]:
    """Where the frames lie that are there as a whole: fewer than `frames` where the file was cut.

    Compressed frames beyond `frames` are there too, so that they can be told of.

    Args:
        file: open file.
        header: of the file, with pixels.
        frames: how many the file states.
        frame_bytes: size of an uncompressed frame.

    Raises:
        DamagedError: no frame is whole, or frames cannot be told apart; the text is a clause.
    """
    location = header.pixels
    assert location is not None
    if location.fragments:
        found = [PixelLocation(part[0][0], 0, part) for part in _compressed(file, header, location, frames)]
    else:
        count = min(frames, location.length // frame_bytes, _MOST_FRAMES + 1)
        found = [
            replace(location, offset=location.offset + k * frame_bytes, length=frame_bytes, cut=False)
            for k in range(count)
        ]
    if len(found) > _MOST_FRAMES:
        raise DamagedError(f"it states {frames} frames, more than can be shown")
    if not found:
        raise DamagedError("it ends in the middle of the pixels")
    return found


def _compressed(file: ReadableFile, header: Header, location: PixelLocation, frames: int) -> list[Fragments]:
    fragments = location.fragments
    if frames == 1 and not location.cut:
        return [fragments]
    if len(fragments) == frames:
        return [(one,) for one in fragments]
    for table in (_extended(header), offset_table(file, location)):
        groups = _by_table(table, location, frames)
        if groups:
            return groups
    groups = _by_starts(file, location, _MARKS.get(header.syntax, _STARTS))
    if len(groups) == frames or (location.cut and len(groups) < frames) or groups == [(one,) for one in fragments]:
        return groups
    raise DamagedError("its compressed pixels do not tell where each frame starts")


def _extended(header: Header) -> tuple[int, ...]:
    """The Extended Offset Table, of the same meaning as the basic one."""
    raw = header.values.get(tags.EXTENDED_OFFSET_TABLE, b"")
    return struct.unpack(f"<{len(raw) // 8}Q", raw[: len(raw) // 8 * 8])


def _by_table(table: Sequence[int], location: PixelLocation, frames: int) -> list[Fragments]:
    """Fragments of each frame by a table of their starts; none where the table does not fit the fragments."""
    fragments = location.fragments
    first = fragments[0][0] - 8
    index_of = {offset - 8 - first: index for index, (offset, _) in enumerate(fragments)}
    if len(table) != frames or not frames or table[0] != 0 or any(a >= b for a, b in pairwise(table)):
        return []
    starts = [index_of.get(offset) for offset in table]
    if not location.cut and None in starts:
        return []
    known = [start for start in starts if start is not None]
    if None in starts[: len(known)]:
        return []
    end = fragments[-1][0] + fragments[-1][1] - first
    ends = [*known[1:], len(fragments)]
    groups = [fragments[a:b] for a, b in zip(known, ends, strict=True)]
    if location.cut and not (len(known) < frames and table[len(known)] == end):
        groups.pop()  # what follows of this frame may be lost
    return groups


def _by_starts(file: ReadableFile, location: PixelLocation, marks: tuple[bytes, ...]) -> list[Fragments]:
    """Fragments of each frame by the marks that codestreams start with."""
    starts: list[bool] = []
    for offset, length in location.fragments:
        file.seek(offset)
        starts.append(file.read(min(12, length)).startswith(marks))
    if not starts or not starts[0]:
        return []
    numbers = list(accumulate(starts))
    groups: list[list[tuple[int, int]]] = [[] for _ in range(numbers[-1])]
    for number, fragment in zip(numbers, location.fragments, strict=True):
        groups[number - 1].append(fragment)
    found = [tuple(group) for group in groups]
    if location.cut and any(len(group) > 1 for group in found):
        found.pop()  # what follows of this frame may be lost
    return found
