"""Mutations that may break a file: of bytes, of the structure, of values, of compressed pixels.

Each takes the bytes of a valid file, or the file taken apart, and a source of chance.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

from fuzz.elements import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    PIXEL_DATA,
    TRANSFER_SYNTAX,
    UNDEFINED,
    DicomFile,
    Element,
    fragments,
    joined,
)

ROWS, COLUMNS, FRAMES, ALLOCATED = 0x0028_0010, 0x0028_0011, 0x0028_0008, 0x0028_0100
_ABSURD_SHORTS = (0, 1, 2, 3, 7, 9, 12, 24, 32, 64, 255, 256, 32767, 32768, 65534, 65535)
_ABSURD_LENGTHS = (
    0,
    1,
    2,
    3,
    5,
    7,
    255,
    0xFFFF,
    0x10000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFF0,
    0xFFFF_FFFE,
    UNDEFINED,
)
_ABSURD_NUMBERS = (
    b"", b" ", b"0", b"-0", b"1e400", b"-1e400", b"1e308", b"1e-320", b"NaN", b"nan", b"inf", b"-Infinity", b"1_0", b"0x10",
    b"1,5", b"1.5.2", b"--1", b"1e", b"1e99999999999", b"\x00", b"\xff\xfe", b"1\\", b"\\\\", b"1\\2\\3\\4\\5\\6\\7", b"9" * 400,
    b"1" * 5000, b"0." + b"1" * 5000, b"-1" + b"0" * 300, b"2147483648", b"-2147483649", b"1.0E+2", "١٢".encode(), b"1\\NaN",
    b"99999999999999999999", b"1e7", b"1e6\\1e6\\1e6", b"0\\0", b"0\\0\\0\\0\\0\\0", b"1\\0\\0\\1\\0\\0", b"1e-9\\1e-9", b"-0.7\\-0.7",
    b"1\\0\\0\\0\\1", b"-1e6\\1e6\\-1e6", b"0.7\\0.7\\0.7",
)  # fmt: skip
_ABSURD_TEXTS = (
    b"../../../etc/passwd", b"C:\\x", b"con", b"NUL", b"a\0b", b"\x1b$B;3ED", b"\x1b(B\x1b$)C\xfb", b"\xff" * 64, b"x" * 65000,
    b"\r\n\t\x07\x1b[31m", "a\u202eb\u2066c".encode(), b"%s%n{0}", b"<script>alert(1)</script>", b"\\" * 500, b"^" * 500,
    b"=" * 50, b"'; DROP TABLE work; --", b"1.2." * 200, b".", b"..", b"/", b"~", b" " * 100, "\U0001f600".encode(),
)  # fmt: skip
_CHARACTER_SETS = (
    b"ISO 2022 IR 87", b"\\ISO 2022 IR 87", b"\\ISO 2022 IR 149", b"\\ISO 2022 IR 58", b"GB18030", b"GBK", b"ISO_IR 192",
    b"ISO_IR 13", b"ISO 2022 IR 13\\ISO 2022 IR 87", b"\\\\\\\\", b"nonsense", b"utf-7", b"idna", b"rot13", b"ISO_IR 100\\" * 100, b"\xff",
)  # fmt: skip
_VRS = [
    a + b
    for a in (b"A", b"C", b"D", b"F", b"I", b"L", b"O", b"P", b"S", b"T", b"U")
    for b in (b"B", b"F", b"N", b"S", b"T", b"W")
]
_VRS += [b"SQ", b"UN", b"OV", b"UR", b"ZZ", b"??", b"\0\0", b"\xff\xff", b"sq", b"  "]
_OFTEN_WRONG = (0x0020_0032, 0x0020_0037, 0x0028_0030, 0x0028_1052, 0x0028_1053, 0x0028_1050, 0x0028_1051, 0x0020_0013,
                0x0028_0008, 0x0018_0050, 0x0020_0011, 0x0020_0012, 0x0018_0060)  # fmt: skip

Bytes = Callable[[bytes, random.Random], bytes]
Structure = Callable[[DicomFile, random.Random], DicomFile | None]


def flip(data: bytes, rng: random.Random) -> bytes:
    """Some bytes, or bits of them, anywhere or near the beginning."""
    changed, end = bytearray(data), rng.choice((len(data), len(data), min(len(data), 600)))
    for _ in range(rng.choice((1, 1, 1, 2, 5, 20, 100))):
        place = rng.randrange(end)
        changed[place] = rng.choice((rng.randrange(256), changed[place] ^ 1 << rng.randrange(8), 0, 0xFF))
    return bytes(changed)


def insert(data: bytes, rng: random.Random) -> bytes:
    """Bytes put in between."""
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.choice((1, 2, 3, 8, 100, 5000))) + data[place:]


def delete(data: bytes, rng: random.Random) -> bytes:
    """A piece left out."""
    place = rng.randrange(len(data))
    return data[:place] + data[place + rng.choice((1, 2, 3, 8, 100, 1000)) :]


def truncate(data: bytes, rng: random.Random) -> bytes:
    """The end cut off."""
    return data[: rng.randrange(len(data))]


def run_of_one(data: bytes, rng: random.Random) -> bytes:
    """A stretch of 00 or FF."""
    place, length = rng.randrange(len(data)), rng.choice((4, 16, 128, 1024))
    return data[:place] + rng.choice((b"\0", b"\xff")) * min(length, len(data) - place) + data[place + length :]


def repeat(data: bytes, rng: random.Random) -> bytes:
    """A stretch written twice or many times."""
    place, length = rng.randrange(len(data)), rng.choice((2, 8, 50, 500))
    return data[:place] + data[place : place + length] * rng.choice((2, 3, 50)) + data[place + length :]


def swap_stretches(data: bytes, rng: random.Random) -> bytes:
    """Two stretches exchanged."""
    a, b = sorted((rng.randrange(len(data)), rng.randrange(len(data))))
    n = min(rng.choice((2, 8, 100)), b - a, len(data) - b)
    return data[:a] + data[b : b + n] + data[a + n : b] + data[a : a + n] + data[b + n :]


def overwrite_number(data: bytes, rng: random.Random) -> bytes:
    """A 16 or 32-bit number set to an absurd value, in either byte order: lengths, offsets, sizes of any format."""
    code = rng.choice(("<I", ">I", "<H", ">H"))
    value = rng.choice(_ABSURD_LENGTHS) & (0xFFFF if code[1] == "H" else UNDEFINED)
    place = rng.randrange(max(1, rng.choice((len(data), min(len(data), 500))) - 4))
    packed = struct.pack(code, value)
    return data[:place] + packed + data[place + len(packed) :]


def nothing_but_noise(data: bytes, rng: random.Random) -> bytes:
    """The start kept, the rest noise."""
    kept = rng.choice((0, 4, 132, 200, len(data) // 2))
    return data[:kept] + rng.randbytes(rng.choice((0, 10, 1000, 20_000)))


def _pick(file: DicomFile, rng: random.Random, wanted: Callable[[Element], bool] = lambda _: True) -> Element | None:
    found = [one for one in file.walk() if wanted(one)]
    return rng.choice(found) if found else None


def length_field(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """A length that lies."""
    if (one := _pick(file, rng)) is None:
        return None
    length = rng.choice((*_ABSURD_LENGTHS, len(one.value) + 1, max(0, len(one.value) - 1), len(one.value) + 2))
    return file.swap(one, replace(one, length=length, undefined=False))


def value_representation(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """Another VR, or one that there is not."""
    one = _pick(file, rng, lambda x: x.items is None)
    return file.swap(one, replace(one, vr=rng.choice(_VRS))) if one and file.explicit else None


def order_of_tags(file: DicomFile, rng: random.Random) -> DicomFile:
    """Elements in any order."""
    elements = list(file.elements)
    for _ in range(rng.choice((1, 1, 5))):
        a, b = rng.randrange(len(elements)), rng.randrange(len(elements))
        elements[a], elements[b] = elements[b], elements[a]
    return replace(file, elements=tuple(elements))


def duplicates(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """One element twice, with another value."""
    one = _pick(file, rng)
    return file.swap(one, one, replace(one, value=rng.choice((b"", b"1 ", one.value[::-1])))) if one else None


def missing(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """Elements left out."""
    for _ in range(rng.choice((1, 1, 3, 10))):
        if (one := _pick(file, rng)) is not None:
            file = file.swap(one)
    return file


def empty_or_noise(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """A value emptied, cut, lengthened or replaced by noise."""
    one = _pick(file, rng, lambda x: x.items is None and x.tag != PIXEL_DATA)
    if one is None:
        return None
    value = rng.choice((b"", one.value[:-1], one.value * 2, rng.randbytes(len(one.value)), rng.randbytes(2), bytes(8)))
    return file.swap(one, replace(one, value=value))


def nested(file: DicomFile, rng: random.Random) -> DicomFile:
    """Sequences in sequences, with or without their ends."""
    undefined, ended = rng.random() < 0.7, rng.random() < 0.7
    depth = rng.choice((2, 17, 60))
    inner = Element(0x0008_1115, b"SQ", items=((),), undefined=undefined, ended=ended)
    for _ in range(depth):
        inner = Element(0x0008_1115, b"SQ", items=((inner,),), undefined=undefined, ended=ended)
    return file.put(inner)


def deep(file: DicomFile, rng: random.Random) -> DicomFile:
    """Thousands of sequences of undefined length that never end."""
    vr = b"SQ\0\0" if file.explicit else b""
    order = "<" if file.little else ">"
    one = struct.pack(f"{order}HH", 8, 0x1115) + vr + struct.pack(f"{order}IHHI", UNDEFINED, 0xFFFE, 0xE000, UNDEFINED)
    place = next(i for i, x in enumerate(file.elements) if x.tag > 0x0008_1115)
    hole = Element(0x0008_1115, b"SQ", one[4 + len(vr) + 4 :] + one * rng.choice((500, 5000, 50_000)), length=UNDEFINED)
    return replace(file, elements=(*file.elements[:place], hole, *file.elements[place:]))


def items_broken(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """A sequence without its ends, of no items, of noise, or of a length that lies."""
    one = _pick(file, rng, lambda x: x.items is not None)
    if one is None or one.items is None:
        return None
    return file.swap(one, rng.choice((
        replace(one, undefined=True, ended=False), replace(one, items=()), replace(one, items=one.items * 3),
        replace(one, items=None, value=rng.randbytes(40)), replace(one, items=((),)), replace(one, vr=b"UN"),
        replace(one, length=rng.choice(_ABSURD_LENGTHS)), replace(one, items=one.items[:-1]),
    )))  # fmt: skip


def group_length(file: DicomFile, rng: random.Random) -> DicomFile:
    """A wrong length of the file meta information, or none, and wrong lengths of groups."""
    size = rng.choice((-1, 0, 1, 2, 100, 5000, 0x7FFF_FFFF))
    wrong = Element(rng.choice((0x0008_0000, 0x0020_0000, 0x0028_0000, 0x7FE0_0000)), b"UL", rng.randbytes(4))
    return replace(file.put(wrong), group_length=size)


def file_meta(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """A transfer syntax that is not that of the data, none, or one that there is not."""
    syntaxes = (IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN, "", "1.2.3", "x" * 70, "1.2.840.10008.1.2.5", "../../x")
    syntaxes += tuple(
        f"1.2.840.10008.1.2.4.{end}" for end in (50, 51, 57, 70, 80, 81, 90, 91, 92, 100, 102, 110, 201, 203)
    )
    value = rng.choice(syntaxes).encode()
    stated = Element(TRANSFER_SYNTAX, b"UI", value + b"\0" * (len(value) % 2))
    kept = tuple(one for one in file.meta if one.tag != TRANSFER_SYNTAX)
    return replace(file, meta=kept if rng.random() < 0.1 else (*kept, stated)) if file.meta else None


def sizes(file: DicomFile, rng: random.Random) -> DicomFile:
    """Rows, columns, bits and frames set to absurd numbers: bombs of memory among them."""
    for tag in rng.sample(
        (ROWS, COLUMNS, ALLOCATED, 0x0028_0101, 0x0028_0102, 0x0028_0103, 0x0028_0002), rng.choice((1, 1, 2, 4))
    ):
        file = file.put(Element(tag, b"US", file.short(rng.choice(_ABSURD_SHORTS))))
    if rng.random() < 0.4:
        file = file.put(
            Element(FRAMES, b"IS", rng.choice((b"0 ", b"-1", b"2 ", b"1000000 ", b"2147483647", b"1e9 ", b"x ")))
        )
    return file


def bomb(file: DicomFile, rng: random.Random) -> DicomFile:
    """The largest image that the header can state, with a few kilobytes of pixels."""
    many = Element(FRAMES, b"IS", b"2147483646") if rng.random() < 0.5 else Element(FRAMES, b"IS", b"1 ")
    side = file.short(rng.choice((65535, 30000, 8192)))
    pixels = file.get(PIXEL_DATA)
    lying = (
        ()
        if pixels is None or pixels.undefined
        else (replace(pixels, length=rng.choice((0xFFFF_FFFE, len(pixels.value)))),)
    )
    return file.put(Element(ROWS, b"US", side), Element(COLUMNS, b"US", side), many, *lying)


def numbers(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """Numbers written absurdly."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        tag = rng.choice(_OFTEN_WRONG)
        one = _pick(file, rng, lambda x, tag=tag: x.tag == tag) or _pick(file, rng, lambda x: x.vr in (b"DS", b"IS"))
        if one is None:
            return None
        file = file.swap(one, replace(one, value=_even(rng.choice(_ABSURD_NUMBERS))))
    return file


