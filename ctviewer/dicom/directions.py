"""The direction of a stack: its common orientation, the normal, and positions along it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ctviewer.dicom.record import Slice

_MOST_DECIMALS = 12  # a number may be written with any exponent
Array = NDArray[np.float64]


def common_orientation(stack: Sequence[Slice]) -> Array | None:
    """The orientation `[6]` that most slices state (they may differ by rounding); None where one has none."""
    counts: Counter[bytes] = Counter()
    for one in stack:
        if one.orientation is None:
            return None
        counts[one.orientation.tobytes()] += 1
    if len(counts) == 1:
        return stack[0].orientation
    return np.frombuffer(min(counts, key=lambda key: (-counts[key], np.frombuffer(key).tolist())))


def normal(orientation: Array) -> Array:
    """Unit normal `[3]`, row cosines x column cosines."""
    return np.cross(orientation[:3], orientation[3:])


def locations(stack: Iterable[Slice], direction: Array) -> Array:
    """Positions in mm along a direction, in the order given."""
    return np.asarray(np.array([one.position for one in stack], dtype=np.float64) @ direction)


def rounding(stack: Sequence[Slice], direction: Array) -> float:
    """Mm by which a distance along a direction may be wrong for the decimals of the positions: half a unit at either end."""
    unit = 10.0 ** -min(max(one.decimals for one in stack), _MOST_DECIMALS)
    return float(1.01 * unit * np.abs(direction).sum())  # 1 % for float noise
