"""What each study counts in figures of all classes together; their weighted means are the figures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.predictions import Predictions
from ctviewer.training.scores.targets import answers

ACCURACY, LOG_LOSS = "accuracy", "log loss"
FIRST_TENTH, LAST_TENTH = "attention on the first tenth of the slices", "attention on the last tenth of the slices"


def whole_figures(predictions: Predictions) -> dict[str, NDArray[np.float64]]:
    """Values per study `[n]` by the name of the figure.

    Accuracy (exclusive classes alone): whether the class that the model names is the true one. Log loss in nats: of
    exclusive classes that of the true one, of others the mean over all classes. Attention where the model has it: the
    share that lies on the outer tenths of the slices, where hardly anything is to be seen.
    """
    out = {}
    if predictions.exclusive:
        out[ACCURACY] = (answers(predictions) == predictions.truth).all(axis=1).astype(float)
    out[LOG_LOSS] = log_losses(predictions.logits, predictions.truth, exclusive=predictions.exclusive)
    if all(case.attention for case in predictions.cases):
        tenths = np.array([_tenths(case.attention) for case in predictions.cases]).reshape(-1, 2)
        out |= {FIRST_TENTH: tenths[:, 0], LAST_TENTH: tenths[:, 1]}
    return out


def log_losses(logits: NDArray[np.float64], truth: NDArray[np.bool_], *, exclusive: bool) -> NDArray[np.float64]:
    """`[n]` from logits `[n, classes]`, so that a probability of almost 0 keeps its weight."""
    if exclusive:
        return np.asarray(np.logaddexp.reduce(logits, axis=1) - logits[truth])
    return np.asarray(np.logaddexp(0.0, np.where(truth, -logits, logits)).mean(axis=1))


def _tenths(attention: tuple[float, ...]) -> tuple[float, float]:
    tenth = max(1, round(len(attention) / 10))
    return sum(attention[:tenth]), sum(attention[-tenth:])
