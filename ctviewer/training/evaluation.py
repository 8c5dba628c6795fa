"""How good predictions are: figures by torchmetrics, their intervals by a bootstrap over patients, and what to know of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ctviewer.models.metadata import Metric
from ctviewer.training.predictions import Predictions
from ctviewer.training.scores.curves import Confusion, Curves, Reliability, confusion, curves, reliability
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
from ctviewer.training.scores.notes import notes
from ctviewer.training.scores.resampling import DRAWS, exact_interval, interval, resampled
from ctviewer.training.scores.targets import (
    Target,
    answers,
    counts,
    finding_probability,
    patients_of,
    require_known,
    targets,
)
from ctviewer.training.scores.weighted import BINS


@dataclass(frozen=True)
class ClassCount:
    """How many studies show a class, and of how many patients."""

    name: str
    studies: int
    patients: int


@dataclass(frozen=True)
class Mistake:
    """A study to which the model does not answer with exactly its classes.

    Attributes:
        study: its id in the source.
        truth, answer: classes.
        finding: probability of any finding; None without a negative class.
    """

    study: str
    truth: tuple[str, ...]
    answer: tuple[str, ...]
    finding: float | None


@dataclass(frozen=True)
class Evaluation:
    """All that a page shows of one model on one set.

    Attributes:
        model: "name version".
        part: what the set is: "test", "external:NAME".
        studies, patients: how many.
        threshold: finding probability from which a study counts as positive.
        classes: what the set holds, in the model's order; those that it does not hold too.
        metrics: of `evaluate`.
        reliability: by target, any finding first.
        curves: the same, of targets with enough patients.
        confusion: None where classes do not exclude each other.
        mistakes: in the order of the set.
        notes: sentences that a reader must know beside the figures.
    """

    model: str
    part: str
    studies: int
    patients: int
    threshold: float
    classes: tuple[ClassCount, ...]
    metrics: tuple[Metric, ...]
    reliability: tuple[Reliability, ...]
    curves: tuple[Curves, ...]
    confusion: Confusion | None
    mistakes: tuple[Mistake, ...]
    notes: tuple[str, ...]


def examine(
    predictions: Predictions, part: str, *, draws: int = DRAWS, seed: int = 0, least: int = LEAST_PATIENTS
) -> Evaluation:
    """Figures, curves, tables, mistakes and what to know of them.

    Args:
        predictions: of one model on one set.
        part: what the set is.
        draws: as for `evaluate`.
        seed: as for `evaluate`.
        least: as for `evaluate`.

    Raises:
        InputError: as `evaluate`.
    """
    metrics = evaluate(predictions, data=part, draws=draws, seed=seed, least=least)
    found = targets(predictions)
    enough = [one for one in found if min(patients_of(one.positive, predictions.patients)) >= least]
    return Evaluation(
        model=predictions.model,
        part=part,
        studies=len(predictions.cases),
        patients=len(set(predictions.patients)),
        threshold=predictions.threshold,
        classes=tuple(_counts(predictions)),
        metrics=metrics,
        reliability=tuple(reliability(one) for one in found),
        curves=tuple(curve for one in enough if (curve := curves(one)) is not None),
        confusion=confusion(predictions),
        mistakes=tuple(_mistakes(predictions)),
        notes=notes(predictions, metrics, least),
    )


def _counts(predictions: Predictions) -> Iterator[ClassCount]:
    for name in predictions.classes:
        shown = [case.patient for case in predictions.cases if name in case.truth]
        yield ClassCount(name, len(shown), len(set(shown)))


def _mistakes(predictions: Predictions) -> Iterator[Mistake]:
    said, finding = answers(predictions), finding_probability(predictions)
    for i, case in enumerate(predictions.cases):
        answer = tuple(name for name, yes in zip(predictions.classes, said[i], strict=True) if yes)
        if set(answer) != set(case.truth):
            yield Mistake(case.study, case.truth, answer, None if finding is None else float(finding[i]))


def evaluate(
    predictions: Predictions, *, data: str = "", draws: int = DRAWS, seed: int = 0, least: int = LEAST_PATIENTS
) -> tuple[Metric, ...]:
    """All figures that are defined on these studies, with 95 % intervals by bootstrap over patients.

    Named "AUC-ROC, infection" and so on: AUC-ROC, AUC-PR (trapezoids), AP (step sum), sensitivity and specificity of
    what the model answers at its threshold, and the expected calibration error, for any finding and for each class; then
    accuracy (exclusive classes), log loss, and the attention on the first and last tenth of the slices.

    A share without a mistake (or without a success) has the exact binomial interval over patients; of other figures that
    are the same in all draws, or of too few patients (`resampling.interval`), no interval is given.

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
    found = figures(predictions, least)
    values = _values(found, len(predictions.cases))
    drawn = resampled([figure.drawn for figure in found], predictions.patients, draws, seed)
    return tuple(
        _metric(figure, value, interval(row, figure.patients), where)
        for figure, value, row in zip(found, values, drawn, strict=True)
        if math.isfinite(value)
    )


def _values(found: Sequence[Figure], studies: int) -> Iterator[float]:
    """Of targets by torchmetrics, each target once; the rest are plain means."""
    known: dict[str, Mapping[str, float]] = {}
    for figure in found:
        if figure.target is None:
            yield figure.value(studies)
            continue
        name = figure.target.name
        if name not in known:
            known[name] = point_values(figure.target)
        yield known[name][figure.kind]


def point_values(target: Target) -> Mapping[str, float]:
    """The figures of one target by torchmetrics; areas are NaN without positives or without negatives."""
    import torch
    from torchmetrics.functional import classification as tm
    from torchmetrics.utilities.compute import auc

    scores, positive = torch.from_numpy(target.scores), torch.from_numpy(target.positive).long()
    ranks = torch.from_numpy(target.ranks)
    called = torch.from_numpy(target.called).long()
    areas = dict.fromkeys(AREAS, math.nan)
    if target.positive.any() and not target.positive.all():
        precision, recall, _ = tm.binary_precision_recall_curve(ranks, positive)
        trapezoids = auc(recall, precision)
        of_roc, step_sum = tm.binary_auroc(ranks, positive), tm.binary_average_precision(ranks, positive)
        areas = dict(zip(AREAS, (float(of_roc), float(trapezoids), float(step_sum)), strict=True))
    return {
        **areas,
        SENSITIVITY: float(tm.binary_recall(called, positive)),
        SPECIFICITY: float(tm.binary_specificity(called, positive)),
        ECE: float(tm.binary_calibration_error(scores, positive, n_bins=BINS, norm="l1")),
    }


def _metric(figure: Figure, value: float, found: tuple[float, float] | None, data: str) -> Metric:
    if figure.kind in SHARES and value in (
        0.0,
        1.0,
    ):  # no draw differs, which the exact interval does not take for sure
        found = exact_interval(round(value) * figure.patients, figure.patients)
    low, high = found or (None, None)
    return Metric(figure.name, round(value, 6), low, high, figure.patients, "patients", data)
