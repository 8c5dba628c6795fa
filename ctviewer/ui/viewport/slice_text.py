"""The words in a viewport: window, slice, position, value. Plain strings, no Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctviewer.core.geometry import Geometry, Plane, Vector
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import Window

_AXIS = {Plane.SAGITTAL: 0, Plane.CORONAL: 1, Plane.AXIAL: 2}


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
    """A number as the reader writes it: whole where it is, else four significant digits."""
    return f"{value:.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:.4g}"


def window_text(window: Window) -> str:
    """For instance "W 1500 L -600"."""
    return f"W {number(window.width)} L {number(window.centre)}"


def slice_number(geometry: Geometry, index: int) -> int:
    """The slice's number as shown, from 1, in the order of display."""
    return int(np.flatnonzero(geometry.display_order == index)[0]) + 1


def place_text(geometry: Geometry, index: int) -> str:
    """Where a slice lies: "z -212.1 mm" at its middle, along the patient axis nearest its normal; empty without positions.

    An oblique slice has no single coordinate; its distance along the normal is called "loc".
    """
    if geometry.origins is None:
        return ""
    axis = _AXIS.get(geometry.plane)
    if axis is None:
        locations = geometry.locations
        return "" if locations is None else f"loc {locations[index]:.1f} mm"
    _, rows, columns = geometry.shape
    middle = geometry.point(index, (rows - 1) / 2, (columns - 1) / 2)
    point = geometry.origins[index] if middle is None else middle
    return f"{'xyz'[axis]} {point[axis]:.1f} mm"


def cursor_place_text(position: Vector) -> str:
    """LPS mm under the cursor."""
    return "x {:.1f} y {:.1f} z {:.1f} mm".format(*position)


def value_text(info: HoverInfo) -> str:
    """The value under the cursor with its unit, a dash where there is none."""
    shown = "–" if info.value is None else number(round(info.value) if info.unit == "HU" else info.value)
    return f"{info.unit} {shown}".strip()
