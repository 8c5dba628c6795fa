"""What there is to know of one series, in one place: `ctviewer info` prints it, the window's panel shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.geometry import Vector
from ctviewer.core.series import Severity, VolumeUse
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import Voi


class Order(Enum):
    """What the order of the slices follows."""

    POSITION = "position along the normal"
    IMAGE_NUMBER = "image number"
    FILE_NAME = "file name"


@dataclass(frozen=True)
class SliceMention:
    """One slice as warnings name it.

    Attributes:
        index: volume index.
        citation: `Se 3 / Im 45`.
        location: mm along the right-handed normal; None without positions.
        place: where it lies, as it stands on the image: "z -212.1 mm"; empty without positions.
        file: name of its file, safe to print.
        frame: of a multi-frame file, from 0.
    """

    index: int
    citation: str
    location: float | None
    file: str
    frame: int = 0
    place: str = ""


@dataclass(frozen=True)
class Concern:
    """One notice with the slices it concerns.

    Attributes:
        code, severity, text: as in `core.series.Notice`.
        slices: what it concerns, in volume order; empty for the whole series.
        files: names of files that are no slice (copies left out, for instance), safe to print.
    """

    code: str
    severity: Severity
    text: str
    slices: tuple[SliceMention, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeriesSummary:
    """All that is known of a series from its headers. Free of patient data but for what a description may hold.

    Attributes:
        key, uid, number, description, modality, body_part, kernel, manufacturer, model_name, kvp, contrast_agent,
            image_type, is_localizer, readable, reason, rows, columns, pixel_spacing, slice_spacing, thickness: as in
            `core.series.Series`.
        slice_count: slices, or files of what cannot be shown.
        plane: "axial", "coronal", ...
        row_cosines, column_cosines: unit vectors, LPS; None without orientation.
        letters: orientation letters at the left, right, top and bottom edge of the image as stored.
        order: what the order of the slices follows; None where there are no slices to show.
        slices: in the order shown (axial: head first); empty where there are no slices to show.
        syntaxes: UID and name of each transfer syntax with its number of slices; no UID for other formats.
        lossy_slices: how many were compressed with loss at some time.
        compression_ratio: the highest that a slice states.
        bits: (stored, allocated) bits per pixel with the number of slices of each.
        signed: whether the stored values are signed.
        unit: "HU", or the file's own; empty where unknown.
        slopes, intercepts: least and greatest rescale slope and intercept; None where there are no slices to show.
        windows: the middle slice's own windows, then its tables.
        padding: stored values from..to that are padding.
        inverted: MONOCHROME1.
        use, use_reason, questions: as in `core.series.Series`.
        warnings: every notice with its slices.
    """

    key: str
    uid: str
    number: int | None
    description: str
    modality: str
    readable: bool
    reason: str
    slice_count: int
    rows: int
    columns: int
    body_part: str = ""
    kernel: str = ""
    manufacturer: str = ""
    model_name: str = ""
    kvp: float | None = None
    contrast_agent: str = ""
    image_type: tuple[str, ...] = ()
    is_localizer: bool = False
    pixel_spacing: tuple[float, float] | None = None
    slice_spacing: float | None = None
    thickness: float | None = None
    plane: str = "unknown"
    row_cosines: Vector | None = None
    column_cosines: Vector | None = None
    letters: tuple[str, str, str, str] = ("", "", "", "")
    order: Order | None = None
    slices: tuple[SliceMention, ...] = ()
    syntaxes: tuple[tuple[str, str, int], ...] = ()
    lossy_slices: int = 0
    compression_ratio: float | None = None
    bits: tuple[tuple[int, int, int], ...] = ()
    signed: bool = False
    unit: str = ""
    slopes: tuple[float, float] | None = None
    intercepts: tuple[float, float] | None = None
    windows: tuple[Voi, ...] = ()
    padding: tuple[int, int] | None = None
    inverted: bool = False
    use: VolumeUse = VolumeUse.VOLUME
    use_reason: str = ""
    questions: tuple[str, ...] = ()
    warnings: tuple[Concern, ...] = ()


@dataclass(frozen=True)
class ValueRange:
    """The values of a series' pixels, padding and slices that could not be decoded left out.

    Attributes:
        low, high: in the series' unit; None where no pixel has a value.
        unit: "HU", or the file's own.
        failed: volume indices that could not be decoded.
        reason: why the first of them could not, in one sentence.
    """

    low: float | None
    high: float | None
    unit: str
    failed: tuple[int, ...] = ()
    reason: str = ""


Extremes = tuple[float, float]


def extremes(
    stored: NDArray[np.int16] | NDArray[np.uint16], padding: tuple[int, int] | None, slope: float, intercept: float
) -> Extremes | None:
    """Lowest and highest value of one slice `[rows, columns]`, rescaled; None where all of it is padding."""
    low, high = int(stored.min()), int(stored.max())
    if padding is not None and padding[0] <= high and padding[1] >= low:
        kept = stored[(stored < padding[0]) | (stored > padding[1])]
        if not kept.size:
            return None
        low, high = int(kept.min()), int(kept.max())
    ends = (low * slope + intercept, high * slope + intercept)
    return min(ends), max(ends)


def joined(found: list[Extremes], unit: str, failed: dict[int, str]) -> ValueRange:
    """One range from those of the slices and the reasons of the slices that failed."""
    indices = tuple(sorted(failed))
    return ValueRange(
        min((low for low, _ in found), default=None),
        max((high for _, high in found), default=None),
        unit,
        indices,
        failed[indices[0]] if indices else "",
    )


def values_of(volume: Volume) -> Iterator[Event]:
    """The range of a loaded volume, slice by slice.

    Yields:
        `Progress`, last `Done` with a `ValueRange`.
    """
    found: list[Extremes] = []
    failed: dict[int, str] = {}
    for index in range(volume.slice_count):
        if volume.failed[index]:
            failed[index] = ""
        else:
            slope, intercept = float(volume.slope[index]), float(volume.intercept[index])
            ends = extremes(volume.stored[index], volume.padding, slope, intercept)
            found += [] if ends is None else [ends]
        yield Progress("Measuring values", index + 1, volume.slice_count)
    yield Done(joined(found, volume.unit, failed))
