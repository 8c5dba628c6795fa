"""Probabilities that mean what they say: temperature and bias on validation studies at a stated prevalence, and a threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import nn

from ctviewer.core.errors import InputError
from ctviewer.core.words import counted, enumerated
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.predictions import Predictions
from ctviewer.training.scores.targets import finding_probability, require_known

Floats = NDArray[np.float64]

LEAST_PATIENTS = 3
"""Of each class among the validation studies; with fewer nothing is fitted, and a stated prevalence alone is applied."""

_SHARPEST, _FLATTEST = 0.05, 20.0  # temperatures
_LEAST_THRESHOLD = 1e-4  # at a rare disease the best one lies far below a hundredth
_SUM = 0.01  # by which stated shares may miss 1


@dataclass(frozen=True)
class Calibration:
    """Calibrated logits are `logits / temperature + bias`.

    Attributes:
        temperature: above 0; the order of studies stays as it is.
        bias: by class; of classes that exclude each other relative to the first, whose bias is 0.
        prevalence: class to share that the probabilities refer to.
        text: what was done, for the card.
        fitted: whether patients decided it, and not a stated prevalence alone.
    """

    temperature: float
    bias: tuple[float, ...]
    prevalence: Mapping[str, float]
    text: str
    fitted: bool = True

    def apply(self, logits: Floats) -> Floats:
        """Calibrate `[..., classes]`."""
        return np.asarray(logits / self.temperature + np.array(self.bias))


def fit(
    predictions: Predictions, prevalence: Mapping[str, float] | None = None, trained: Mapping[str, float] | None = None
) -> Calibration:
    """Fit temperature and bias to validation studies, weighted so that classes are as frequent as stated.

    The loss is convex and its targets are Platt's (1999): a class of N patients is never taken for more certain than
    (N + 1) / (N + 2), so that a validation set without a mistake gives no infinite certainty. Studies of one patient
    share the weight of one.

    Args:
        predictions: on the validation studies, of the net as it was trained.
        prevalence: class to share (they sum to 1 where classes exclude each other); empty: as in the validation set.
        trained: class to share as training showed them; empty: all equally often.

    Returns:
        What was fitted; with too few patients of a class only the shift that the prevalence makes, and that is told.

    Raises:
        InputError: the prevalence does not fit the classes, or a study shows an unknown class.
    """
    require_known(predictions)
    shares = _stated(predictions, prevalence or {})
    few = _few(predictions)
    if few:
        return _by_prevalence(predictions, shares if prevalence else {}, trained or {}, few)
    logits, truth = predictions.logits, predictions.truth
    found = _fit_exclusive if predictions.exclusive else fit_each
    temperature, bias = found(logits, truth, patient_weights(predictions), shares)
    patients = len(set(predictions.patients))
    text = f"Temperature {temperature:.2f} and bias were fitted on {counted(patients, 'validation patient')}. "
    return Calibration(temperature, bias, shares, text + refers_to(shares, predictions.exclusive))


def require_prevalence(prevalence: Mapping[str, float], classes: Sequence[str], exclusive: bool) -> None:
    """Refuse a stated prevalence that does not fit the classes; to be asked before a run, not after it.

    Args:
        prevalence: class to share; empty states nothing.
        classes: of the model.
        exclusive: whether one class of a study excludes the others, so that the shares sum to 1.

    Raises:
        InputError: it does not fit; the text says why.
    """
    if not prevalence:
        return
    if set(prevalence) != set(classes):
        raise InputError(f"The prevalence must name each class once: {', '.join(classes)}.")
    if any(not 0.0 < share < 1.0 for share in prevalence.values()):
        raise InputError("Each share of the prevalence must lie between 0 and 1.")
    total = sum(prevalence.values())
    if exclusive and abs(total - 1.0) > _SUM:
        raise InputError(f"The shares of the prevalence sum to {total:.3g} and should sum to 1.")


def refers_to(prevalence: Mapping[str, float], exclusive: bool = True) -> str:
    """What probabilities mean, for card and window."""
    named = enumerated([f"{name} {share:.1%}" for name, share in prevalence.items()])
    among = "these shares of patients" if exclusive else "these classes among the patients, each by itself"
    return f"Probabilities refer to {among}: {named}."


def choose_threshold(predictions: Predictions) -> float:
    """Finding probability with the best sensitivity plus specificity on validation studies, whatever the prevalence.

    Returns:
        The middle of the gap between two studies that has it (of several the one with the best sensitivity), but no
        certainty; 0.5 without a negative class, or where all studies are on one side.
    """
    scores = finding_probability(predictions)
    if scores is None:
        return 0.5
    positive = ~predictions.truth[:, predictions.classes.index(predictions.negative_class)]
    if positive.all() or not positive.any():
        return 0.5
    weights = patient_weights(predictions)
    edges = np.concatenate([[0.0], np.unique(scores), [1.0]])
    low, high = edges[:-1], edges[1:]
    called = scores[None, :] >= high[:, None]  # a threshold inside a gap, or at its upper end
    hits = (called[:, positive] * weights[positive]).sum(axis=1) / weights[positive].sum()
    alarms = (called[:, ~positive] * weights[~positive]).sum(axis=1) / weights[~positive].sum()
    gain = hits - alarms
    best = int(np.flatnonzero(gain >= gain.max() - 1e-12)[0])
    return float(np.clip((low[best] + high[best]) / 2, _LEAST_THRESHOLD, 1 - _LEAST_THRESHOLD))


def fold_in(net: StudyClassifier, calibration: Calibration) -> None:
    """Calibrate a net by its last linear layer: evidence still sums to the logit, and nobody needs to know.

    Args:
        net: changed in place.
        calibration: of its classes.

    Raises:
        ValueError: it is of another number of classes.
    """
    head = net.aggregator.head
    assert isinstance(head, nn.Linear)
    bias = np.array(calibration.bias)
    if net.head == "binary" and len(bias) == 2:  # the first class's logit is the constant 0
        bias = bias[1:] - bias[:1]
    if head.out_features != len(bias):
        raise ValueError(f"a calibration of {len(calibration.bias)} classes does not fit {head.out_features} logits")
    with torch.no_grad():
        head.weight /= calibration.temperature
        head.bias.copy_(head.bias / calibration.temperature + torch.from_numpy(bias).to(head.bias))


def _stated(predictions: Predictions, prevalence: Mapping[str, float]) -> dict[str, float]:
    """Share of each class in the order of the logits; that of the validation patients where none is stated."""
    classes = predictions.classes
    if not prevalence:
        weights = patient_weights(predictions)
        shares = weights @ predictions.truth / weights.sum()
        return dict(zip(classes, shares.tolist(), strict=True))
    require_prevalence(prevalence, classes, predictions.exclusive)
    total = sum(prevalence.values())
    return {name: prevalence[name] / (total if predictions.exclusive else 1.0) for name in classes}


def patient_weights(predictions: Predictions) -> Floats:
    """`[n]`: all studies of a patient weigh 1 together."""
    names, of_study, studies = np.unique(predictions.patients, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / studies[of_study]) if len(names) else np.zeros(0)


def _few(predictions: Predictions) -> list[str]:
    """Classes that too few patients have; of classes that stand alone also those that too few lack."""
    patients, truth = np.array(predictions.patients), predictions.truth
    found = []
    for i, name in enumerate(predictions.classes):
        sides = [truth[:, i]] if predictions.exclusive else [truth[:, i], ~truth[:, i]]
        if min(len(set(patients[side])) for side in sides) < LEAST_PATIENTS:
            found.append(name)
    return found


def _by_prevalence(
    predictions: Predictions, stated: Mapping[str, float], trained: Mapping[str, float], few: list[str]
) -> Calibration:
    """The shift from the shares that training showed to the stated ones, and nothing fitted."""
    why, classes = (
        f"Nothing was fitted: under {LEAST_PATIENTS} validation patients for {enumerated(few)}. ",
        predictions.classes,
    )
    if not predictions.exclusive:  # how often training showed each class by itself is not known
        return Calibration(
            1.0, (0.0,) * len(classes), {}, why + "Probabilities are as they were trained.", fitted=False
        )
    shown = trained or dict.fromkeys(classes, 1 / len(classes))
    shares = stated or shown
    shift = [math.log(shares[name] / shown[name]) for name in classes]
    return Calibration(1.0, tuple(value - shift[0] for value in shift), shares, why + refers_to(shares), fitted=False)


def _fit_exclusive(
    logits: Floats, truth: NDArray[np.bool_], weights: Floats, shares: Mapping[str, float]
) -> tuple[float, tuple[float, ...]]:
    """Over x = 1 / temperature and the biases but the first; cross-entropy with Platt's targets."""
    classes = logits.shape[1]
    sizes = weights @ truth
    weights = weights * (truth @ (np.array(list(shares.values())) / sizes))
    sure = (sizes + 1) / (sizes + 2)
    goal = np.where(truth, sure[None, :], ((1 - truth @ sure) / (classes - 1))[:, None])

    def loss(x: Floats) -> tuple[float, Floats]:
        z = x[0] * logits + np.append(0.0, x[1:])
        log_p = z - np.logaddexp.reduce(z, axis=1)[:, None]
        off = weights[:, None] * (np.exp(log_p) - goal)
        return -float((weights[:, None] * goal * log_p).sum()), np.append((off * logits).sum(), off.sum(axis=0)[1:])

    x = _minimum(loss, classes)
    return float(1 / x[0]), (0.0, *(float(b) for b in x[1:]))


