"""Order of the slices of one stack, and its geometry."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ctviewer.core.geometry import Geometry
from ctviewer.dicom.directions import common_orientation, locations, normal, rounding
from ctviewer.dicom.record import Slice

_DIGITS = re.compile(r"(\d+)")


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A sorting key under which IM_9 comes before IM_10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name))


def in_order(stack: Sequence[Slice]) -> list[Slice]:
    """Slices along the right-handed normal, ascending; by InstanceNumber, then file name, where there are no positions.

    Slices at one position follow acquisition and instance number. Sets `location` of each slice.
    """
    orientation = common_orientation(stack)
    if orientation is not None:
        for one, place in zip(stack, locations(stack, normal(orientation)), strict=True):
            one.location = round(float(place), 4)  # below what positions are written with; makes equal positions equal
    return sorted(
        stack,
        key=lambda one: (
            one.location,
            one.acquisition_number or 0 if orientation is not None else 0,
            one.instance_number if one.instance_number is not None else 1 << 31,
            natural(str(one.path) if one.file is None else one.file.order),
            one.frame_number or one.frame,
        ),
    )


def geometry_of(stack: Sequence[Slice]) -> Geometry:
    """Geometry of slices that are in order."""
    first, orientation = stack[0], common_orientation(stack)
    shape = (len(stack), first.rows, first.columns)
    if orientation is None:
        return Geometry(shape, None, pixel_spacing=first.spacing)
    x = [float(value) for value in orientation]
    return Geometry(
        shape,
        np.array([one.position for one in stack], dtype=np.float64),
        (x[0], x[1], x[2]),
        (x[3], x[4], x[5]),
        first.spacing,
        rounding(stack, normal(orientation)),
    )
