"""The figures of the paper's tables, of any draw of patients: so that each has an interval, and two models a difference.

A figure is a function from draws of patients `[draws, patients]` to its values `[draws]`. Those of several seeds are averaged
draw by draw; differences are between models on the same draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.reproduction.ter_sarkisov_published import AP_NAMES
from ctviewer.training.scores.detection import figures as scores
from ctviewer.training.scores.resampling import interval, resampled
from ctviewer.training.slice_predictions import SlicePredictions

Floats = NDArray[np.float64]
Figure = Callable[[Floats], Floats]
COCO_NAMES = tuple(f"COCO {name}" for name in AP_NAMES)
F1, SENSITIVITY, PRECISION, F1_PAPER = "F1", "Sensitivity", "Precision", "F1, the paper's class shares"
_PER_IMAGE = ("at .5", "at .75", "at .5:.95")
_COCO = (scores.AP50, scores.AP75, scores.AP)


@dataclass(frozen=True)
class Value:
    """A figure.

    Attributes:
        value: on all patients.
        low, high: 95 % interval over patients; None where there is none.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class Figures:
    """Of one model on the slices of one kind.

    Attributes:
        patients: whose slices they are, each once, sorted.
        by_name: figures by the column that they belong to.
    """

    patients: tuple[str, ...]
    by_name: Mapping[str, Figure]


def segmentation(predictions: SlicePredictions) -> Figures:
    """Average precision of outlines, the paper's and COCO's, over slices whose lesions are marked."""
    found = _of(replace(predictions, cases=tuple(case for case, _ in predictions.with_lesions)))
    labels = predictions.classes[1:]
    named = {name: found.get((scores.PER_IMAGE, of)) for name, of in zip(AP_NAMES, _PER_IMAGE, strict=True)}
    for name, kind in zip(COCO_NAMES, _COCO, strict=True):
        single = next((one for label in labels if (one := found.get((kind, label)))), None)
        named[name] = found.get((kind, scores.ALL), single)
    for label in labels:
        named |= {f"{label}, {name}": found.get((kind, label)) for name, kind in zip(COCO_NAMES, _COCO, strict=True)}
    return _figures(tuple({case.patient for case, _ in predictions.with_lesions}), named)


def classes(predictions: SlicePredictions) -> Figures:
    """Sensitivity of each class under its name, and F1, sensitivity and precision of all, over slices of a known class."""
    found = _of(replace(predictions, cases=predictions.with_classes))
    named = {name: found.get((scores.SENSITIVITY, name)) for name in predictions.image_classes}
    named[F1] = found.get((scores.F1, scores.WEIGHTED))
    named[SENSITIVITY] = found.get((scores.SENSITIVITY, scores.WEIGHTED))
    named[PRECISION] = found.get((scores.PRECISION, scores.WEIGHTED))
    named[F1_PAPER] = found.get((scores.F1, scores.PAPER_WEIGHTED))
    return _figures(tuple({case.patient for case in predictions.with_classes}), named)


def over_seeds(runs: Sequence[Figures]) -> Figures:
    """The mean of each figure over runs of one model that differ by their seed, on the same patients."""
    names = [name for name in runs[0].by_name if all(name in one.by_name for one in runs)]
    return Figures(runs[0].patients, {name: _mean([one.by_name[name] for one in runs]) for name in names})


def difference(one: Figures, other: Figures) -> Figures:
    """How much each figure of the first is above the other's; none where they were judged on other patients."""
    if one.patients != other.patients:
        return Figures((), {})
    both = [name for name in one.by_name if name in other.by_name]
    return Figures(one.patients, {name: _less(one.by_name[name], other.by_name[name]) for name in both})


def values(figures: Figures) -> dict[str, Value]:
    """Each figure on all patients, with its interval over draws of them; those that are not defined are left out."""
    names, patients = list(figures.by_name), figures.patients
    if not names or not patients:
        return {}
    wanted = [figures.by_name[name] for name in names]
    drawn = resampled(wanted, patients) if len(patients) > 1 else np.zeros((len(names), 0))
    everyone = np.ones((1, len(patients)))
    found = {
        name: _value(float(one(everyone)[0]), row, len(patients))
        for name, one, row in zip(names, wanted, drawn, strict=True)
    }
    return {name: one for name, one in found.items() if math.isfinite(one.value)}


def _of(predictions: SlicePredictions) -> dict[tuple[str, str], Figure]:
    if not predictions.cases:
        return {}
    return {(one.kind, one.of): one.drawn for one in scores.slice_figures(predictions)}


def _figures(patients: Sequence[str], named: Mapping[str, Figure | None]) -> Figures:
    return Figures(tuple(sorted(patients)), {name: one for name, one in named.items() if one is not None})


def _value(value: float, drawn: Floats, patients: int) -> Value:
    found = interval(drawn, patients) if drawn.size and math.isfinite(value) else None
    return Value(value) if found is None else Value(value, *found)


def _less(one: Figure, other: Figure) -> Figure:
    return lambda weights: one(weights) - other(weights)


def _mean(figures: Sequence[Figure]) -> Figure:
    return lambda weights: np.mean([one(weights) for one in figures], axis=0)
