"""One slice as the scan knows it: what decides order and splitting, taken from its header."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.codecs import LOSSY, PixelFormat
from ctviewer.core.geometry import Vector
from ctviewer.dicom import tags
from ctviewer.dicom.frame_file import FrameFile
from ctviewer.dicom.header import DamagedError, Header, PixelLocation

_LOCALIZER = re.compile(r"scout|topogram|localizer|localiser|surview|scanogram|scano\b", re.IGNORECASE)
_DERIVED = re.compile(r"\b(derived|mpr|mip|minip|mpvr|reformat\w*|vrt?|3-?d|screen)\b", re.IGNORECASE)
_ABSURD = 1e7  # numbers beyond it, or slopes and spacings below its inverse, are damage
_IMAGE_CLASSES = frozenset(  # CT, MR and PET, each classic, Enhanced and Legacy Converted
    f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "2.1", "2.2", "4", "4.1", "4.4", "128", "128.1", "130")
)
_MONOCHROME = ("MONOCHROME1", "MONOCHROME2")


@dataclass(slots=True, eq=False)
class Slice:
    """A slice on its way into a series.

    Attributes:
        orientation: row cosines then column cosines `[6]`, orthonormal; None where absent or impossible.
        position: ImagePositionPatient, LPS mm; None where absent.
        decimals: decimal places of the position as written.
        spacing: mm between rows, mm between columns; None where absent or impossible.
        frames: frames of the file that this slice stands for; 1 where each frame has become a slice of its own.
        frame: which frame of its file this slice is, from 0.
        file: what the frames of its file share; None for a classic file of one slice.
        frame_number: which frame it is, from 1, where its instance number does not say it alone; see `frames.join`.
        location: mm along the normal; set when the stack is put in order.
    """

    path: Path
    header: Header
    sop_instance_uid: str
    instance_number: int | None
    acquisition_number: int | None
    orientation: NDArray[np.float64] | None
    position: Vector | None
    decimals: int
    spacing: tuple[float, float] | None
    rows: int
    columns: int
    image_type: tuple[str, ...]
    photometric: str
    frames: int
    kernel: str
    frame: int = 0
    file: FrameFile | None = None
    frame_number: int | None = None
    location: float = field(default=0.0)
    _format: list[PixelFormat | None] = field(
        default_factory=list, init=False, repr=False
    )  # empty until it is asked for

    @classmethod
    def from_header(cls, path: Path, header: Header) -> Slice:
        """Take what decides order and splitting from a header.

        Raises:
            DamagedError: the pixels end before they should.
        """
        position = header.numbers(tags.IMAGE_POSITION_PATIENT)
        orientation = _orthonormal(header.numbers(tags.IMAGE_ORIENTATION_PATIENT))
        placed = len(position) == 3 and max(map(abs, position)) < _ABSURD and orientation is not None
        made = cls(
            path=path,
            header=header,
            sop_instance_uid=header.text(tags.SOP_INSTANCE_UID),
            instance_number=header.integer(tags.INSTANCE_NUMBER),
            acquisition_number=header.integer(tags.ACQUISITION_NUMBER),
            orientation=orientation if placed else None,
            position=(position[0], position[1], position[2]) if placed else None,
            decimals=header.decimals(tags.IMAGE_POSITION_PATIENT),
            spacing=_spacing(header.numbers(tags.PIXEL_SPACING)),
            rows=header.short(tags.ROWS) or 0,
            columns=header.short(tags.COLUMNS) or 0,
            image_type=tuple(part.upper() for part in header.strings(tags.IMAGE_TYPE)),
            photometric=header.text(tags.PHOTOMETRIC_INTERPRETATION).upper(),
            frames=header.integer(tags.NUMBER_OF_FRAMES) or 1,
            kernel=header.text(tags.CONVOLUTION_KERNEL),
        )
        made._require_whole_pixels()
        return made

    def _require_whole_pixels(self) -> None:
        """Refuse a file whose pixels are absent or, as far as its size tells, cut off."""
        location = self.pixels
        if location is None:
            if self.header.text(tags.SOP_CLASS_UID) in _IMAGE_CLASSES:
                raise DamagedError("it has no pixels")
            return
        if location.cut:
            raise DamagedError("it ends in the middle of the pixels")
        frame_bytes = self.rows * self.columns * (self.header.short(tags.BITS_ALLOCATED) or 0) // 8
        if location.fragments:
            location.require_room_for(frame_bytes, self.frames)
            return
        if self.is_colour:  # colour may be subsampled, and is not shown
            return
        if location.length < frame_bytes * self.frames:
            raise DamagedError("it ends in the middle of the pixels")

    @property
    def pixels(self) -> PixelLocation | None:
        """Where the pixels lie."""
        return self.header.pixels

    @property
    def modality(self) -> str:
        """Modality, "OT" where absent."""
        return self.header.text(tags.MODALITY).upper() or "OT"

    @property
    def is_localizer(self) -> bool:
        """Whether its image type says that this is a scout."""
        return "LOCALIZER" in self.image_type or "SCOUT" in self.image_type

    @property
    def is_named_localizer(self) -> bool:
        """Whether the series' description calls it a scout."""
        return bool(_LOCALIZER.search(self.header.text(tags.SERIES_DESCRIPTION)))

    @property
    def is_derived(self) -> bool:
        """Whether its image type, or else the series' description, says that it was made from other images.

        Where ImageType is absent nothing is known, and an image is taken for an original.
        """
        if self.image_type and self.image_type[0] in ("ORIGINAL", "DERIVED"):
            return self.image_type[0] == "DERIVED"
        return bool(_DERIVED.search(self.header.text(tags.SERIES_DESCRIPTION)))

    @property
    def is_colour(self) -> bool:
        """Whether it has more than one sample per pixel, or a palette."""
        return (self.header.short(tags.SAMPLES_PER_PIXEL) or 1) != 1 or self.photometric not in _MONOCHROME

    @property
    def signed(self) -> bool:
        """Whether stored values are two's complement."""
        return self.header.short(tags.PIXEL_REPRESENTATION) == 1

    @property
    def pixel_format(self) -> PixelFormat | None:
        """How a word holds a value, None where the header contradicts itself or is of a kind not supported."""
        if not self._format:
            self._format.append(self._find_format())
        return self._format[0]

    def _find_format(self) -> PixelFormat | None:
        header = self.header
        allocated, stored = header.short(tags.BITS_ALLOCATED), header.short(tags.BITS_STORED)
        if allocated not in (8, 16) or not self.rows or not self.columns:
            return None
        stored = stored or allocated
        high = header.short(tags.HIGH_BIT)
        if high is None or (self._compressed and not stored - 1 <= high < allocated):  # a codestream says itself
            high = stored - 1
        if not 1 <= stored <= allocated or not stored - 1 <= high < allocated:
            return None
        if not _fits(self.padding, stored, self.signed) and not self._has_graphics_above(high):
            stored, high = (
                allocated,
                allocated - 1,
            )  # padding outside the stored bits: clearing them would turn it to values
        return PixelFormat(self.rows, self.columns, allocated, stored, high, self.signed)

    def _has_graphics_above(self, high: int) -> bool:
        """Whether an overlay plane lies in bits above the value: these must be cleared whatever the padding is."""
        positions = (self.header.short(tag) for tag in tags.OVERLAY_BIT_POSITIONS)
        return any(position is not None and position > high for position in positions)

    @property
    def rescale(self) -> tuple[float, float] | None:
        """Rescale slope and intercept, None where either is absent or impossible."""
        slope, intercept = self.header.number(tags.RESCALE_SLOPE), self.header.number(tags.RESCALE_INTERCEPT)
        if slope is None or intercept is None or not 1 / _ABSURD < abs(slope) < _ABSURD or abs(intercept) > _ABSURD:
            return None
        return slope, intercept

    @property
    def lossy(self) -> bool:
        """Whether it was compressed with loss at some time."""
        return self.header.text(tags.LOSSY_IMAGE_COMPRESSION) == "01" or self.header.syntax in LOSSY

    @property
    def _compressed(self) -> bool:
        return self.pixels is not None and bool(self.pixels.fragments)

    @property
    def padding(self) -> tuple[int, int] | None:
        """Stored values from..to that are padding (PS3.3 C.7.5.1.1.2), None where the file names none."""
        value = self._stored_value(tags.PIXEL_PADDING_VALUE)
        if value is None:
            return None
        limit = self._stored_value(tags.PIXEL_PADDING_RANGE_LIMIT)
        return (value, value) if limit is None else (min(value, limit), max(value, limit))

    def _stored_value(self, tag: int) -> int | None:
        """A value that is US or SS by the pixel representation, whatever the file says."""
        value = self.header.short(tag)
        return value - 65536 if value is not None and self.signed and value > 32767 else value


def _fits(padding: tuple[int, int] | None, bits: int, signed: bool) -> bool:
    if padding is None:
        return True
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return least <= padding[0] and padding[1] <= most


def _spacing(values: tuple[float, ...]) -> tuple[float, float] | None:
    if len(values) != 2 or min(values) <= 1 / _ABSURD or max(values) >= _ABSURD:
        return None
    return values[0], values[1]


def _orthonormal(values: tuple[float, ...]) -> NDArray[np.float64] | None:
    """Row and column cosines made exactly unit length and perpendicular; None where they give no two such directions."""
    if len(values) != 6:
        return None
    row, column = np.array(values[:3]), np.array(values[3:])
    lengths = math.dist(row, (0, 0, 0)), math.dist(column, (0, 0, 0))
    if not 0.1 < min(lengths) <= max(lengths) < 10:
        return None
    row, column = row / lengths[0], column / lengths[1]
    if abs(float(row @ column)) > 0.01:
        return None
    column = column - row * float(row @ column)
    return np.concatenate([row, column / np.linalg.norm(column)]) + 0.0  # -0.0 is 0.0
