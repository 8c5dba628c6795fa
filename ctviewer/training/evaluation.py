"""How good predictions are: figures by torchmetrics, their intervals by a bootstrap over patients, and what to know of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.models.metadata import Metric
from ctviewer.training.predictions import Predictions
from ctviewer.training.scores import weighted
from ctviewer.training.scores.resampling import DRAWS, exact_interval, interval, resampled
from ctviewer.training.scores.targets import Target, counts, patients_of, require_known, targets
from ctviewer.training.scores.whole import whole_figures

Floats = NDArray[np.float64]

LEAST_PATIENTS = 10
"""With a class, and without it, that an area under a curve takes."""

AREAS = ("AUC-ROC", "AUC-PR", "AP")
SENSITIVITY, SPECIFICITY, ECE = "sensitivity", "specificity", "calibration error (ECE)"


@dataclass(frozen=True, eq=False)
class Figure:
    """One figure of a target, now and in any draw."""

    name: str
    value: float
    drawn: Callable[[Floats], Floats]
    patients: int


def evaluate(
    predictions: Predictions, *, data: str = "", draws: int = DRAWS, seed: int = 0, least: int = LEAST_PATIENTS
) -> tuple[Metric, ...]:
    """All figures that are defined on these studies, with 95 % intervals by bootstrap over patients.

    Named "AUC-ROC, infection" and so on: AUC-ROC, AUC-PR (trapezoids), AP (step sum), sensitivity and specificity of
    what the model answers at its threshold, and the expected calibration error, for any finding and for each class; then
    accuracy (exclusive classes), log loss, and the attention on the first and last tenth of the slices.

    Args:
        predictions: of one model on one set.
        data: what the set is, for the card; how many studies of how many patients follows.
        draws: of the bootstrap.
        seed: of the draws.
        least: patients with and without a class from which an area under a curve is given.

    Raises:
        InputError: there are none, or a study shows a class that the model does not know.
    """
    require_known(predictions)
    where = ", ".join(part for part in (data, counts(predictions)) if part)
    found = [*_of_targets(predictions, least), *_of_all(predictions)]
    return tuple(_metric(figure, predictions, where, draws, seed) for figure in found if math.isfinite(figure.value))


def _of_targets(predictions: Predictions, least: int) -> Iterator[Figure]:
    for target in targets(predictions):
        with_it, without = patients_of(target.positive, predictions.patients)
        values = point_values(target)
        for name, drawn in _drawn(target).items():
            patients = {SENSITIVITY: with_it, SPECIFICITY: without}.get(name, len(set(predictions.patients)))
            enough = name not in AREAS or min(with_it, without) >= least
            if enough and patients:
                yield Figure(f"{name}, {target.name}", values[name], drawn, patients)


def _of_all(predictions: Predictions) -> Iterator[Figure]:
    patients, once = len(set(predictions.patients)), np.ones((1, len(predictions.cases)))
    for name, values in whole_figures(predictions).items():
        drawn = _mean_of(values)
        yield Figure(name, float(drawn(once)[0]), drawn, patients)


def _mean_of(values: Floats) -> Callable[[Floats], Floats]:
    return lambda weights: weighted.mean(weights, values)


def point_values(target: Target) -> Mapping[str, float]:
    """The figures of one target by torchmetrics; what has no positives or no negatives is not to be used."""
    import torch
    from torchmetrics.functional import classification as tm
    from torchmetrics.utilities.compute import auc

    scores, positive = torch.from_numpy(target.scores), torch.from_numpy(target.positive).long()
    called = torch.from_numpy(target.called).long()
    if not target.positive.any() or target.positive.all():
        areas = dict.fromkeys(AREAS, math.nan)
    else:
        precision, recall, _ = tm.binary_precision_recall_curve(scores, positive)
        trapezoids = auc(recall, precision, reorder=False)
        of_roc, step_sum = tm.binary_auroc(scores, positive), tm.binary_average_precision(scores, positive)
        areas = dict(zip(AREAS, (float(of_roc), float(trapezoids), float(step_sum)), strict=True))
    return {
        **areas,
        SENSITIVITY: float(tm.binary_recall(called, positive)),
        SPECIFICITY: float(tm.binary_specificity(called, positive)),
        ECE: float(tm.binary_calibration_error(scores, positive, n_bins=weighted.BINS, norm="l1")),
    }


def _drawn(target: Target) -> dict[str, Callable[[Floats], Floats]]:
    """The same figures for all draws at once."""
    scores, positive, called = target.scores, target.positive, target.called
    return {
        "AUC-ROC": lambda weights: weighted.auc_roc(weights, scores, positive),
        "AUC-PR": lambda weights: weighted.auc_pr(weights, scores, positive),
        "AP": lambda weights: weighted.average_precision(weights, scores, positive),
        SENSITIVITY: lambda weights: weighted.share(weights, called, positive),
        SPECIFICITY: lambda weights: weighted.share(weights, ~called, ~positive),
        ECE: lambda weights: weighted.calibration_error(weights, scores, positive),
    }


def _metric(figure: Figure, predictions: Predictions, data: str, draws: int, seed: int) -> Metric:
    found = interval(resampled(figure.drawn, predictions.patients, draws, seed))
    shares = (SENSITIVITY, SPECIFICITY)
    if figure.name.startswith(shares) and figure.value in (0.0, 1.0):  # no draw can differ: the exact interval does
        found = exact_interval(round(figure.value) * figure.patients, figure.patients)
    low, high = found or (None, None)
    return Metric(figure.name, round(figure.value, 6), low, high, figure.patients, "patients", data)
