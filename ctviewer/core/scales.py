"""Fixed scales of the lanes over the slices: the same value has the same length in every study, on screen and paper."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FULL_ATTENTION = 8.0  # times uniform; the compressive scale ends here, what is above is drawn at full length
FULL_AREA = 10_000.0  # mm2, about the cross-section of one lung; or as many pixels where there is no spacing


def attention_fraction(times_uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share 0..1 of the lane for attention in times uniform: log2(1 + x) / log2(9), so uniform is 0.32 and 8 is 1."""
    share = np.log2(1.0 + np.maximum(times_uniform, 0.0)) / np.log2(1.0 + FULL_ATTENTION)
    return np.asarray(np.minimum(share, 1.0))


def area_fraction(area: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share 0..1 of the lane for a lesion area: its square root over that of `FULL_AREA`; NaN stays NaN."""
    return np.asarray(np.minimum(np.sqrt(np.maximum(area, 0.0) / FULL_AREA), 1.0))
