"""Values that do not fit into 16 bits as they are: floating point and wide integers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

PADDING = -32768
"""Stored value of what is no number in a floating point image."""
_MOST = 32767
_BEYOND = 1e12  # a magnitude above it is a mark for "nothing here" (the largest float, for instance), not a value


def is_wide(dtype: np.dtype[Any]) -> bool:
    """Whether values of this type need a slope of their own per slice."""
    return dtype.kind == "f" or dtype.itemsize > 2


def to_stored(values: NDArray[Any], out: NDArray[np.int16]) -> tuple[float, float, float]:
    """Turn one slice into 16-bit stored values, exactly where its values are whole multiples of a step that fits.

    Whole numbers within 16 bits stay what they are. Else the step is the smallest power of two under which the slice's
    range fits, so that stored * slope is free of rounding of its own.

    Args:
        values: `[rows, columns]`, of any integer or floating type.
        out: `[rows, columns]`; NaN, infinities and magnitudes above 1e12 become `PADDING`.

    Returns:
        Slope, intercept, and the largest error that the rounding made (0 where it was exact).
    """
    exact = values.astype(np.float64)
    valid = np.abs(exact) <= _BEYOND  # false for NaN
    everything = bool(valid.all())
    known = exact if everything else exact[valid]
    if not known.size:
        out[...] = PADDING
        return 1.0, 0.0, 0.0
    low, high = float(known.min()), float(known.max())
    whole = values.dtype.kind != "f" or bool((known == np.rint(known)).all())
    slope, intercept = _step(low, high, whole)
    filled = exact if everything else np.where(valid, exact, intercept)
    stored = np.rint((filled - intercept) / slope)
    out[...] = stored
    error = 0.0 if whole and slope == 1.0 else float(np.abs(stored * slope + intercept - filled).max())
    if not everything:
        out[~valid] = PADDING
    return slope, intercept, error


def _step(low: float, high: float, whole: bool) -> tuple[float, float]:
    """Slope and intercept under which `low` to `high` fits into -32767 to 32767."""
    if whole and low >= -_MOST and high <= _MOST:
        return 1.0, 0.0
    if high == low:
        return 1.0, low
    slope = 2.0 ** math.ceil(math.log2((high - low) / (2 * _MOST - 2)))
    slope = max(slope, 1.0) if whole else slope
    return slope, slope * float(np.rint((low + high) / 2 / slope))
