"""How narrow an interval some number of patients can give."""

from __future__ import annotations

import math

_TWO_SIDED_95 = 1.959964


def auc_standard_error(auc: float, positives: int, negatives: int) -> float:
    """Standard error of an area under the ROC curve (Hanley and McNeil, Radiology 1982;143:29-36).

    Args:
        auc: the true area, 0..1.
        positives: independent cases (patients), at least one.
        negatives: the same of those without.
    """
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return math.sqrt(spread / (positives * negatives))


def auc_interval(auc: float, positives: int, negatives: int) -> tuple[float, float]:
    """The 95 % interval to expect about an area, within 0..1."""
    half = _TWO_SIDED_95 * auc_standard_error(auc, positives, negatives)
    return max(0.0, auc - half), min(1.0, auc + half)
