"""Figures for cards and reports. Small enough to be checked against plain loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


def auc_roc(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Probability that a positive scores above a negative, ties counted half; NaN where either is absent.

    Args:
        scores: `[n]`.
        positive: `[n]`.
    """
    n_positive = int(positive.sum())
    n_negative = positive.size - n_positive
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2.0) / (n_positive * n_negative))


def bootstrap(
    groups: Sequence[T], statistic: Callable[[Sequence[T]], float], draws: int = 1000, seed: int = 0
) -> tuple[float | None, float | None]:
    """95 % percentile interval by resampling whole groups (patients or studies, never slices).

    Args:
        groups: all that one patient contributes is one group.
        statistic: of a resampled list; NaN where it is not defined.
        draws: resamplings.
        seed: of the draws.

    Returns:
        Low and high, or None and None with fewer than two groups or where most draws are undefined.
    """
    if len(groups) < 2:
        return None, None
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(groups), (draws, len(groups)))
    values: NDArray[Any] = np.array([statistic([groups[i] for i in pick]) for pick in picks])
    values = values[np.isfinite(values)]
    if values.size < draws / 2:
        return None, None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
