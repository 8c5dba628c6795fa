"""A DICOM file as a tree of data elements that can be put together again, rightly or wrongly (PS3.5 7, PS3.10 7).

Written for the fuzzer alone and from the standard, so that what it makes does not depend on the code that it tries.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from pydicom.datadict import dictionary_VR

LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
UNDEFINED = 0xFFFF_FFFF
PIXEL_DATA = 0x7FE0_0010
TRANSFER_SYNTAX = 0x0002_0010
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFE_E000, 0xFFFE_E00D, 0xFFFE_E0DD

Items = tuple[tuple["Element", ...], ...]


@dataclass(frozen=True)
class Element:
    """One data element.

    Attributes:
        value: its bytes; of encapsulated pixels, the items without the end mark.
        items: of a sequence; None for all others.
        undefined: written with undefined length, and so with an end mark (also each item of a sequence).
        length: what the length field says, where it is to lie.
        ended: whether the end marks that are due are written.
    """

    tag: int
    vr: bytes
    value: bytes = b""
    items: Items | None = None
    undefined: bool = False
    length: int | None = None
    ended: bool = True


@dataclass(frozen=True)
class DicomFile:
    """One file, taken apart.

    Attributes:
        preamble: 128 bytes, None for a file that begins with its first element.
        meta: file meta information; its group length is computed where `group_length` is None.
        tail: bytes after the last element.
    """

    preamble: bytes | None
    meta: tuple[Element, ...]
    elements: tuple[Element, ...]
    explicit: bool = True
    little: bool = True
    deflated: bool = False
    group_length: int | None = None
    tail: bytes = field(default=b"")

    def get(self, tag: int) -> Element | None:
        """The element with a tag in the main data set."""
        return next((one for one in self.elements if one.tag == tag), None)

    def put(self, *new: Element) -> DicomFile:
        """With elements added in their places, or put in place of those with the same tag."""
        gone = {one.tag for one in new}
        kept = [one for one in self.elements if one.tag not in gone]
        return replace(self, elements=tuple(sorted([*kept, *new], key=lambda one: one.tag)))

    def drop(self, *tags: int) -> DicomFile:
        """Without some elements."""
        return replace(self, elements=tuple(one for one in self.elements if one.tag not in tags))

    def swap(self, old: Element, *new: Element) -> DicomFile:
        """With `new` in the place of the very element `old`, at any depth."""
        return replace(self, elements=_swapped(self.elements, old, new))

    def walk(self) -> Iterator[Element]:
        """All elements of the data set, those in sequences too."""
        yield from _walk(self.elements)

    def short(self, number: int) -> bytes:
        """A US value in this file's byte order."""
        return struct.pack("<H" if self.little else ">H", number)


def _walk(elements: tuple[Element, ...]) -> Iterator[Element]:
    for one in elements:
        yield one
        for item in one.items or ():
            yield from _walk(item)


def _swapped(elements: tuple[Element, ...], old: Element, new: tuple[Element, ...]) -> tuple[Element, ...]:
    made: list[Element] = []
    for one in elements:
        if one is old:
            made += new
        elif one.items is not None:
            made.append(replace(one, items=tuple(_swapped(item, old, new) for item in one.items)))
        else:
            made.append(one)
    return tuple(made)


def parse(data: bytes) -> DicomFile:
    """Take a valid file apart."""
    preamble = data[:128] if data[128:132] == b"DICM" else None
    position = 132 if preamble is not None else 0
    reader = _Reader(data, "<", explicit=True)
    meta = []
    while data[position : position + 2] == b"\x02\x00":
        element, position = reader.element(position)
        meta.append(element)
    syntax = next((one.value.rstrip(b"\0 ").decode() for one in meta if one.tag == TRANSFER_SYNTAX), "")
    explicit = data[position + 4 : position + 6].isalpha() if not syntax else syntax != IMPLICIT
    body = zlib.decompress(data[position:], -15) if syntax == DEFLATED else data[position:]
    little = syntax != BIG_ENDIAN
    elements = _Reader(body, "<" if little else ">", explicit=explicit).all(0, len(body))
    return DicomFile(preamble, tuple(meta[1:]), elements, explicit=explicit, little=little, deflated=syntax == DEFLATED)


