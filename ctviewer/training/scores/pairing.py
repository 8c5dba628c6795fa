"""Two models brought together: the same studies, the same order, the same question."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.words import counted
from ctviewer.training.predictions import Prediction, Predictions
from ctviewer.training.scores.targets import require_labels

NO_FINDING, WITH_FINDING = "no finding", "finding"


def common(old: Predictions, new: Predictions) -> tuple[Predictions, Predictions, list[str]]:
    """Both on the studies of both, in one order.

    Raises:
        InputError: there are none, or they were not given the same labels.
    """
    before = {case.study: case for case in old.cases}
    pairs = [(before[case.study], case) for case in new.cases if case.study in before]
    notes = []
    if alone := len(old.cases) + len(new.cases) - 2 * len(pairs):
        notes.append(f"Left out: {counted(alone, 'study')} that only one of the models was asked about.")
    same = [(a, b) for a, b in pairs if not (a.content and b.content) or a.content == b.content]
    if len(same) < len(pairs):
        notes.append(f"Left out: {counted(len(pairs) - len(same), 'study')} with other pixels than before.")
    if not same:
        raise InputError(f"{old.model} and {new.model} were asked about no study in common.")
    if other := sum(set(a.truth) != set(b.truth) or a.patient != b.patient for a, b in same):
        raise InputError(
            f"The labels of {counted(other, 'study')} differ: both models must be judged by the same ones."
        )
    return replace(old, cases=tuple(a for a, _ in same)), replace(new, cases=tuple(b for _, b in same)), notes


def alike(old: Predictions, new: Predictions) -> tuple[Predictions, Predictions, list[str]]:
    """Both with the same classes in one order.

    Raises:
        InputError: their classes differ and one of them has none that means "no finding".
    """
    same = set(old.classes) == set(new.classes)
    if same and old.negative_class == new.negative_class and old.exclusive == new.exclusive:
        return _reordered(old, new.classes), new, []
    told = (
        f"{old.model} ({', '.join(old.classes)}) and {new.model} ({', '.join(new.classes)}) do not tell the same apart"
    )
    if not (old.negative_class and new.negative_class):
        raise InputError(f"{told}; to compare them by finding against none both need a class that means no finding.")
    negative = _negative_label(old, new)
    return (
        by_finding(old, negative),
        by_finding(new, negative),
        [f"{told}: they are compared by finding against none."],
    )


def _negative_label(old: Predictions, new: Predictions) -> str:
    """What the labels call "no finding": the name that the model has for it whose classes they are."""
    truths = [case.truth for case in new.cases]
    for model in (new, old):
        try:
            require_labels(truths, model.classes, exclusive=False)
        except InputError:
            continue
        return model.negative_class
    raise InputError(f"The labels are classes of neither {old.model} nor {new.model}.")


def _reordered(predictions: Predictions, classes: tuple[str, ...]) -> Predictions:
    places = [predictions.classes.index(name) for name in classes]

    def put(logits: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(logits[i] for i in places) if logits else ()

    cases = (replace(case, logits=put(case.logits), ranking=put(case.ranking)) for case in predictions.cases)
    return replace(predictions, classes=classes, cases=tuple(cases))


def by_finding(predictions: Predictions, negative_label: str) -> Predictions:
    """The same with two classes; the second's logit is the log-odds of any finding, so that nothing is rounded away."""
    odds, ranks = _finding_odds(predictions.logits, predictions), _finding_odds(predictions.ranking, predictions)
    return replace(
        predictions,
        classes=(NO_FINDING, WITH_FINDING),
        negative_class=NO_FINDING,
        exclusive=True,
        cases=tuple(
            _two_sided(case, float(z), float(rank), negative_label)
            for case, z, rank in zip(predictions.cases, odds, ranks, strict=True)
        ),
    )


def _finding_odds(logits: NDArray[np.float64], predictions: Predictions) -> NDArray[np.float64]:
    """`[studies]` log-odds of any finding from `[studies, classes]`."""
    at = predictions.classes.index(predictions.negative_class)
    odds = -logits[:, at]
    if predictions.exclusive:
        odds = odds + np.logaddexp.reduce(np.delete(logits, at, axis=1), axis=1)
    return np.asarray(odds)


def _two_sided(case: Prediction, odds: float, rank: float, negative_label: str) -> Prediction:
    side = NO_FINDING if negative_label in case.truth else WITH_FINDING
    return replace(case, truth=(side,), logits=(0.0, odds), ranking=(0.0, rank) if case.ranking else ())
