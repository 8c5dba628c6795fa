"""Overlay planes of a file (PS3.3 C.9.2), those of the retired form too that lie in unused bits of the pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ctviewer.codecs import Image
from ctviewer.core.errors import DecodeError
from ctviewer.core.overlays import OverlayPlane
from ctviewer.dicom import tags
from ctviewer.dicom.deflated import undeflated
from ctviewer.dicom.header import Header
from ctviewer.dicom.limited import LimitedFile
from ctviewer.dicom.luts import raw_value, swapped_pairs
from ctviewer.dicom.pixels import PixelSource, SliceSource, empty
from ctviewer.dicom.record import Slice
from ctviewer.dicom.storage import open_file
from ctviewer.dicom.text import clean, decode

_ROWS, _COLUMNS, _FRAMES, _DESCRIPTION, _TYPE = 0x10, 0x11, 0x15, 0x22, 0x40
_ORIGIN, _FIRST_FRAME, _BITS, _BIT, _LABEL, _DATA = 0x50, 0x51, 0x100, 0x102, 0x1500, 0x3000
_WANTED = [
    group | element
    for group in range(0x6000_0000, 0x6020_0000, 0x2_0000)
    for element in (
        *(_ROWS, _COLUMNS, _FRAMES, _DESCRIPTION, _TYPE),
        *(_ORIGIN, _FIRST_FRAME, _BITS, _BIT, _LABEL, _DATA),
    )
]


def has_overlays(header: Header) -> bool:
    """Whether a file says that it has overlay planes."""
    return not tags.OVERLAY_ROWS.isdisjoint(header.values)


class _File:
    """The overlay attributes of one file, read once for all its frames and let go after the last one."""

    def __init__(self, path: Path, frames: int) -> None:
        self._path, self._frames, self._left = path, frames, frames
        self._dataset: Dataset | None = None
        self._lock = Lock()

    def dataset(self) -> Dataset:
        """The attributes, for one of the frames."""
        with self._lock:
            if self._dataset is None:
                with open_file(self._path) as (file, _), undeflated(file) as plain:
                    self._dataset = pydicom.dcmread(
                        LimitedFile(plain), stop_before_pixels=True, specific_tags=_WANTED, force=True
                    )
            found = self._dataset
            self._left -= 1
            if self._left <= 0:
                self._dataset, self._left = None, self._frames
            return found


@dataclass(frozen=True, slots=True, eq=False)
class OverlaySource:
    """Where the overlay planes of one slice come from.

    Attributes:
        file: that of the slice.
        frame: which of its frames the slice is, from 0.
        character_set: raw Specific Character Set of the file.
        pixels: of the same slice, for planes that lie in its pixels; None where they cannot be read.
    """

    file: _File
    frame: int
    character_set: bytes
    pixels: PixelSource | None

    def read(self) -> tuple[OverlayPlane, ...]:
        """The planes in the order of their groups; blank and damaged ones are left out. Never fails."""
        try:
            return tuple(self._planes(self.file.dataset()))
        except Exception:  # noqa: BLE001 - boundary: a malformed file can raise nearly anything inside pydicom
            return ()

    def _planes(self, dataset: Dataset) -> Iterator[OverlayPlane]:
        words: Image | None = None
        for tag in sorted(tags.OVERLAY_ROWS):
            if tag not in dataset:
                continue
            attributes = _Attributes(dataset, tag & 0xFFFF_0000)
            number = attributes.number_of(self.frame)
            if number is None:
                continue
            if attributes.data:
                bits = attributes.bits(number)
            else:
                words = self._words() if words is None else words
                bits = None if words is None or self.pixels is None else attributes.embedded(words, self.pixels)
            if bits is not None and bits.any():
                yield attributes.plane(bits, self.character_set)

    def _words(self) -> Image | None:
        if self.pixels is None:
            return None
        try:
            return self.pixels.words(empty((self.pixels.format.rows, self.pixels.format.columns), signed=False))
        except DecodeError:  # told where the pixels themselves are read
            return None


def overlay_sources(stack: Sequence[Slice], pixels: Sequence[SliceSource]) -> dict[int, OverlaySource]:
    """The sources of those slices that have overlay planes, by their place in the stack."""
    having = [i for i, one in enumerate(stack) if has_overlays(one.header)]
    counts = Counter(stack[i].path for i in having)
    files = {path: _File(path, count) for path, count in counts.items()}
    return {
        i: OverlaySource(
            files[stack[i].path],
            stack[i].frame,
            stack[i].header.values.get(tags.SPECIFIC_CHARACTER_SET, b""),
            source if isinstance(source := pixels[i], PixelSource) else None,
        )
        for i in having
    }


class _Attributes:
    """The Overlay Plane module of one group."""

    def __init__(self, dataset: Dataset, group: int) -> None:
        self._dataset, self._group = dataset, group
        self.rows, self.columns = self._short(_ROWS) or 0, self._short(_COLUMNS) or 0
        data, little, vr = raw_value(dataset, group | _DATA)
        self.data = data if little or vr != "OW" else swapped_pairs(data)

    def number_of(self, frame: int) -> int | None:
        """Which of its frames lies on a frame of the image; None for none. One that says nothing lies on all."""
        stated = raw_value(self._dataset, self._group | _FRAMES)[0].strip(b" \0")
        count, first = int(stated) if stated.isdigit() else 1, self._short(_FIRST_FRAME)
        if first is None and count == 1:
            return 0
        number = frame - max((first or 1) - 1, 0)
        return number if 0 <= number < count else None

    def bits(self, number: int) -> NDArray[np.uint8] | None:
        """One frame of the data, packed from its own first bit on: frames follow each other without padding."""
        count = self.rows * self.columns
        if not count or len(self.data) * 8 < (number + 1) * count:
            return None
        packed = np.frombuffer(self.data, np.uint8)
        if number * count % 8 == 0:
            start = number * count // 8
            mine = packed[start : start + -(-count // 8)].copy()
            mine[-1] &= 0xFF >> -count % 8  # what follows the last pixel is padding, or the next frame
            return mine
        first, last = number * count // 8, -(-(number + 1) * count // 8)
        flat = np.unpackbits(packed[first:last], bitorder="little")[number * count % 8 :][:count]
        return np.packbits(flat, bitorder="little")

    def embedded(self, words: Image, pixels: PixelSource) -> NDArray[np.uint8] | None:
        """A plane in a bit of the pixels that is not part of their value; None where it claims to be one that is."""
        position, layout = self._short(_BIT), pixels.format
        if position is None or self._short(_BITS) != layout.bits_allocated or (self.rows, self.columns) != words.shape:
            return None
        if not layout.high_bit < position < layout.bits_allocated and position > layout.high_bit - layout.bits_stored:
            return None
        unsigned = words.view(words.dtype.str.replace("i", "u"))
        return np.packbits((unsigned >> position & 1).astype(bool), bitorder="little")

    def plane(self, bits: NDArray[np.uint8], character_set: bytes) -> OverlayPlane:
        raw, little, _ = raw_value(self._dataset, self._group | _ORIGIN)
        origin = np.frombuffer(raw, "<i2" if little else ">i2", 2).tolist() if len(raw) >= 4 else (1, 1)
        label, description = (
            clean(decode(raw_value(self._dataset, self._group | element)[0], character_set))
            for element in (_LABEL, _DESCRIPTION)
        )
        roi = raw_value(self._dataset, self._group | _TYPE)[0].strip(b" \0").upper() == b"R"
        return OverlayPlane(self.rows, self.columns, origin[0] - 1, origin[1] - 1, bits, roi, label, description)

    def _short(self, element: int) -> int | None:
        raw, little, _ = raw_value(self._dataset, self._group | element)
        return int.from_bytes(raw[:2], "little" if little else "big") if len(raw) >= 2 else None
