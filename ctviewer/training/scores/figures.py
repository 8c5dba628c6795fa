"""Which figures a set of predictions has, each as a function of how often every study counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.predictions import Predictions
from ctviewer.training.scores import weighted
from ctviewer.training.scores.targets import Target, answers, patients_of, targets

Floats = NDArray[np.float64]

AUC_ROC, AUC_PR, AP = "AUC-ROC", "AUC-PR", "AP"
SENSITIVITY, SPECIFICITY, ECE = "sensitivity", "specificity", "ECE"
ACCURACY, LOG_LOSS = "accuracy", "log loss"
FIRST_TENTH, LAST_TENTH = "attention on the first tenth of the slices", "attention on the last tenth of the slices"
AREAS = (AUC_ROC, AUC_PR, AP)
SHARES = (SENSITIVITY, SPECIFICITY)
LOWER_IS_BETTER = (ECE, LOG_LOSS)

LEAST_PATIENTS = 10
"""With a class, and without it, that an area under a curve takes."""


@dataclass(frozen=True, eq=False)
class Figure:
    """One figure of one model on one set.

    Attributes:
        kind: "AUC-ROC" and so on.
        target: what it is of, None for all classes together.
        drawn: weights `[draws, n]` to the figure in each draw `[draws]`, NaN where it is not defined.
        patients: how many it is over.
    """

    kind: str
    target: Target | None
    drawn: Callable[[Floats], Floats]
    patients: int

    @property
    def name(self) -> str:
        """For instance "AUC-ROC, infection"."""
        return self.kind if self.target is None else f"{self.kind}, {self.target.name}"

    def value(self, studies: int) -> float:
        """On the studies as they are."""
        return float(self.drawn(np.ones((1, studies)))[0])


def figures(predictions: Predictions, least: int = LEAST_PATIENTS) -> list[Figure]:
    """All that can be asked of these predictions, those of any finding first.

    Areas under a curve are left out where fewer than `least` patients have a class, or lack it.
    """
    everyone = len(set(predictions.patients))
    found = []
    for target in targets(predictions):
        with_it, without = patients_of(target.positive, predictions.patients)
        for kind, drawn in _of_target(target).items():
            patients = {SENSITIVITY: with_it, SPECIFICITY: without}.get(kind, everyone)
            if patients and (kind not in AREAS or min(with_it, without) >= max(1, least)):
                found.append(Figure(kind, target, drawn, patients))
    for kind, values in per_study(predictions).items():
        found.append(Figure(kind, None, _mean_of(values), everyone))
    return found


def _of_target(target: Target) -> dict[str, Callable[[Floats], Floats]]:
    scores, ranks, positive, called = target.scores, target.ranks, target.positive, target.called
    return {
        AUC_ROC: lambda weights: weighted.auc_roc(weights, ranks, positive),
        AUC_PR: lambda weights: weighted.auc_pr(weights, ranks, positive),
        AP: lambda weights: weighted.average_precision(weights, ranks, positive),
        SENSITIVITY: lambda weights: weighted.share(weights, called, positive),
        SPECIFICITY: lambda weights: weighted.share(weights, ~called, ~positive),
        ECE: lambda weights: weighted.calibration_error(weights, scores, positive),
    }


def _mean_of(values: Floats) -> Callable[[Floats], Floats]:
    return lambda weights: weighted.mean(weights, values)


def per_study(predictions: Predictions) -> dict[str, Floats]:
    """What each study counts `[n]` in the figures of all classes together; their means are the figures.

    Accuracy (exclusive classes alone): whether the class that the model names is the true one. Log loss in nats: of
    exclusive classes that of the true one, of others the mean over all classes. Attention where the model has it: the
    share that lies on the outer tenths of the slices, where hardly anything is to be seen.
    """
    out: dict[str, Floats] = {}
    if predictions.exclusive:
        out[ACCURACY] = (answers(predictions) == predictions.truth).all(axis=1).astype(float)
    out[LOG_LOSS] = log_losses(predictions.logits, predictions.truth, exclusive=predictions.exclusive)
    if all(case.attention for case in predictions.cases):
        tenths = np.array([_tenths(case.attention) for case in predictions.cases]).reshape(-1, 2)
        out |= {FIRST_TENTH: tenths[:, 0], LAST_TENTH: tenths[:, 1]}
    return out


def log_losses(logits: Floats, truth: NDArray[np.bool_], *, exclusive: bool) -> Floats:
    """`[n]` from logits `[n, classes]`, so that a probability of almost 0 keeps its weight."""
    if exclusive:
        return np.asarray(np.logaddexp.reduce(logits, axis=1) - logits[truth])
    return np.asarray(np.logaddexp(0.0, np.where(truth, -logits, logits)).mean(axis=1))


def _tenths(attention: tuple[float, ...]) -> tuple[float, float]:
    tenth = max(1, round(len(attention) / 10))
    return sum(attention[:tenth]), sum(attention[-tenth:])
