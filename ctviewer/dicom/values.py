"""What stored values mean: unit, rescale, modality LUT, padding, windows."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from ctviewer.core.windowing import VoiFunction, Window
from ctviewer.dicom import tags
from ctviewer.dicom.record import Slice
from ctviewer.dicom.storage import open_file
from ctviewer.dicom.text import clean

_NOT_HU = re.compile(
    r"IODINE|WATER|CALCIUM|URIC|EFF_ATOMIC|ELECTRON|DENSITY|Z_EFF|MAT_|MATERIAL|FRACTION|PERFUSION|RCBF|RCBV|MTT|PHOTO"
)
"""Image type values of spectral and perfusion maps (PS3.3 C.8.15.3.1, vendors' own): their numbers are no HU."""


def unit_of(one: Slice) -> str:
    """The unit of rescaled values: "HU" only where the file says so, or says nothing and the image is plain CT."""
    stated = one.header.text(tags.RESCALE_TYPE)
    if one.modality != "CT":
        return one.header.text(tags.UNITS) or ("" if stated == "US" else stated)
    if one.rescale is None or _NOT_HU.search("\\".join(one.image_type)) or one.is_localizer:
        return stated if stated not in ("HU", "US") else ""
    if stated in ("", "HU"):
        return "HU"
    return "" if stated == "US" else stated


def windows_of(one: Slice) -> tuple[Window, ...]:
    """The windows of a file in its order; pairs that are not valid are left out."""
    header = one.header
    stated = header.text(tags.VOI_LUT_FUNCTION).upper()
    function = VoiFunction(stated) if stated in VoiFunction.__members__ else VoiFunction.LINEAR
    pairs = zip(header.numbers(tags.WINDOW_CENTER), header.numbers(tags.WINDOW_WIDTH), strict=False)
    found: list[Window] = []
    for pair, name in zip_longest(pairs, header.strings(tags.WINDOW_EXPLANATION), fillvalue=None):
        if isinstance(pair, tuple):
            with contextlib.suppress(ValueError):
                found.append(Window(pair[0], pair[1], function, name if isinstance(name, str) else ""))
    return tuple(found)


def padding_of(stack: Sequence[Slice]) -> tuple[tuple[int, int] | None, bool]:
    """The padding range that most slices state, of those that state one, and whether all state the same."""
    stated = [one.padding for one in stack]
    counts = Counter(padding for padding in stated if padding is not None)
    return counts.most_common(1)[0][0] if counts else None, len(set(stated)) <= 1


def modality_lut(one: Slice) -> tuple[tuple[int, NDArray[np.uint16]], str] | None:
    """First stored value, table and unit of a Modality LUT Sequence (PS3.3 C.11.1); None where it is not usable."""
    try:
        with open_file(one.path) as (file, _):
            dataset = pydicom.dcmread(file, stop_before_pixels=True, force=True)
        item = dataset.ModalityLUTSequence[0]
        count, first, _ = (int(value) for value in item.LUTDescriptor)
        table = _table(item["LUTData"].value, dataset.original_encoding[1] is not False)
        unit = clean(str(item.get("ModalityLUTType", "") or ""))
    except Exception:  # noqa: BLE001 - boundary: a malformed sequence can raise nearly anything inside pydicom
        return None
    count = count or 65536
    if one.signed and first > 32767:
        first -= 65536
    if table.size < count:
        return None
    return (first, table[:count]), "" if unit == "US" else unit


def _table(value: Any, little: bool) -> NDArray[np.uint16]:
    if isinstance(value, bytes):
        return np.frombuffer(value, "<u2" if little else ">u2").astype(np.uint16)
    return np.array(value, dtype=np.uint16).reshape(-1)
