"""Curves and tables of predictions as plain numbers: ROC, precision over recall, reliability, confusion."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.predictions import Predictions
from ctviewer.training.scores.targets import Target, answers
from ctviewer.training.scores.weighted import BINS, EDGES, bin_of

_Z95 = 1.959963984540054
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Bin:
    """Studies whose probability lies in one range.

    Attributes:
        low, high: of the range.
        studies: how many.
        probability: their mean.
        share: of them that are positive.
        share_low, share_high: its 95 % interval (Wilson), as if each were of another patient.
    """

    low: float
    high: float
    studies: int
    probability: float
    share: float
    share_low: float
    share_high: float


@dataclass(frozen=True)
class Reliability:
    """How often what was given some probability was true.

    Attributes:
        name: of the target.
        bins: those that hold studies.
    """

    name: str
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Curves:
    """Of one target, from the strictest threshold to the mildest.

    Attributes:
        name: of the target.
        roc: 1 - specificity and sensitivity.
        precision_recall: recall and precision.
        answered: 1 - specificity and sensitivity of what the model answers.
    """

    name: str
    roc: Points
    precision_recall: Points
    answered: tuple[float, float]


@dataclass(frozen=True)
class Confusion:
    """What was true against what was said.

    Attributes:
        classes: of rows (true) and columns (answered).
        studies: counts, row by row.
    """

    classes: tuple[str, ...]
    studies: tuple[tuple[int, ...], ...]


def reliability(target: Target) -> Reliability:
    """Bins of equal width, as the calibration error has them."""
    places, found = bin_of(target.scores), []
    for i in range(BINS):
        there = places == i
        if n := int(there.sum()):
            hits = int(target.positive[there].sum())
            mean = float(target.scores[there].mean())
            found.append(Bin(float(EDGES[i]), float(EDGES[i + 1]), n, mean, hits / n, *wilson(hits, n)))
    return Reliability(target.name, tuple(found))


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927).

    Args:
        successes: 0 to `trials`.
        trials: independent ones, at least one.
    """
    share, z2 = successes / trials, _Z95**2 / trials
    half = _Z95 * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials))
    middle = share + z2 / 2
    return max(0.0, (middle - half) / (1 + z2)), min(1.0, (middle + half) / (1 + z2))


def curves(target: Target) -> Curves | None:
    """None where there are no positives or no negatives."""
    if not target.positive.any() or target.positive.all():
        return None
    order = np.argsort(-target.ranks, kind="stable")
    last = np.flatnonzero(np.append(np.diff(target.ranks[order]) != 0, True))
    hits = np.cumsum(target.positive[order])[last]
    taken = last + 1.0
    sensitivity, false = hits / hits[-1], (taken - hits) / (len(order) - hits[-1])
    roc = np.concatenate([[[0.0, 0.0]], np.stack([false, sensitivity], 1)])
    pairs = np.concatenate([[[0.0, 1.0]], np.stack([sensitivity, hits / taken], 1)])
    answered = float(target.called[~target.positive].mean()), float(target.called[target.positive].mean())
    return Curves(target.name, _points(_corners(roc)), _points(pairs), answered)


def confusion(predictions: Predictions) -> Confusion | None:
    """None where classes do not exclude each other: a study then has no single row."""
    if not predictions.exclusive:
        return None
    table = predictions.truth.T.astype(int) @ answers(predictions).astype(int)
    return Confusion(predictions.classes, tuple(tuple(int(n) for n in row) for row in table))


def _corners(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without the points that lie on the straight line between their neighbours."""
    if len(points) < 3:
        return points
    before, after = points[1:-1] - points[:-2], points[2:] - points[1:-1]
    bends = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) > 1e-15
    return np.asarray(points[np.concatenate([[True], bends, [True]])])


def _points(points: NDArray[np.float64]) -> Points:
    return tuple((float(x), float(y)) for x, y in points)
