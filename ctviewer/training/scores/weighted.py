"""Figures of weighted studies, for all draws of a bootstrap at once.

A study drawn twice counts twice, so a draw is a row of weights. All functions take weights `[draws, n]`, probabilities
`[n]` and truth `[n]` and give `[draws]`, NaN where a figure is not defined. With weights of one they are the ordinary
figures (torchmetrics' and scikit-learn's definitions).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BINS = 10
"""Of equal width over 0..1, for the calibration error and the reliability plot."""
EDGES = np.linspace(0.0, 1.0, BINS + 1)


def auc_roc(weights: Floats, scores: Floats, positive: Bools) -> Floats:
    """Probability that a positive scores above a negative, ties counted half."""
    hits, misses = _by_score(weights, scores, positive)
    above = np.cumsum(hits, axis=1) - hits  # positives of a higher score
    ranked = ((above + hits / 2) * misses).sum(axis=1)
    return _ratio(ranked, hits.sum(axis=1) * misses.sum(axis=1))


def average_precision(weights: Floats, scores: Floats, positive: Bools) -> Floats:
    """Step sum of precision over recall, tied scores taken together."""
    hits, misses = _by_score(weights, scores, positive)
    precision = _precision(hits, misses)
    return _ratio((hits * precision).sum(axis=1), hits.sum(axis=1))


def auc_pr(weights: Floats, scores: Floats, positive: Bools) -> Floats:
    """Area under precision over recall by trapezoids, from precision 1 at recall 0."""
    hits, misses = _by_score(weights, scores, positive)
    precision = _precision(hits, misses)
    before = np.concatenate([np.ones((len(weights), 1)), precision[:, :-1]], axis=1)
    return _ratio((hits * (precision + before) / 2).sum(axis=1), hits.sum(axis=1))


def share(weights: Floats, called: Bools, among: Bools) -> Floats:
    """Share of the studies `among` that are `called`: sensitivity, or one minus specificity."""
    return _ratio(weights @ (called & among).astype(float), weights @ among.astype(float))


def mean(weights: Floats, values: Floats) -> Floats:
    """Weighted mean of a value per study."""
    return _ratio(weights @ values, weights.sum(axis=1))


def calibration_error(weights: Floats, scores: Floats, positive: Bools) -> Floats:
    """Expected calibration error: over `BINS` bins, mean distance of mean probability and share of positives (L1)."""
    apart = (scores - positive)[:, None] * (bin_of(scores)[:, None] == np.arange(BINS))
    return _ratio(np.abs(weights @ apart).sum(axis=1), weights.sum(axis=1))


def chance_error(scores: Floats, sets: int = 200, seed: int = 0) -> float:
    """Calibration error to expect of a model whose probabilities are exactly right: few studies alone make one.

    Args:
        scores: `[n]` probabilities, at least one.
        sets: drawn from them.
        seed: of the draws.
    """
    inside = (bin_of(scores)[:, None] == np.arange(BINS)).astype(float)
    drawn = np.random.default_rng(seed).random((sets, scores.size)) < scores
    apart = np.abs((scores - drawn) @ inside).sum(axis=1)
    return float(apart.mean() / scores.size)


def bin_of(scores: Floats) -> NDArray[np.intp]:
    """Which bin each probability lies in; one on an edge belongs to the upper bin, 1 to the last."""
    return np.minimum(np.searchsorted(EDGES, scores, side="right") - 1, BINS - 1)


def _by_score(weights: Floats, scores: Floats, positive: Bools) -> tuple[Floats, Floats]:
    """Weight of positives and of negatives `[draws, distinct scores]`, highest score first."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(scores[order]) != 0)) if scores.size else np.zeros(0, np.intp)
    sorted_weights, sorted_truth = weights[:, order], positive[order]
    hits = np.add.reduceat(sorted_weights * sorted_truth, starts, axis=1)
    misses = np.add.reduceat(sorted_weights * ~sorted_truth, starts, axis=1)
    return hits, misses


def _precision(hits: Floats, misses: Floats) -> Floats:
    """After each distinct score; 1 before anything was drawn."""
    found = np.cumsum(hits, axis=1)
    total = found + np.cumsum(misses, axis=1)
    return np.divide(found, total, out=np.ones_like(found), where=total > 0)


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.asarray(np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0))
