"""How notices name slices and count them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.geometry import place_text, slice_place
from ctviewer.core.series import image_name
from ctviewer.core.words import counted
from ctviewer.dicom import tags
from ctviewer.dicom.record import Slice
from ctviewer.dicom.text import clean

_MOST_NAMED = 6


def name(one: Slice) -> str:
    """A slice by the file's own numbers: `Se 3 / Im 45`."""
    series, frame = one.header.integer(tags.SERIES_NUMBER), one.frame_number
    text = image_name(one.instance_number, frame) or clean(one.path.name) + (f" frame {frame}" if frame else "")
    return text if series is None else f"Se {series} / {text}"


def cite(one: Slice) -> str:
    """A slice by its numbers and its place: `Se 3 / Im 45 (z -212.1 mm)`."""
    return name(one) if one.position is None else f"{name(one)} ({place(one)})"


def place(one: Slice) -> str:
    """Where a slice lies, as it stands on the image; empty without a position."""
    if one.position is None or one.orientation is None:
        return ""
    x = one.orientation.tolist()
    between_rows, between_columns = one.spacing or (0.0, 0.0)
    extent = (one.rows - 1) * between_rows, (one.columns - 1) * between_columns
    return place_text(*slice_place(one.position, (x[0], x[1], x[2]), (x[3], x[4], x[5]), extent))


def listed(texts: Sequence[str], more: str = "more") -> str:
    """The first of many."""
    shown = ", ".join(texts[:_MOST_NAMED])
    return shown if len(texts) <= _MOST_NAMED else f"{shown} and {len(texts) - _MOST_NAMED} {more}"


def slices(count: int) -> str:
    """`1 slice`, `2 slices`."""
    return counted(count, "slice")


def where(flags: NDArray[np.bool_]) -> list[int]:
    """Indices that are set."""
    return [int(i) for i in np.flatnonzero(flags)]


def both_sides(gaps: Iterable[int]) -> tuple[int, ...]:
    """The slices on both sides of gaps."""
    return tuple(sorted({i + side for i in gaps for side in (0, 1)}))