def texts(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """Names and identifiers that are absurd, in any character set."""
    kinds = (b"PN", b"LO", b"SH", b"UI", b"CS", b"DA", b"TM")
    for _ in range(rng.choice((1, 2, 5))):
        one = _pick(file, rng, lambda x: x.vr in kinds and x.tag not in (0x0010_0010, 0x0010_0020))
        if one is None:
            return None
        file = file.swap(one, replace(one, value=_even(rng.choice(_ABSURD_TEXTS))))
    return file.put(Element(0x0008_0005, b"CS", _even(rng.choice(_CHARACTER_SETS)))) if rng.random() < 0.5 else file


def tables(file: DicomFile, rng: random.Random) -> DicomFile:
    """Look-up tables and overlays of absurd sizes."""

    def descriptor() -> bytes:
        return b"".join(file.short(rng.choice(_ABSURD_SHORTS)) for _ in range(rng.choice((0, 1, 2, 3, 3, 3))))

    item = (
        Element(0x0028_3002, b"US", descriptor()), Element(0x0028_3004, b"LO", b"HU"),
        Element(0x0028_3006, rng.choice((b"US", b"OW")), rng.randbytes(rng.choice((0, 1, 2, 512, 8192)))),
    )  # fmt: skip
    made = [
        Element(tag, b"SQ", items=(item,) * rng.choice((0, 1, 3)))
        for tag in rng.sample((0x0028_3000, 0x0028_3010), rng.choice((1, 2)))
    ]
    group = rng.choice((0x6000, 0x6002, 0x601E)) << 16
    made += [
        Element(group | 0x10, b"US", file.short(rng.choice(_ABSURD_SHORTS))),
        Element(group | 0x11, b"US", file.short(rng.choice(_ABSURD_SHORTS))),
    ]
    made += [
        Element(group | 0x15, b"IS", rng.choice((b"1 ", b"-5", b"2147483647"))),
        Element(group | 0x40, b"CS", rng.choice((b"G ", b"R ", b"x "))),
    ]
    made += [
        Element(group | 0x50, b"SS", rng.choice((b"", b"\1\0\1\0", b"\xff\x7f\0\x80"))),
        Element(group | 0x100, b"US", file.short(rng.choice((0, 1, 16)))),
    ]
    made += [
        Element(group | 0x102, b"US", file.short(rng.choice((0, 15)))),
        Element(group | 0x3000, b"OW", rng.randbytes(rng.choice((0, 2, 96, 5000)))),
    ]
    return file.put(*rng.sample(made, rng.randrange(1, len(made) + 1)))


def offset_tables(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """Offset tables that point outside, in a circle, at one place, or are too short."""
    pixels = file.get(PIXEL_DATA)
    if pixels is None or not pixels.undefined:
        return None
    parts = fragments(pixels.value) or [b""]
    count = rng.choice((1, 3, 100))
    offsets = rng.choice(
        (
            [0] * count,
            [UNDEFINED] * count,
            [8 * n for n in range(count)][::-1],
            [rng.randrange(9000) for _ in range(count)],
        )
    )
    parts[0] = struct.pack(f"<{count}I", *offsets)[: rng.choice((4 * count, 4 * count - 1))]
    extended = struct.pack(f"<{count}Q", *(offset << rng.choice((0, 32)) for offset in offsets))
    made = [
        replace(pixels, value=joined(parts)),
        Element(0x7FE0_0001, b"OV", extended),
        Element(0x7FE0_0002, b"OV", rng.choice((extended, b""))),
    ]
    return file.put(*rng.sample(made, rng.randrange(1, 4)))


def _some_fragment(file: DicomFile, rng: random.Random) -> tuple[Element, bytes, list[bytes], int] | None:
    """Compressed Pixel Data, its offset table and fragments, and the place of one of these; None where there are none."""
    pixels = file.get(PIXEL_DATA)
    if pixels is None or not pixels.undefined:
        return None
    table, *parts = fragments(pixels.value) or [b""]
    return (pixels, table, parts, rng.randrange(len(parts))) if parts else None


def fragment_damage(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """Fragments cut, doubled, emptied, left out, in another order, of lengths that lie, without an end."""
    found = _some_fragment(file, rng)
    if found is None:
        return None
    pixels, table, parts, which = found
    part = parts[which]
    parts[which : which + 1] = rng.choice(
        (
            [],
            [b""],
            [part, part],
            [part[: len(part) * rng.randrange(100) // 100]],
            [part[:7], part[7:]],
            [part + bytes(300)],
        )
    )
    rng.shuffle(parts)
    value = joined([table, *parts])
    if rng.random() < 0.3:
        place = rng.choice([m for m in range(4, len(value)) if value[m - 4 : m] == b"\xfe\xff\x00\xe0"])
        value = value[:place] + struct.pack("<I", rng.choice(_ABSURD_LENGTHS)) + value[place + 4 :]
    return file.put(replace(pixels, value=value, ended=rng.random() < 0.8))


def codestream(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """Compressed data whose own headers are changed: sizes, components, bits, or any byte in their first part."""
    found = _some_fragment(file, rng)
    if found is None:
        return None
    pixels, table, parts, which = found
    part = bytearray(parts[which] or b"\0")
    head = min(len(part), rng.choice((30, 80, 200, len(part))))
    for _ in range(rng.choice((1, 1, 2, 4, 10))):
        place = rng.randrange(head)
        part[place] = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256), part[place] ^ 1 << rng.randrange(8)))
    if rng.random() < 0.3:
        part[:] = _other_size(bytes(part), rng)
    parts[which] = bytes(part)
    return file.put(replace(pixels, value=joined([table, *parts])))


def _other_size(data: bytes, rng: random.Random) -> bytes:
    """A frame header that announces another size, together with the DICOM header or against it."""
    size = struct.pack(">HH", rng.choice(_ABSURD_SHORTS), rng.choice(_ABSURD_SHORTS))
    for marker in (0xC0, 0xC1, 0xC3, 0xF7):
        place = data.find(bytes((0xFF, marker)))
        if place >= 0:
            return data[: place + 5] + size + data[place + 9 :]
    place = data.find(b"\xff\x51")
    if place < 0:
        return data
    side = struct.pack(">II", rng.choice(_ABSURD_LENGTHS), rng.choice(_ABSURD_LENGTHS))
    return data[: place + 6] + side + data[place + 14 :]


def both_sizes(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """DICOM header and compressed data that agree on an enormous image."""
    pixels = file.get(PIXEL_DATA)
    if pixels is None or not pixels.undefined:
        return None
    side = rng.choice((4096, 16000, 32767, 65535))
    table, *parts = fragments(pixels.value) or [b""]
    for which, data in enumerate(parts):
        for marker in (0xC0, 0xC1, 0xC3, 0xF7):
            place = data.find(bytes((0xFF, marker)))
            if place >= 0:
                parts[which] = data[: place + 5] + struct.pack(">HH", side, side) + data[place + 9 :]
                break
        else:
            place = data.find(b"\xff\x51")
            if place >= 0:
                parts[which] = data[: place + 6] + struct.pack(">II", side, side) + data[place + 14 :]
                parts[which] = parts[which][: place + 22] + struct.pack(">II", side, side) + parts[which][place + 30 :]
    stated = file.short(side)
    return file.put(
        Element(ROWS, b"US", stated), Element(COLUMNS, b"US", stated), replace(pixels, value=joined([table, *parts]))
    )


def deflated_bomb(file: DicomFile, rng: random.Random) -> bytes | None:
    """A data set that inflates to a thousand times its size."""
    if not file.deflated:
        return None
    from fuzz.elements import build

    kind = rng.randrange(3)

    def compress(body: bytes) -> bytes:
        packer = zlib.compressobj(9, wbits=-15)
        made = packer.compress(body if kind else body[:1200])
        for _ in range(600):
            made += packer.compress(bytes(1 << 20))
        return made + (packer.flush() if kind < 2 else b"")

    return build(file, compress)


BYTES: dict[str, Bytes] = {
    f.__name__: f
    for f in (flip, insert, delete, truncate, run_of_one, repeat, swap_stretches, overwrite_number, nothing_but_noise)
}
STRUCTURE: dict[str, Structure] = {
    f.__name__: f
    for f in (
        length_field, value_representation, order_of_tags, duplicates, missing, empty_or_noise, nested, deep, items_broken,
        group_length, file_meta, sizes, bomb, numbers, texts, tables, offset_tables, fragment_damage, codestream, both_sizes,
    )
}  # fmt: skip


def _even(value: bytes) -> bytes:
    return value + b" " * (len(value) % 2)
