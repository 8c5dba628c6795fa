"""Changes that the standard allows or that every reader takes: the file must open with equal pixels, and say no more."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import replace

from fuzz.elements import LONG_VRS, PIXEL_DATA, DicomFile, Element, fragments, joined

Change = Callable[[DicomFile, random.Random], DicomFile | None]

_OPTIONAL = (
    0x0008_0020, 0x0008_0030, 0x0008_0050, 0x0008_0070, 0x0008_0090, 0x0008_1030, 0x0008_2218, 0x0010_0030, 0x0010_0040,
    0x0018_0015, 0x0018_0050, 0x0018_0060, 0x0020_0012, 0x0028_1050, 0x0028_1051,
)  # fmt: skip
_PREAMBLES = (
    b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"SIGNA", b"\xff" * 128, b"\x08\0\x05\0" * 32, b"\x02\0\0\0UL\x04\0", b"PK\x03\x04",
    b"\x89PNG\r\n\x1a\n", b"P" * 128, b"%PDF-1.4",
)  # fmt: skip


def preamble(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """Any bytes before "DICM" (PS3.10 7.1: a TIFF header, for instance)."""
    return None if file.preamble is None else replace(file, preamble=rng.choice(_PREAMBLES).ljust(128, b"\0"))


def private_elements(file: DicomFile, rng: random.Random) -> DicomFile:
    """Private blocks, with values as long as anything (PS3.5 7.8)."""
    group = rng.choice((0x0009, 0x0011, 0x0019, 0x0029, 0x0043, 0x7FD1)) << 16
    values = [
        Element(group | 0x1000 + n, rng.choice((b"OB", b"LO", b"UN", b"DS")), b"12" * rng.choice((0, 1, 50, 9000)))
        for n in range(3)
    ]
    values = [one if one.vr in LONG_VRS else replace(one, value=one.value[:64]) for one in values]
    return file.put(Element(group | 0x10, b"LO", b"CTVIEWER FUZZ "), *values)


def sequences(file: DicomFile, rng: random.Random) -> DicomFile:
    """Sequences in sequences that hold tags which mean something outside."""
    undefined = rng.random() < 0.5
    inner = (Element(0x0008_0018, b"UI", b"9.9\0"), Element(0x0028_0010, b"US", file.short(9)))
    depth = rng.choice((0, 1, 5, 12))
    made = Element(0x0008_1115, b"SQ", items=(inner,) * rng.choice((0, 1, 3)), undefined=undefined)
    for _ in range(depth):
        made = Element(0x0008_1115, b"SQ", items=((made,),), undefined=rng.random() < 0.5)
    return file.put(made)


def sequence_lengths(file: DicomFile, rng: random.Random) -> DicomFile:
    """All sequences with undefined length, or all with defined length."""
    undefined = rng.random() < 0.7

    def change(elements: tuple[Element, ...]) -> tuple[Element, ...]:
        return tuple(
            one
            if one.items is None
            else replace(one, undefined=undefined, items=tuple(change(item) for item in one.items))
            for one in elements
        )

    return replace(file, elements=change(file.elements))


def group_lengths(file: DicomFile, rng: random.Random) -> DicomFile:
    """Group lengths (retired, PS3.5 7.2), right or wrong."""
    groups = rng.sample((0x0008, 0x0010, 0x0018, 0x0020, 0x0028, 0x7FE0), rng.choice((1, 3, 6)))
    return file.put(*(Element(group << 16, b"UL", rng.randbytes(4)) for group in groups))


def meta_length(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """File meta information whose length is wrong or absent: writers get it wrong, readers go by the group."""
    return replace(file, group_length=rng.choice((-1, 0, 10, 400))) if file.meta else None


def after_the_pixels(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """Data Set Trailing Padding (FFFC,FFFC) or a signature after the pixels."""
    length = rng.choice((0, 2, 500))
    signature = Element(0xFFFA_FFFA, b"SQ", items=((Element(0x0400_0005, b"US", file.short(1)),),))
    return file.put(
        *rng.choice(
            (
                (Element(0xFFFC_FFFC, b"OB", bytes(length)),),
                (signature,),
                (signature, Element(0xFFFC_FFFC, b"OB", bytes(2))),
            )
        )
    )


def trailing_bytes(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """Bytes after everything: a block of the medium filled up."""
    return None if file.deflated else replace(file, tail=rng.choice((bytes(1), bytes(512), b"\xff" * 10, b"x" * 3000)))


def longer_pixels(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """Uncompressed pixels with a pad behind them."""
    pixels = file.get(PIXEL_DATA)
    if pixels is None or pixels.undefined:
        return None
    return file.put(replace(pixels, value=pixels.value + bytes(rng.choice((2, 4, 256)))))


def unknown_representations(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """Elements written as UN (PS3.5 6.2.2: any application may)."""
    if not file.explicit or not file.little:
        return None
    chosen = [one for one in file.elements if one.items is None and one.tag != PIXEL_DATA]
    chosen = rng.sample(chosen, min(len(chosen), rng.choice((1, 3, 99))))
    return file.put(*(replace(one, vr=b"UN") for one in chosen))


def padded_values(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """Spaces behind texts and numbers, NULs where writers put them."""
    chosen = [one for one in file.elements if one.vr in (b"DS", b"IS", b"LO", b"SH", b"CS", b"PN", b"UI")]
    pads = {b"UI": (b"\0\0", b" \0", b"  ")}
    return file.put(*(
        replace(one, value=one.value + rng.choice(pads.get(one.vr, (b"  ", b" \0", b"\0\0"))))
        for one in rng.sample(chosen, min(len(chosen), rng.choice((1, 4, 99))))
    ))  # fmt: skip


def optional_missing(file: DicomFile, rng: random.Random) -> DicomFile:
    """Without attributes that no picture needs."""
    return file.drop(*rng.sample(_OPTIONAL, rng.choice((1, 3, len(_OPTIONAL)))))


def many_fragments(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """The one frame in several fragments (PS3.5 A.4), without an offset table."""
    pixels = file.get(PIXEL_DATA)
    if pixels is None or not pixels.undefined or file.get(0x0028_0008) is not None:
        return None
    _, whole = fragments(pixels.value)
    cuts = sorted(2 * rng.randrange(1, len(whole) // 2) for _ in range(rng.choice((1, 2, 6))))
    parts = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True) if a < b]
    return file.put(replace(pixels, value=joined([rng.choice((b"", struct.pack("<I", 0))), *parts])))


def no_end_mark(file: DicomFile, rng: random.Random) -> DicomFile | None:
    """Fragments without the Sequence Delimitation Item behind the last one: nothing of the image is missing."""
    pixels = file.get(PIXEL_DATA)
    return None if pixels is None or not pixels.undefined else file.put(replace(pixels, ended=False))


def number_forms(file: DicomFile, rng: random.Random) -> DicomFile:
    """The same numbers in other forms that DS allows."""
    return file.put(
        Element(0x0028_1053, b"DS", rng.choice((b"1.0 ", b"+1", b"1E0 ", b" 1", b"1.000000 "))),
        Element(0x0028_1052, b"DS", rng.choice((b"-1024.0 ", b"-1.024e3", b" -1024 "))),
    ) if file.get(0x0028_1053) else replace(file)  # fmt: skip


CHANGES: dict[str, Change] = {
    f.__name__: f
    for f in (
        preamble, private_elements, sequences, sequence_lengths, group_lengths, meta_length, after_the_pixels, trailing_bytes,
        longer_pixels, unknown_representations, padded_values, optional_missing, many_fragments, no_end_mark, number_forms,
    )
}  # fmt: skip
