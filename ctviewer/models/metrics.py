"""Figures for cards and reports. Small enough to be checked against plain loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
_RECALLS = np.linspace(0.0, 1.0, 101)


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


def average_precision(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Step sum of precision over recall, tied scores taken together; NaN without positives."""
    if not positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    precision = (hits / np.arange(1, scores.size + 1))[last_of_tie]
    recall = (hits / hits[-1])[last_of_tie]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Overlap of two masks of one shape; NaN where both are empty."""
    total = int(a.sum()) + int(b.sum())
    return float(2 * np.logical_and(a, b).sum() / total) if total else float("nan")


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks of one shape; NaN where both are empty."""
    union = int(np.logical_or(a, b).sum())
    return float(np.logical_and(a, b).sum() / union) if union else float("nan")


def match(scores: NDArray[np.floating], overlaps: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Which detections of one image and class are true: by falling score, each takes the best truth still free.

    Args:
        scores: `[detections]`.
        overlaps: `[detections, truths]` IoU.
        threshold: least IoU of a match.

    Returns:
        `[detections]` bool.
    """
    true = np.zeros(scores.size, bool)
    free = np.ones(overlaps.shape[1], bool)
    for i in np.argsort(-scores, kind="stable"):
        candidates = np.where(free, overlaps[i], -1.0)
        if candidates.size and candidates.max() >= threshold:
            true[i] = True
            free[int(candidates.argmax())] = False
    return true


def detection_ap(images: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]], threshold: float) -> float:
    """Average precision of one class over images as COCO computes it: precision's envelope at 101 recalls.

    Args:
        images: per image the scores `[detections]` and the IoU `[detections, truths]`.
        threshold: least IoU of a match.

    Returns:
        0..1, NaN where no image holds a truth.
    """
    truths = sum(overlaps.shape[1] for _, overlaps in images)
    if truths == 0:
        return float("nan")
    scores = np.concatenate([s for s, _ in images])
    true = np.concatenate([match(s, overlaps, threshold) for s, overlaps in images])
    true = true[np.argsort(-scores, kind="stable")]
    hits = np.cumsum(true)
    precision = hits / np.arange(1, true.size + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(hits / truths, _RECALLS, side="left")
    return float(np.append(envelope, 0.0)[at].mean())


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
