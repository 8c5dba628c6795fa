"""Classes of slices: confusion, and sensitivity, precision and F1 for each class and weighted over all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.slice_predictions import SlicePredictions, logits_of

Floats = NDArray[np.float64]
PAPER_SHARES: Mapping[str, float] = MappingProxyType({"control": 0.45, "common pneumonia": 0.35, "covid-19": 0.20})
"""What the paper weights its F1 score by, whatever the test set holds (its section 4.3)."""


def answered(predictions: SlicePredictions) -> NDArray[np.intp]:
    """Place of the class of the largest logit, for each slice of `with_classes`."""
    logits = logits_of(predictions.with_classes, len(predictions.image_classes))
    return logits.argmax(axis=1) if logits.size else np.zeros(0, np.intp)


def confusions(predictions: SlicePredictions) -> Floats:
    """`[patients, classes, classes]` slices by patient, true class and answer."""
    numbers, classes = predictions.patient_numbers(), predictions.image_classes
    table = np.zeros((len(numbers), len(classes), len(classes)))
    for case, answer in zip(predictions.with_classes, answered(predictions), strict=True):
        table[numbers[case.patient], classes.index(case.truth), answer] += 1
    return table


def drawn_confusions(weights: Floats, table: Floats) -> Floats:
    """`[draws, classes, classes]` of draws `[draws, patients]`."""
    return np.tensordot(weights, table, axes=1)


def sensitivities(confusion: Floats) -> Floats:
    """TP / (TP + FN), `[..., classes]` of `[..., true, answered]`; NaN for a class that is absent from the truth."""
    true = confusion.sum(axis=-1)
    return _ratio(_diagonal(confusion), true, np.nan)


def precisions(confusion: Floats) -> Floats:
    """TP / (TP + FP), `[..., classes]` of `[..., true, answered]`; 0 for a class that is never answered, NaN for one that is absent from the truth."""
    found = _ratio(_diagonal(confusion), confusion.sum(axis=-2), 0.0)
    return np.where(confusion.sum(axis=-1) > 0, found, np.nan)


def f1_scores(confusion: Floats) -> Floats:
    """2 S P / (S + P), `[..., classes]` of `[..., true, answered]`; 0 where both are 0, NaN for a class that is absent from the truth."""
    s, p = sensitivities(confusion), precisions(confusion)
    found = _ratio(2 * s * p, s + p, 0.0)
    return np.where(np.isnan(s), np.nan, found)


def weighted_mean(values: Floats, confusion: Floats, shares: Sequence[float] | None = None) -> Floats:
    """Mean over the classes that the truth holds, `[...]`.

    Args:
        values: `[..., classes]`.
        confusion: of the same.
        shares: of each class; None for those of the truth.
    """
    present = ~np.isnan(values)
    weights = confusion.sum(axis=-1) if shares is None else np.broadcast_to(np.asarray(shares, float), values.shape)
    weights = np.where(present, weights, 0.0)
    return _ratio((weights * np.where(present, values, 0.0)).sum(axis=-1), weights.sum(axis=-1), np.nan)


def paper_shares(classes: Sequence[str]) -> tuple[float, ...] | None:
    """The paper's weights in the order of some classes; None where they are others than the paper's."""
    known = tuple(PAPER_SHARES.get(paper_name(name), 0.0) for name in classes)
    return known if all(known) and len(known) == len(PAPER_SHARES) else None


def paper_name(name: str) -> str:
    """What the paper calls a class that data sets call otherwise."""
    told = name.strip().casefold().replace("_", " ")
    names = {
        "cp": "common pneumonia",
        "ncp": "covid-19",
        "covid": "covid-19",
        "normal": "control",
        "negative": "control",
    }
    return names.get(told, told)


def _diagonal(confusion: Floats) -> Floats:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(above: Floats, below: Floats, otherwise: float) -> Floats:
    return np.asarray(np.divide(above, below, out=np.full(np.shape(below), otherwise), where=below > 0))
