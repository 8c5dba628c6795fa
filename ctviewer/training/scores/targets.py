"""What there is to tell apart in a set of predictions, and what the model answered by its own threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.words import counted
from ctviewer.models.probabilities import class_probabilities
from ctviewer.training.predictions import Predictions

FINDING = "any finding"
AT_LEAST = 0.5  # of classes that do not exclude each other, and of two sides without a threshold


@dataclass(frozen=True, eq=False)
class Target:
    """One question with yes or no for every study: a class against the rest, or any finding against none.

    Attributes:
        name: of the class, or `FINDING`.
        scores: `[n]` probability of yes.
        ranks: `[n]` by what the studies are ranked: the same, unless they were judged by several nets.
        positive: `[n]` whether yes is true.
        called: `[n]` whether the model answers yes.
    """

    name: str
    scores: NDArray[np.float64]
    ranks: NDArray[np.float64]
    positive: NDArray[np.bool_]
    called: NDArray[np.bool_]


def require_known(predictions: Predictions) -> None:
    """Every study shows something that the model knows, and one class where classes exclude each other.

    Raises:
        InputError: one does not, or there are no studies.
    """
    if not predictions.cases:
        raise InputError("There are no predictions to judge.")
    require_labels([case.truth for case in predictions.cases], predictions.classes, predictions.exclusive)


def require_labels(truths: list[tuple[str, ...]], classes: tuple[str, ...], exclusive: bool) -> None:
    """Labels are those of a model.

    Raises:
        InputError: a study has none, has one that the model does not know, or several where the model's exclude each
            other.
    """
    unknown: dict[str, int] = {}
    for name in (name for truth in truths for name in truth if name not in classes):
        unknown[name] = unknown.get(name, 0) + 1
    if unknown:
        named = ", ".join(f"{name!r} ({counted(count, 'study')})" for name, count in list(unknown.items())[:5])
        raise InputError(f"The model does not know the class {named}; its classes are {', '.join(classes)}.")
    if bare := sum(not truth for truth in truths):
        raise InputError(f"{counted(bare, 'study')} without a class cannot be judged.")
    if exclusive and (several := sum(len(truth) > 1 for truth in truths)):
        what = f"The labels give several classes to {counted(several, 'study')}"
        raise InputError(f"{what}, and the classes of the model exclude each other: {', '.join(classes)}.")


def probabilities(predictions: Predictions) -> NDArray[np.float64]:
    """`[studies, classes]`."""
    return class_probabilities(predictions.logits, exclusive=predictions.exclusive)


def finding_probability(predictions: Predictions) -> NDArray[np.float64] | None:
    """`[studies]` probability of anything but the negative class; None without one."""
    return _of_finding(probabilities(predictions), predictions)


def _of_finding(p: NDArray[np.float64], predictions: Predictions) -> NDArray[np.float64] | None:
    """From probabilities `[studies, classes]`."""
    if not predictions.negative_class:
        return None
    return np.asarray(1.0 - p[:, predictions.classes.index(predictions.negative_class)])


def answers(predictions: Predictions) -> NDArray[np.bool_]:
    """Which classes the model names for each study `[studies, classes]`, as `StudyClassification.answer` does.

    With a negative class the threshold decides between it and the rest. Of exclusive classes then the most probable one
    is named, of others each one from a half on, and the most probable where there is none.
    """
    p = probabilities(predictions)
    n, classes = p.shape
    finding = finding_probability(predictions)
    negative = None if finding is None else predictions.classes.index(predictions.negative_class)
    rest = p.copy()
    if negative is not None:
        rest[:, negative] = -1.0
    best = rest.argmax(axis=1)
    called = np.zeros((n, classes), bool) if predictions.exclusive else rest >= AT_LEAST
    nothing = ~called.any(axis=1)
    called[nothing, best[nothing]] = True
    if finding is not None:
        below = finding < predictions.threshold
        called[below] = False
        called[below, negative] = True
    return called


def targets(predictions: Predictions) -> tuple[Target, ...]:
    """All questions there are: any finding first (with a negative class), then the classes.

    Of two classes one of which is negative the other is "any finding", and stands there once.
    """
    p, truth, called = probabilities(predictions), predictions.truth, answers(predictions)
    ranks = class_probabilities(predictions.ranking, exclusive=predictions.exclusive)
    out = []
    finding, finding_ranks = _of_finding(p, predictions), _of_finding(ranks, predictions)
    if finding is not None and finding_ranks is not None:
        at = predictions.classes.index(predictions.negative_class)
        out.append(Target(FINDING, finding, finding_ranks, ~truth[:, at], ~called[:, at]))
    mirrored = finding is not None and len(predictions.classes) == 2 and predictions.exclusive
    for i, name in enumerate(predictions.classes):
        if not mirrored or name == predictions.negative_class:
            out.append(Target(name, p[:, i].copy(), ranks[:, i].copy(), truth[:, i], called[:, i]))
    return tuple(out)


def patients_of(positive: NDArray[np.bool_], patients: tuple[str, ...]) -> tuple[int, int]:
    """How many patients have a study with, and how many one without."""
    with_it = {name for name, yes in zip(patients, positive, strict=True) if yes}
    without = {name for name, yes in zip(patients, positive, strict=True) if not yes}
    return len(with_it), len(without)


def counts(predictions: Predictions) -> str:
    """For instance "45 studies of 40 patients"."""
    patients = len(set(predictions.patients))
    return f"{counted(len(predictions.cases), 'study')} of {counted(patients, 'patient')}"
