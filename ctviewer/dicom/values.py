"""What stored values mean: unit, rescale, modality LUT, padding, windows."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.windowing import Voi, VoiFunction, VoiTable, Window
from ctviewer.dicom import tags
from ctviewer.dicom.luts import Lut, read_luts
from ctviewer.dicom.record import Slice
from ctviewer.dicom.text import clean, decode

_NOT_HU = re.compile(
    r"IODINE|WATER|CALCIUM|URIC|EFF_ATOMIC|ELECTRON|DENSITY|Z_EFF|MAT_|MATERIAL|FRACTION|PERFUSION|RCBF|RCBV|MTT|PHOTO"
)
"""Image type values of spectral and perfusion maps (PS3.3 C.8.15.3.1, vendors' own): their numbers are no HU."""


def unit_of(one: Slice) -> str:
    """The unit of rescaled values: "HU" only where the file says so, or says nothing and the image is plain CT."""
    stated = one.header.text(tags.RESCALE_TYPE)
    if one.modality == "MR" or (one.rescale is None and one.header.has(tags.RESCALE_SLOPE) and one.modality != "CT"):
        return ""  # arbitrary; or values that cannot be brought into the unit stated
    if one.modality != "CT":
        return one.header.text(tags.UNITS) or ("" if stated == "US" else stated)
    if one.rescale is None or _NOT_HU.search("\\".join(one.image_type)) or one.is_localizer:
        return stated if stated not in ("HU", "US") else ""
    if stated in ("", "HU"):
        return "HU"
    return "" if stated == "US" else stated


def is_inverted(one: Slice) -> bool:
    """Whether the lowest value is white (MONOCHROME1, or Presentation LUT Shape INVERSE, which says the same)."""
    return one.photometric == "MONOCHROME1" or one.header.text(tags.PRESENTATION_LUT_SHAPE).upper() == "INVERSE"


def windows_of(one: Slice) -> tuple[Voi, ...]:
    """The windows of a file in its order, pairs that are not valid left out; then its VOI tables."""
    header = one.header
    stated = header.text(tags.VOI_LUT_FUNCTION).upper()
    function = VoiFunction(stated) if stated in VoiFunction.__members__ else VoiFunction.LINEAR
    centres, widths = header.strings(tags.WINDOW_CENTER), header.strings(tags.WINDOW_WIDTH)
    names = header.strings(tags.WINDOW_EXPLANATION)
    found: list[Voi] = []
    for centre, width, name in zip_longest(centres, widths, names, fillvalue=""):
        with contextlib.suppress(ValueError):  # no number, or no window
            found.append(Window(_number(centre), _number(width), function, name))
    return (*found, *_tables(one))


def _number(text: str) -> float:
    if "_" in text:  # float() would take 1_000
        raise ValueError
    return float(text)


def _tables(one: Slice) -> Iterator[VoiTable]:
    if not one.header.has(tags.VOI_LUT_SEQUENCE):
        return
    for lut in read_luts(one.path, tags.VOI_LUT_SEQUENCE):
        first = lut.first_below(_highest(one))
        yield VoiTable(first, lut.bits, lut.entries.astype("<u2").tobytes(), _text(one, lut.explanation))


def _highest(one: Slice) -> float:
    """The highest value that the slice can have: after its modality table, or stored value through slope and intercept."""
    pixels = one.pixel_format
    if pixels is None or one.header.has(tags.MODALITY_LUT_SEQUENCE):
        return 65535.0
    span = 1 << pixels.bits_stored
    low, high = (-span // 2, span // 2 - 1) if pixels.signed else (0, span - 1)
    slope, intercept = one.rescale or (1.0, 0.0)
    return max(low * slope, high * slope) + intercept


def _text(one: Slice, raw: bytes) -> str:
    return clean(decode(raw, one.header.values.get(tags.SPECIFIC_CHARACTER_SET, b"")))


def padding_of(stack: Sequence[Slice]) -> tuple[tuple[int, int] | None, bool]:
    """The padding range that most slices state, of those that state one, and whether all state the same."""
    stated = [one.padding for one in stack]
    counts = Counter(padding for padding in stated if padding is not None)
    return counts.most_common(1)[0][0] if counts else None, len(set(stated)) <= 1


def modality_lut(one: Slice) -> tuple[tuple[int, NDArray[np.uint16]], str] | None:
    """First stored value, table and unit of a Modality LUT Sequence (PS3.3 C.11.1); None where it is not usable."""
    found = read_luts(one.path, tags.MODALITY_LUT_SEQUENCE)
    if not found:
        return None
    unit = _text(one, found[0].kind)
    return (_first_stored(one, found[0]), found[0].entries), "" if unit == "US" else unit


def _first_stored(one: Slice, lut: Lut) -> int:
    return lut.first - 65536 if one.signed and lut.first > 32767 else lut.first
