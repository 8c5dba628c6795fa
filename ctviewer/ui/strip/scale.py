"""Fixed scales of the strip's lanes: the same value has the same length in every study, never stretched to a maximum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.findings import SliceScore
from ctviewer.core.scales import area_fraction, attention_fraction

PROBABILITY_TICK = 0.5


def probability_fraction(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share 0..1 of the lane for a slice probability: itself."""
    return np.clip(probability, 0.0, 1.0)


def score_fraction(values: NDArray[np.float64], score: SliceScore) -> NDArray[np.float64]:
    """Share 0..1 of the main lane, NaN where the value is; zero for `SliceScore.NONE`."""
    if score is SliceScore.ATTENTION:
        return attention_fraction(values)
    if score is SliceScore.PROBABILITY:
        return probability_fraction(values)
    if score is SliceScore.LESION_AREA:
        return area_fraction(values)
    return np.where(np.isfinite(values), 0.0, np.nan)


def reference_tick(score: SliceScore) -> float | None:
    """Share of the main lane where its reference line stands: uniform attention, probability one half; None for others."""
    if score is SliceScore.ATTENTION:
        return float(attention_fraction(np.array(1.0)))
    return PROBABILITY_TICK if score is SliceScore.PROBABILITY else None


def value_text(value: float, score: SliceScore, unit: str) -> str:
    """A slice's score in words for the hover card and assistive technology.

    Args:
        value: as `StudyClassification.bar_lengths` gives it; NaN where the slice was not looked at.
        score: what the value is.
        unit: "mm2" or "px", for areas.
    """
    if score is SliceScore.NONE:
        return ""
    if not np.isfinite(value):
        return f"{score.value}: not looked at"
    if score is SliceScore.ATTENTION:
        return f"attention {value:.1f} × uniform"
    if score is SliceScore.PROBABILITY:
        return f"slice probability {100 * value:.0f} %"
    return area_text(value, unit)


def area_text(area: float, unit: str) -> str:
    """A lesion area in words; cm2 from 1 cm2 on, so that numbers stay short."""
    if not np.isfinite(area):
        return "lesion area: not looked at"
    return f"lesion area {short_area(area, unit)}"


def short_area(area: float, unit: str) -> str:
    """The number and unit alone."""
    if unit == "mm2":
        return f"{area / 100:.1f} cm²" if area >= 100 else f"{area:.0f} mm²"
    return f"{area:.0f} {unit}"