def fit_each(
    logits: Floats, truth: NDArray[np.bool_], weights: Floats, shares: Mapping[str, float]
) -> tuple[float, tuple[float, ...]]:
    """One temperature and a bias for each class; binary cross-entropy with Platt's targets.

    Args:
        logits: `[n, classes]`.
        truth: `[n, classes]`.
        weights: `[n]`, of studies.
        shares: class to share that the probabilities are to refer to, in the order of the logits.

    Returns:
        Temperature, and the biases.
    """
    wanted, yes, no = np.array(list(shares.values())), weights @ truth, weights @ ~truth
    each = weights[:, None] * np.where(truth, wanted / yes, (1 - wanted) / no)
    goal = np.where(truth, (yes + 1) / (yes + 2), 1 / (no + 2))

    def loss(x: Floats) -> tuple[float, Floats]:
        z = x[0] * logits + x[1:]
        p = 0.5 * (1.0 + np.tanh(0.5 * z))
        off = each * (p - goal)
        return float((each * (np.logaddexp(0.0, z) - goal * z)).sum()), np.append((off * logits).sum(), off.sum(axis=0))

    x = _minimum(loss, logits.shape[1] + 1)
    return float(1 / x[0]), tuple(float(b) for b in x[1:])


def _minimum(loss: object, size: int) -> Floats:
    start = np.zeros(size)
    start[0] = 1.0
    bounds = [(1 / _FLATTEST, 1 / _SHARPEST), *[(None, None)] * (size - 1)]
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-9}
    )
    return np.asarray(found.x)
