"""How good predictions are: figures by torchmetrics, their intervals by a bootstrap over patients."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ctviewer.models.metadata import Metric
from ctviewer.training.predictions import Predictions
from ctviewer.training.scores.figures import (
    AREAS,
    ECE,
    LEAST_PATIENTS,
    SENSITIVITY,
    SHARES,
    SPECIFICITY,
    Figure,
    figures,
)
from ctviewer.training.scores.resampling import DRAWS, exact_interval, interval, resampled
from ctviewer.training.scores.targets import Target, counts, require_known
from ctviewer.training.scores.weighted import BINS


def evaluate(
    predictions: Predictions, *, data: str = "", draws: int = DRAWS, seed: int = 0, least: int = LEAST_PATIENTS
) -> tuple[Metric, ...]:
    """All figures that are defined on these studies, with 95 % intervals by bootstrap over patients.

    Named "AUC-ROC, infection" and so on: AUC-ROC, AUC-PR (trapezoids), AP (step sum), sensitivity and specificity of
    what the model answers at its threshold, and the expected calibration error, for any finding and for each class; then
    accuracy (exclusive classes), log loss, and the attention on the first and last tenth of the slices.

    A share without a mistake (or without a success) has the exact binomial interval over patients; of other figures that
    are the same in all draws no interval is given.

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
    points: dict[str, Mapping[str, float]] = {}
    out = []
    for figure in figures(predictions, least):
        if figure.target is None:
            value = figure.value(len(predictions.cases))
        else:
            name = figure.target.name
            points[name] = points.get(name) or point_values(figure.target)
            value = points[name][figure.kind]
        if math.isfinite(value):
            out.append(_metric(figure, value, predictions, where, draws, seed))
    return tuple(out)


def point_values(target: Target) -> Mapping[str, float]:
    """The figures of one target by torchmetrics; areas are NaN without positives or without negatives."""
    import torch
    from torchmetrics.functional import classification as tm
    from torchmetrics.utilities.compute import auc

    scores, positive = torch.from_numpy(target.scores), torch.from_numpy(target.positive).long()
    called = torch.from_numpy(target.called).long()
    areas = dict.fromkeys(AREAS, math.nan)
    if target.positive.any() and not target.positive.all():
        precision, recall, _ = tm.binary_precision_recall_curve(scores, positive)
        trapezoids = auc(recall, precision)
        of_roc, step_sum = tm.binary_auroc(scores, positive), tm.binary_average_precision(scores, positive)
        areas = dict(zip(AREAS, (float(of_roc), float(trapezoids), float(step_sum)), strict=True))
    return {
        **areas,
        SENSITIVITY: float(tm.binary_recall(called, positive)),
        SPECIFICITY: float(tm.binary_specificity(called, positive)),
        ECE: float(tm.binary_calibration_error(scores, positive, n_bins=BINS, norm="l1")),
    }


def _metric(figure: Figure, value: float, predictions: Predictions, data: str, draws: int, seed: int) -> Metric:
    found = interval(resampled(figure.drawn, predictions.patients, draws, seed))
    if figure.kind in SHARES and value in (
        0.0,
        1.0,
    ):  # no draw differs, which the exact interval does not take for sure
        found = exact_interval(round(value) * figure.patients, figure.patients)
    low, high = found or (None, None)
    return Metric(figure.name, round(value, 6), low, high, figure.patients, "patients", data)
