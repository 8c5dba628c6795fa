"""Old against new on the same studies: paired bootstrap over patients, changed answers, reliability, confusion. No torch.

The data classes are what the window shows and what `comparison.json` of a run holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.records import Format
from ctviewer.training.predictions import Predictions
from ctviewer.training.scores.curves import Confusion, Reliability, confusion, reliability
from ctviewer.training.scores.detection.figures import AP, DICE, F1
from ctviewer.training.scores.figures import (
    AUC_ROC,
    FIRST_TENTH,
    LAST_TENTH,
    LEAST_PATIENTS,
    LOG_LOSS,
    LOWER_IS_BETTER,
    Figure,
    figures,
)
from ctviewer.training.scores.pairing import alike, common
from ctviewer.training.scores.resampling import DRAWS, interval, resampled
from ctviewer.training.scores.targets import (
    FINDING,
    answers,
    finding_probability,
    require_known,
    targets,
)
from ctviewer.training.slices.classes import LUNG

_FORMAT = Format("ctviewer.comparison", 1, "comparison")
BETTER, WORSE, OPEN = "better", "worse", "open"
CORRECTED, LOST, STILL_WRONG = "corrected", "lost", "still wrong"
_NO_CHANCE = 6
"""Patients from which a difference that all draws agree on is no chance: a sign test, 2 x 0.5 ** 6 < 0.05."""
_NOTHING = 1e-9
_SPEAKS_FOR_THE_WHOLE = (f"{AUC_ROC}, {FINDING}", LOG_LOSS, AP, DICE, F1)


@dataclass(frozen=True)
class Difference:
    """One figure of both models on the same studies.

    Attributes:
        name: "AUC-ROC, infection".
        old, new: the figure.
        low, high: 95 % interval of new minus old by paired bootstrap over patients; None where all draws agree, most
            are undefined, or patients are too few (`resampling.interval`).
        lower_is_better: of this figure.
        patients: how many it is over.
    """

    name: str
    old: float
    new: float
    low: float | None
    high: float | None
    lower_is_better: bool
    patients: int

    @property
    def difference(self) -> float:
        """New minus old."""
        return self.new - self.old

    @property
    def verdict(self) -> str:
        """`BETTER` or `WORSE` where the interval leaves zero out, else `OPEN`.

        Without an interval, where patients enough all went one way: a model that answers the same to everybody. Few
        patients alone leave most draws undefined, so that this is never taken for their agreement.
        """
        low, high = self.low, self.high
        if low is None or high is None:
            low = high = self.difference if self.patients >= _NO_CHANCE else 0.0
        if low <= _NOTHING and high >= -_NOTHING:
            return OPEN
        return BETTER if (low > 0.0) != self.lower_is_better else WORSE


@dataclass(frozen=True)
class Changed:
    """A study to which the two models give different answers.

    Attributes:
        study: its id in the source.
        patient: digest.
        truth: its classes.
        old, new: classes that the models name.
        old_finding, new_finding: probability of any finding; None without a negative class.
        outcome: `CORRECTED` (the new answer alone is right), `LOST` (the old alone was) or `STILL_WRONG`.
        slice: of a one-shot model, the slice of the scan `study`.
    """

    study: str
    patient: str
    truth: tuple[str, ...]
    old: tuple[str, ...]
    new: tuple[str, ...]
    old_finding: float | None
    new_finding: float | None
    outcome: str
    slice: str = ""


@dataclass(frozen=True)
class Sides:
    """Studies (or slices) by who is right, as McNemar's table has them; right is an answer of exactly the true classes."""

    both_right: int
    old_right: int
    new_right: int
    both_wrong: int


@dataclass(frozen=True)
class Comparison:
    """Two models on the same studies.

    Attributes:
        old, new: "name version".
        classes: what both tell apart, in the new model's order; "no finding" and "finding" where their own differ.
        negative_class: of these; "" for none.
        studies, patients: how many were compared.
        old_threshold, new_threshold: each model answers by its own.
        differences: of all figures, any finding first.
        sides: who is right.
        changed: studies with another answer, those that got lost first.
        old_reliability, new_reliability: by target, in one order.
        old_confusion, new_confusion: None where classes do not exclude each other.
        notes: sentences that a reader should know.
        regression: the same on the fixed set against forgetting; None where it was not looked at.
        unit: what one of the `studies` is: a slice for one-shot models.
    """

    old: str
    new: str
    classes: tuple[str, ...]
    negative_class: str
    studies: int
    patients: int
    old_threshold: float
    new_threshold: float
    differences: tuple[Difference, ...]
    sides: Sides
    changed: tuple[Changed, ...]
    old_reliability: tuple[Reliability, ...]
    new_reliability: tuple[Reliability, ...]
    old_confusion: Confusion | None
    new_confusion: Confusion | None
    notes: tuple[str, ...] = ()
    regression: Comparison | None = None
    unit: str = "study"

    @property
    def main(self) -> Difference:
        """What speaks for the whole: the first that is given of AUC-ROC of any finding, log loss, AP, Dice, slice F1.

        Figures of the lung, which is no lesion, speak for it where there is nothing else.
        """
        of_lung = f", {LUNG}"
        for name in _SPEAKS_FOR_THE_WHOLE:
            fitting = (one for one in self.differences if one.name.startswith(name) and not one.name.endswith(of_lung))
            if found := next(fitting, None):
                return found
        return self.differences[0]