class _Reader:
    def __init__(self, data: bytes, order: str, *, explicit: bool) -> None:
        self.data, self.order, self.explicit = data, order, explicit

    def all(self, position: int, end: int) -> tuple[Element, ...]:
        found = []
        while position < end:
            element, position = self.element(position)
            found.append(element)
        return tuple(found)

    def element(self, position: int) -> tuple[Element, int]:
        group, number = struct.unpack_from(f"{self.order}HH", self.data, position)
        tag = group << 16 | number
        if not self.explicit:
            vr, (length,), start = _vr_of(tag), self._u4(position + 4), position + 8
        else:
            vr = self.data[position + 4 : position + 6]
            if vr in LONG_VRS:
                (length,), start = self._u4(position + 8), position + 12
            else:
                (length,), start = struct.unpack_from(f"{self.order}H", self.data, position + 6), position + 8
        if vr == b"SQ":
            items, end = self._items(start, length)
            return Element(tag, vr, items=items, undefined=length == UNDEFINED), end
        if length == UNDEFINED:
            end = self._fragments_end(start)
            return Element(tag, vr, self.data[start:end], undefined=True), end + 8
        return Element(tag, vr, self.data[start : start + length]), start + length

    def _u4(self, position: int) -> tuple[int]:
        (value,) = struct.unpack_from(f"{self.order}I", self.data, position)
        return (value,)

    def _items(self, start: int, length: int) -> tuple[Items, int]:
        end = len(self.data) if length == UNDEFINED else start + length
        items, position = [], start
        while position < end:
            group, number, size = struct.unpack_from(f"{self.order}HHI", self.data, position)
            position += 8
            if (group << 16 | number) == _SEQUENCE_END:
                break
            if size != UNDEFINED:
                items.append(self.all(position, position + size))
                position += size
                continue
            inner = []
            while struct.unpack_from(f"{self.order}HH", self.data, position) != (0xFFFE, 0xE00D):
                element, position = self.element(position)
                inner.append(element)
            items.append(tuple(inner))
            position += 8
        return tuple(items), position

    def _fragments_end(self, position: int) -> int:
        while True:
            group, number, size = struct.unpack_from(f"{self.order}HHI", self.data, position)
            if (group << 16 | number) == _SEQUENCE_END:
                return position
            position += 8 + size


def _vr_of(tag: int) -> bytes:
    try:
        return dictionary_VR(tag)[:2].encode()
    except KeyError:
        return b"UL" if not tag & 0xFFFF else b"LO"


def build(file: DicomFile, compress: Callable[[bytes], bytes] | None = None) -> bytes:
    """Put a file together; `compress` replaces the deflation of a deflated data set."""
    order = "<" if file.little else ">"
    body = b"".join(encode(one, order, explicit=file.explicit) for one in file.elements) + file.tail
    if file.deflated:
        body = (compress or deflate)(body)
    if not file.meta and file.preamble is None:
        return body
    meta = b"".join(encode(one, "<", explicit=True) for one in file.meta)
    length = len(meta) if file.group_length is None else file.group_length
    head = struct.pack("<HH2sHI", 2, 0, b"UL", 4, length) if length >= 0 else b""
    start = file.preamble + b"DICM" if file.preamble is not None else b""
    return start + head + meta + body


def deflate(body: bytes) -> bytes:
    """Raw deflate (PS3.5 A.5)."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def encode(element: Element, order: str, *, explicit: bool) -> bytes:
    """One element as it is written."""
    value = element.value
    if element.items is not None:
        value = b"".join(_item(item, element, order, explicit=explicit) for item in element.items)
    length = len(value)
    if element.undefined:
        length = UNDEFINED
        value += struct.pack(f"{order}HHI", 0xFFFE, 0xE0DD, 0) if element.ended else b""
    length = length if element.length is None else element.length
    tag = struct.pack(f"{order}HH", element.tag >> 16, element.tag & 0xFFFF)
    if not explicit:
        return tag + struct.pack(f"{order}I", length) + value
    if element.vr in LONG_VRS or length > 0xFFFF:
        return tag + element.vr + struct.pack(f"{order}HI", 0, length) + value
    return tag + element.vr + struct.pack(f"{order}H", length) + value


def _item(item: tuple[Element, ...], sequence: Element, order: str, *, explicit: bool) -> bytes:
    value = b"".join(encode(one, order, explicit=explicit) for one in item)
    if not sequence.undefined:
        return struct.pack(f"{order}HHI", 0xFFFE, 0xE000, len(value)) + value
    end = struct.pack(f"{order}HHI", 0xFFFE, 0xE00D, 0) if sequence.ended else b""
    return struct.pack(f"{order}HHI", 0xFFFE, 0xE000, UNDEFINED) + value + end


def fragments(value: bytes) -> list[bytes]:
    """The items of encapsulated pixels, the offset table first."""
    found, position = [], 0
    while position + 8 <= len(value):
        (size,) = struct.unpack_from("<I", value, position + 4)
        found.append(value[position + 8 : position + 8 + size])
        position += 8 + size
    return found


def joined(parts: list[bytes]) -> bytes:
    """Items of encapsulated pixels as a value."""
    return b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(part)) + part for part in parts)
