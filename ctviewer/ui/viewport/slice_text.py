"""The words in a viewport: window, slice, position, value. Plain strings, no Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctviewer.core.geometry import Geometry, Vector
from ctviewer.core.units import unit_text
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import Voi, VoiTable


@dataclass(frozen=True)
class HoverInfo:
    """What lies under the cursor.

    Attributes:
        slice_index: volume index.
        row, column: of the pixel.
        value: in the volume's unit, from the stored value; None for padding or where the slice cannot be read.
        unit: "HU", or the file's own.
        position: LPS mm of the pixel's centre; None without positions or spacing.
    """

    slice_index: int
    row: int
    column: int
    value: float | None
    unit: str
    position: Vector | None


def hover_info(volume: Volume, index: int, row: int, column: int) -> HoverInfo:
    """Value and place of one voxel."""
    point = volume.geometry.point(index, row, column)
    position = None if point is None else (float(point[0]), float(point[1]), float(point[2]))
    return HoverInfo(index, row, column, volume.value_at(index, row, column), volume.unit, position)


def number(value: float) -> str:
    """A number as the reader writes it: whole where it is and not too long, else four significant digits."""
    whole = (float(value).is_integer() or abs(value) >= 1000) and abs(value) < 1e8
    return f"{value:.0f}" if whole else f"{value:.4g}"


def window_text(window: Voi) -> str:
    """For instance "W 1500 L -600", or the name of a table of the file: "LUT LUNG"."""
    if isinstance(window, VoiTable):
        return f"LUT {window.name}".strip()
    return f"W {number(window.width)} L {number(window.centre)}"


@dataclass(frozen=True)
class StackNames:
    """What the slices of a stack are called; made once for a volume, since every paint asks.

    Attributes:
        numbers: per volume index the number shown, from 1, in the order of display.
        places: per volume index where it lies (see `core.geometry.place_text`).
        letters: orientation letters at the left, right, top and bottom edge, as stored.
    """

    numbers: tuple[int, ...] = ()
    places: tuple[str, ...] = ()
    letters: tuple[str, str, str, str] = ("", "", "", "")


def stack_names(geometry: Geometry) -> StackNames:
    """Names of a stack's slices."""
    numbers = np.empty(geometry.shape[0], int)
    numbers[geometry.display_order] = np.arange(1, geometry.shape[0] + 1)
    return StackNames(tuple(numbers.tolist()), geometry.place_texts, geometry.edge_letters())


def cursor_place_text(position: Vector) -> str:
    """LPS mm under the cursor."""
    return "x {:.1f} y {:.1f} z {:.1f} mm".format(*position)


def value_text(info: HoverInfo) -> str:
    """The value under the cursor with its unit, a dash where there is none."""
    shown = "–" if info.value is None else number(round(info.value) if info.unit == "HU" else info.value)
    return f"{unit_text(info.unit)} {shown}".strip()