def compare(
    old: Predictions, new: Predictions, *, draws: int = DRAWS, seed: int = 0, least: int = LEAST_PATIENTS
) -> Comparison:
    """Compare two models on the studies that both were asked about.

    Models of the same classes in another order are compared class by class; of different classes by finding against
    none, where both have a class that means "no finding".

    Args:
        old: of the model in use.
        new: of the model that may take its place.
        draws: of the bootstrap; the same patients are drawn for both.
        seed: of the draws.
        least: as for `evaluation.evaluate`.

    Raises:
        InputError: they cannot be compared; the text says why.
    """
    old, new, notes = common(old, new)
    old, new, told = alike(old, new)
    require_known(old)
    require_known(new)
    notes += told
    changed = tuple(sorted(_changed(old, new), key=lambda one: (LOST, CORRECTED, STILL_WRONG).index(one.outcome)))
    return Comparison(
        old=old.model,
        new=new.model,
        classes=new.classes,
        negative_class=new.negative_class,
        studies=len(new.cases),
        patients=len(set(new.patients)),
        old_threshold=old.threshold,
        new_threshold=new.threshold,
        differences=tuple(_differences(old, new, draws, seed, least)),
        sides=_sides(old, new),
        changed=changed,
        old_reliability=tuple(reliability(target) for target in targets(old)),
        new_reliability=tuple(reliability(target) for target in targets(new)),
        old_confusion=confusion(old),
        new_confusion=confusion(new),
        notes=tuple(notes),
    )


def _differences(old: Predictions, new: Predictions, draws: int, seed: int, least: int) -> Iterator[Difference]:
    before = {figure.name: figure for figure in figures(old, least)}
    pairs = [
        (before[figure.name], figure)
        for figure in figures(new, least)
        if figure.name in before and figure.kind not in (FIRST_TENTH, LAST_TENTH)
    ]
    drawn = resampled([_difference(was, figure) for was, figure in pairs], new.patients, draws, seed)
    for (was, figure), row in zip(pairs, drawn, strict=True):
        values = was.value(len(old.cases)), figure.value(len(new.cases))
        if all(math.isfinite(value) for value in values):
            low, high = interval(row, figure.patients) or (None, None)
            yield Difference(figure.name, *values, low, high, figure.kind in LOWER_IS_BETTER, figure.patients)


def _difference(old: Figure, new: Figure) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda weights: new.drawn(weights) - old.drawn(weights)


def _right(predictions: Predictions) -> NDArray[np.bool_]:
    return np.asarray((answers(predictions) == predictions.truth).all(axis=1))


def _sides(old: Predictions, new: Predictions) -> Sides:
    a, b = _right(old), _right(new)
    return Sides(int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()), int((~a & ~b).sum()))


def _changed(old: Predictions, new: Predictions) -> Iterator[Changed]:
    said, says, was_right, is_right = answers(old), answers(new), _right(old), _right(new)
    before, after = finding_probability(old), finding_probability(new)
    for i, case in enumerate(new.cases):
        if (said[i] != says[i]).any():
            yield Changed(
                case.study,
                case.patient,
                case.truth,
                tuple(name for name, yes in zip(old.classes, said[i], strict=True) if yes),
                tuple(name for name, yes in zip(new.classes, says[i], strict=True) if yes),
                None if before is None else float(before[i]),
                None if after is None else float(after[i]),
                CORRECTED if is_right[i] else LOST if was_right[i] else STILL_WRONG,
            )


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Plain dicts and lists for `json.dumps`."""
    return _FORMAT.to_json(comparison)


def from_json(data: object) -> Comparison:
    """The inverse of `to_json`.

    Raises:
        ValueError: it is something else or incomplete; the text is a clause after "because".
    """
    return _FORMAT.from_json(Comparison, data)


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Write `comparison.json`, atomically, readable by its owner alone.

    Raises:
        StorageError: it cannot be written.
    """
    _FORMAT.write(path, comparison)


def read_comparison(path: Path) -> Comparison:
    """Read what `write_comparison` wrote.

    Raises:
        InputError: it cannot be read; the text names the file and the reason.
    """
    return _FORMAT.read(path, from_json)
