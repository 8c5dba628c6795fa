"""Headers of the common files (little endian or deflated, with preamble and file meta) in about 0.05 ms.

The reader gives up (returns None) at anything unusual; `slow_header` then lets pydicom decide. Speed comes from reading
one block and skipping what is not wanted without looking at it.
"""

from __future__ import annotations

import re
import struct
from dataclasses import replace

from ctviewer.dicom import tags
from ctviewer.dicom.deflated import inflated_header
from ctviewer.dicom.fragments import find_fragments
from ctviewer.dicom.functional_groups import read_items
from ctviewer.dicom.header import LARGEST_VALUE, DamagedError, Header, PixelLocation
from ctviewer.dicom.storage import ReadableFile
from ctviewer.dicom.syntaxes import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT
from ctviewer.dicom.unpacking import MOST_RATIO

_BLOCK = 16384
_MOST_BLOCKS = 2048  # for one header; one that goes on is made to be endless, and pydicom decides, within a limit
_UNDEFINED = 0xFFFF_FFFF
_SYNTAX = re.compile(r"1\.2\.840\.10008\.1\.2[0-9.]*")
_LONGEST_UID = 64  # PS3.5 9.1
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_DEEPEST = 16

_EXPLICIT_HEAD = struct.Struct("<HH2sH")
_IMPLICIT_HEAD = struct.Struct("<HHI")
_LENGTH = struct.Struct("<I")


class _UnusualError(Exception):
    """Something that this reader leaves to pydicom."""


class _Walker:
    """Reads element heads at any position through one block that moves forward.

    Attributes:
        size: of the file; of a deflated data set, what it cannot exceed.
        deflated: where the deflated data set starts in its file, 0 where it is not deflated.
    """

    def __init__(self, file: ReadableFile, size: int, block: bytes, deflated: int = 0) -> None:
        self.file, self.size, self.deflated = file, size, deflated
        self.block, self.base = block, 0
        self._left = _MOST_BLOCKS

    def bytes_at(self, position: int, count: int) -> bytes:
        """Up to `count` bytes at `position`."""
        start = position - self.base
        if start < 0 or start + count > len(self.block):
            self._left -= 1
            if self._left < 0:
                raise _UnusualError
            self.file.seek(position)
            self.block, self.base, start = self.file.read(max(_BLOCK, count)), position, 0
        return self.block[start : start + count]

    def element(self, position: int, *, explicit: bool) -> tuple[int, int, int]:
        """Tag, position of the value and its length of the element at `position`."""
        head = self.bytes_at(position, 12)
        if len(head) < 8:
            raise DamagedError("it ends in the middle of the header")
        if not explicit:
            group, element, length = _IMPLICIT_HEAD.unpack_from(head)
            return group << 16 | element, position + 8, length
        group, element, vr, length = _EXPLICIT_HEAD.unpack_from(head)
        if vr in _SHORT_VRS:
            return group << 16 | element, position + 8, length
        if vr in _LONG_VRS and len(head) == 12:
            if vr == b"UN" and head[8:] == b"\xff\xff\xff\xff":
                raise _UnusualError  # holds an implicit data set
            return group << 16 | element, position + 12, _LENGTH.unpack_from(head, 8)[0]
        if group == 0xFFFE:
            return group << 16 | element, position + 8, _LENGTH.unpack_from(head, 4)[0]
        raise _UnusualError

    def skip_sequence(self, position: int, *, explicit: bool, depth: int = 0) -> int:
        """The position after a sequence of undefined length whose first item is at `position`."""
        while True:
            tag, value, length = self.element(position, explicit=False)
            if tag == tags.SEQUENCE_END:
                return value
            if tag != tags.ITEM or depth > _DEEPEST:
                raise _UnusualError
            position = value + length if length != _UNDEFINED else self._skip_item(value, explicit, depth)

    def _skip_item(self, position: int, explicit: bool, depth: int) -> int:
        last = 0
        while True:
            tag, value, length = self.element(position, explicit=explicit)
            if tag == tags.ITEM_END:
                return value
            if tag <= last:  # megabytes of zeros, for instance
                raise _UnusualError
            last = tag
            if length == _UNDEFINED:
                position = self.skip_sequence(value, explicit=explicit, depth=depth + 1)
            else:
                position = value + length


def read_fast(file: ReadableFile, size: int) -> Header | None:
    """Read the header of an open file of `size` bytes.

    Returns:
        The header, or None where this file needs the thorough reader.

    Raises:
        DamagedError: the file ends too early.
        OSError: it cannot be read; its deflated data are damaged.
    """
    block = file.read(_BLOCK)
    if block[128:132] != b"DICM":
        return None
    walker = _Walker(file, size, block)
    try:
        syntax, start = _file_meta(walker)
        if syntax == DEFLATED:
            with inflated_header(file, start) as inflated:
                return _data_set(_Walker(inflated, size * MOST_RATIO, b"", start), syntax, 0)
        if syntax == BIG_ENDIAN or not _SYNTAX.fullmatch(syntax):
            return None
        return _data_set(walker, syntax, start)
    except _UnusualError:
        return None


def _file_meta(walker: _Walker) -> tuple[str, int]:
    position, syntax = 132, ""
    while walker.bytes_at(position, 2) == b"\x02\x00":
        tag, value, length = walker.element(position, explicit=True)
        if tag == tags.TRANSFER_SYNTAX_UID:
            if length > _LONGEST_UID:
                raise _UnusualError
            syntax = walker.bytes_at(value, length).rstrip(b" \0").decode("ascii", "replace")
        position = value + length
    return syntax, position


def _data_set(walker: _Walker, syntax: str, position: int) -> Header:
    explicit = syntax != IMPLICIT
    if (walker.bytes_at(position + 4, 2) in _SHORT_VRS | _LONG_VRS) != explicit:
        raise _UnusualError  # the file meta lies about the encoding
    header = Header(syntax, little=True, values={})
    wanted, nested, values, last, size = tags.WANTED, tags.NESTED, header.values, 0, walker.size
    while position < size:
        if walker.deflated and not walker.bytes_at(position, 1):
            break
        tag, value, length = walker.element(position, explicit=explicit)
        if tag <= last:
            raise _UnusualError
        last = tag
        if tag == tags.PIXEL_DATA:
            header.pixels = _locate(walker, syntax, value, length)
            break
        if length == _UNDEFINED:
            if tag in nested:
                position = _nested(walker, header, tag, value, length)
            else:
                position = walker.skip_sequence(value, explicit=explicit)
            if tag in wanted:
                values[tag] = b""
            continue
        position = value + length
        if position > size:
            raise DamagedError("it ends in the middle of the header")
        if tag in wanted:
            if tag in nested:
                _nested(walker, header, tag, value, length)
                values[tag] = b""
            else:
                values[tag] = walker.bytes_at(value, length) if length <= LARGEST_VALUE else b""
    return header


def _nested(walker: _Walker, header: Header, tag: int, value: int, length: int) -> int:
    """Read the items of a sequence; the position after it."""
    try:
        items, end = read_items(walker.file, walker.size, tag, value, length, explicit=header.syntax != IMPLICIT)
    except DamagedError:
        raise _UnusualError from None
    header.nested = (header.nested or {}) | {tag: items}
    return end


def _locate(walker: _Walker, syntax: str, value: int, length: int) -> PixelLocation:
    if length != _UNDEFINED:
        location = PixelLocation.within(value, length, walker.size)
        return replace(location, deflated=walker.deflated) if walker.deflated else location
    if syntax in (IMPLICIT, EXPLICIT, DEFLATED):
        raise _UnusualError
    return find_fragments(walker.file, value, walker.size)
