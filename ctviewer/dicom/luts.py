"""Look-up tables of a file: items of a Modality LUT or VOI LUT Sequence (PS3.3 C.11.1, C.11.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from ctviewer.dicom.deflated import undeflated
from ctviewer.dicom.limited import LimitedFile
from ctviewer.dicom.storage import open_file

_DESCRIPTOR, _EXPLANATION, _TYPE, _DATA = 0x0028_3002, 0x0028_3003, 0x0028_3004, 0x0028_3006
_WHOLE = 65536  # entries where the descriptor says 0
_BYTES = ("OB", "UN")  # value representations that know no words, and so no byte order


@dataclass(frozen=True, eq=False)
class Lut:
    """One table.

    Attributes:
        first: value that the first entry stands for, as unsigned 16 bits: whether it is signed depends on the values.
        bits: of an entry.
        entries: `[entries]`.
        explanation, kind: raw text of LUT Explanation and Modality LUT Type.
    """

    first: int
    bits: int
    entries: NDArray[np.uint16]
    explanation: bytes = b""
    kind: bytes = b""

    def first_below(self, highest: float) -> int:
        """`first`, taken as negative where it would lie above the highest value that there can be."""
        return self.first - _WHOLE if self.first > 32767 and self.first > highest else self.first


def read_luts(path: Path, sequence: int) -> list[Lut]:
    """The usable tables of a sequence of a file, in its order; none where it cannot be read."""
    try:
        with open_file(path) as (file, _), undeflated(file) as plain:
            dataset = pydicom.dcmread(LimitedFile(plain), stop_before_pixels=True, specific_tags=[sequence], force=True)
        items: Sequence[Dataset] = dataset[sequence].value or ()
        found = [_lut(item) for item in items]
    except Exception:  # noqa: BLE001 - boundary: a malformed sequence can raise nearly anything inside pydicom
        return []
    return [lut for lut in found if lut is not None]


def raw_value(item: Dataset, tag: int) -> tuple[bytes, bool, str]:
    """Bytes of an element as in the file, whether they are little endian, and its VR; no bytes where it is absent.

    Not the value that pydicom makes of it: the descriptor's type depends on other attributes, that of the data on the
    writer, and a wrong VR is common.
    """
    element = item.get_item(tag)
    if not isinstance(element, RawDataElement) or not isinstance(element.value, bytes):
        return b"", True, ""
    return element.value, element.is_little_endian, element.VR or ""


def swapped_pairs(data: bytes) -> bytes:
    """Bytes of 16-bit words in the other order; an odd last one is a word with a zero."""
    return np.frombuffer(data + b"\0" * (len(data) % 2), np.uint16).byteswap().tobytes()


def _lut(item: Dataset) -> Lut | None:
    descriptor, little, _ = raw_value(item, _DESCRIPTOR)
    if len(descriptor) < 6:
        return None
    count, first, bits = (int(word) for word in np.frombuffer(descriptor, "<u2" if little else ">u2", 3))
    entries = _entries(item, count or _WHOLE, bits)
    if entries is None:
        return None
    explanation, kind = raw_value(item, _EXPLANATION)[0], raw_value(item, _TYPE)[0]
    return Lut(first, _true_bits(entries, bits), entries, explanation, kind)


def _entries(item: Dataset, count: int, bits: int) -> NDArray[np.uint16] | None:
    """Entries of 16 bits, or packed ones of 8 where the length says so; None where they are too few."""
    data, little, vr = raw_value(item, _DATA)
    if len(data) >= 2 * count:
        return np.frombuffer(data, "<u2" if little else ">u2", count).astype(np.uint16)
    if bits > 8 or len(data) < count:
        return None
    packed = data if little or vr in _BYTES else swapped_pairs(data)
    return np.frombuffer(packed, np.uint8, count).astype(np.uint16)


def _true_bits(entries: NDArray[np.uint16], stated: int) -> int:
    """Bits of white: as stated, but for tables that go beyond, and for those that reach less than half of it.

    Some writers state the bits an entry takes in memory (16) instead of those it uses (10 or 12): the image would be black.
    """
    used = max(1, int(entries.max()).bit_length())
    return used if not 1 <= stated <= 16 or used > stated or (stated > 8 and used < stated) else stated
