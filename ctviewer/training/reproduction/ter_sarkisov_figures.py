"""The figures of the paper's tables, of any draw of patients: so that each has an interval, and two models a difference.

A figure is a function from draws of patients `[draws, patients]` to its values `[draws]`. Those of several seeds are averaged
draw by draw; differences are between models on the same draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.reproduction.ter_sarkisov_published import AP_NAMES
from ctviewer.training.scores.detection import coco, per_image, slice_classes
from ctviewer.training.scores.resampling import interval, resampled
from ctviewer.training.slice_predictions import SlicePredictions

Floats = NDArray[np.float64]
Figure = Callable[[Floats], Floats]
COCO_NAMES = tuple(f"COCO {name}" for name in AP_NAMES)
F1, SENSITIVITY, PRECISION, F1_PAPER = "F1", "Sensitivity", "Precision", "F1, the paper's class shares"
_CHOSEN = ((0.5,), (0.75,), coco.THRESHOLDS)  # IoU of the three columns


@dataclass(frozen=True)
class Value:
    """A figure.

    Attributes:
        value: on all patients; NaN where it is not defined.
        low, high: 95 % interval over patients; None where there is none.
    """

    value: float
    low: float | None = None
    high: float | None = None


def segmentation_figures(predictions: SlicePredictions) -> dict[str, Figure]:
    """Average precision of outlines, the paper's and COCO's; none where no outlines were judged."""
    if not any(True for _ in predictions.with_lesions):
        return {}
    found: dict[str, Figure] = {}
    for name, thresholds in zip(AP_NAMES, _CHOSEN, strict=True):
        found[name] = _per_image(predictions, thresholds)
    for name, thresholds in zip(COCO_NAMES, _CHOSEN, strict=True):
        found[name] = _mean([_coco(predictions, label, thresholds) for label in range(1, len(predictions.classes))])
    return found


def class_ap_figures(predictions: SlicePredictions) -> dict[str, Figure]:
    """COCO's average precision of each class, by "class, name of the column"."""
    if not any(True for _ in predictions.with_lesions):
        return {}
    return {
        f"{label}, {name}": _coco(predictions, number, thresholds)
        for number, label in enumerate(predictions.classes[1:], 1)
        for name, thresholds in zip(AP_NAMES, _CHOSEN, strict=True)
    }


def slice_figures(predictions: SlicePredictions) -> dict[str, Figure]:
    """Sensitivity of each class under its name, then F1, sensitivity and precision of all; none without classes."""
    if not predictions.with_classes:
        return {}
    table, classes = slice_classes.confusions(predictions), predictions.image_classes

    def of(measure: Callable[[Floats], Floats], shares: Sequence[float] | None = None) -> Figure:
        def figure(weights: Floats) -> Floats:
            drawn = slice_classes.drawn_confusions(weights, table)
            return slice_classes.weighted_mean(measure(drawn), drawn, shares)

        return figure

    def sensitivity(place: int) -> Figure:
        return lambda w: slice_classes.sensitivities(slice_classes.drawn_confusions(w, table))[:, place]

    found = {name: sensitivity(place) for place, name in enumerate(classes)}
    found |= {
        F1: of(slice_classes.f1_scores),
        SENSITIVITY: of(slice_classes.sensitivities),
        PRECISION: of(slice_classes.precisions),
    }
    if (shares := slice_classes.paper_shares(classes)) is not None:
        found[F1_PAPER] = of(slice_classes.f1_scores, shares)
    return found


def values(figures: Sequence[Figure], patients: Sequence[str]) -> list[Value]:
    """Each figure on all patients, with its interval over draws of them.

    Args:
        figures: all of the same patients.
        patients: each once, sorted (`SlicePredictions.patients`).
    """
    everyone = np.ones((1, len(patients)))
    drawn = resampled(figures, patients) if len(patients) > 1 and figures else np.zeros((len(figures), 0))
    return [_value(float(figure(everyone)[0]), row) for figure, row in zip(figures, drawn, strict=True)]


def over_seeds(figures: Sequence[Figure]) -> Figure:
    """The mean of one figure over runs that differ by their seed."""
    return _mean(figures)


def difference(one: Figure, other: Figure) -> Figure:
    """How much the first is above the other, on the same patients."""
    return lambda weights: one(weights) - other(weights)


def _value(value: float, drawn: Floats) -> Value:
    found = interval(drawn) if drawn.size and math.isfinite(value) else None
    return Value(value) if found is None else Value(value, *found)


def _per_image(predictions: SlicePredictions, thresholds: Sequence[float]) -> Figure:
    pairs = [per_image.per_image_ap(predictions, threshold) for threshold in thresholds]
    sums, counts = np.mean([pair[0] for pair in pairs], axis=0), pairs[0][1]

    def figure(weights: Floats) -> Floats:
        below = weights @ counts
        return np.asarray(np.divide(weights @ sums, below, out=np.full(below.shape, np.nan), where=below > 0))

    return figure


def _coco(predictions: SlicePredictions, label: int, thresholds: Sequence[float]) -> Figure:
    ranked = [coco.ranked(predictions, label, threshold) for threshold in thresholds]
    return lambda weights: np.mean([coco.average_precision(weights, one) for one in ranked], axis=0)


def _mean(figures: Sequence[Figure]) -> Figure:
    """Of several figures, those that are not defined in a draw left out."""

    def figure(weights: Floats) -> Floats:
        rows = np.array([one(weights) for one in figures])
        known = np.isfinite(rows)
        total, count = np.where(known, rows, 0.0).sum(axis=0), known.sum(axis=0)
        return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))

    return figure
