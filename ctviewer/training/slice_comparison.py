"""Two one-shot models on the same slices: paired bootstrap over patients, and slices that are answered otherwise. No torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.words import counted
from ctviewer.models.probabilities import sigmoid
from ctviewer.training.comparison import CORRECTED, LOST, STILL_WRONG, Changed, Comparison, Difference, Sides
from ctviewer.training.scores.detection.figures import ALL, LOWER_IS_BETTER, PER_IMAGE, SliceFigure, slice_figures
from ctviewer.training.scores.detection.slice_classes import answered
from ctviewer.training.scores.pairing import NO_FINDING, WITH_FINDING
from ctviewer.training.scores.resampling import DRAWS, interval, resampled
from ctviewer.training.slice_evaluation import require_known_classes, slice_confusion
from ctviewer.training.slice_predictions import SlicePrediction, SlicePredictions

SLICE = "slice"
Pair = tuple[SlicePrediction, SlicePrediction]


def compare_slices(old: SlicePredictions, new: SlicePredictions, *, draws: int = DRAWS, seed: int = 0) -> Comparison:
    """Compare two models on the slices that both were asked about.

    Figures of outlines are compared class by class where both have the class, and for lesions of any class. Models that
    tell other classes of slices apart are compared by finding against none, where both have a class that means "no finding".

    Args:
        old: of the model in use.
        new: of the model that may take its place.
        draws: of the bootstrap; the same patients are drawn for both.
        seed: of the draws.

    Raises:
        InputError: they cannot be compared; the text says why.
    """
    old, new, notes = _common(old, new)
    old, new, told = _alike(old, new)
    for one in (old, new):
        require_known_classes(one)
    differences = tuple(_differences(old, new, draws, seed))
    if not differences:
        raise InputError(f"{old.model} and {new.model} have no figure in common on these slices.")
    changed = tuple(sorted(_changed(old, new), key=lambda one: (LOST, CORRECTED, STILL_WRONG).index(one.outcome)))
    outlined = [name for name in new.classes[1:] if name in old.classes]
    return Comparison(
        old=old.model,
        new=new.model,
        classes=(*outlined, *new.image_classes),
        negative_class=new.negative_class,
        studies=len(new.cases),
        patients=len(new.patients),
        old_threshold=old.threshold,
        new_threshold=new.threshold,
        differences=differences,
        sides=_sides(old, new),
        changed=changed,
        old_reliability=(),
        new_reliability=(),
        old_confusion=slice_confusion(old),
        new_confusion=slice_confusion(new),
        notes=(*notes, *told),
        unit=SLICE,
    )


def _common(old: SlicePredictions, new: SlicePredictions) -> tuple[SlicePredictions, SlicePredictions, list[str]]:
    """Both on the slices of both, in one order."""
    before = {(case.scan, case.name): case for case in old.cases}
    pairs = [(before[key], case) for case in new.cases if (key := (case.scan, case.name)) in before]
    notes = []
    if alone := len(old.cases) + len(new.cases) - 2 * len(pairs):
        notes.append(f"Left out: {counted(alone, SLICE)} that only one of the models answers.")
    same = [pair for pair in pairs if _same_pixels(pair)]
    if len(same) < len(pairs):
        notes.append(
            f"Left out: {counted(len(pairs) - len(same), SLICE)} of scans with other pixels or labels than before."
        )
    if not same:
        raise InputError(f"{old.model} and {new.model} were asked about no slice in common.")
    if other := sum(a.truth != b.truth or a.patient != b.patient for a, b in same):
        raise InputError(f"The labels of {counted(other, SLICE)} differ: both models must be judged by the same ones.")
    return replace(old, cases=tuple(a for a, _ in same)), replace(new, cases=tuple(b for _, b in same)), notes


def _same_pixels(pair: Pair) -> bool:
    a, b = pair
    return not (a.content and b.content) or a.content == b.content


def _alike(old: SlicePredictions, new: SlicePredictions) -> tuple[SlicePredictions, SlicePredictions, list[str]]:
    """Both with the same classes of slices in one order, or with none."""
    notes = []
    if set(old.lesion_classes) != set(new.lesion_classes):
        notes.append(
            f"{old.model} outlines {', '.join(old.classes[1:])} and {new.model} {', '.join(new.classes[1:])}: beside what "
            "both outline, lesions of any class are compared."
        )
    if set(old.image_classes) == set(new.image_classes):
        return _reordered(old, new.image_classes), new, notes
    if old.negative_class and new.negative_class:
        notes.append(
            f"{old.model} and {new.model} do not tell the same classes of slices apart: they are compared by finding "
            "against none."
        )
        truths = {case.truth for case in new.cases if case.truth}
        negative = new.negative_class if truths <= set(new.image_classes) else old.negative_class
        return _by_finding(old, negative), _by_finding(new, negative), notes
    if old.image_classes and new.image_classes:
        notes.append(f"{old.model} and {new.model} tell other classes of slices apart, which cannot be compared.")
    return _without_classes(old), _without_classes(new), notes


def _reordered(p: SlicePredictions, classes: tuple[str, ...]) -> SlicePredictions:
    places = [p.image_classes.index(name) for name in classes]
    cases = (replace(case, logits=tuple(case.logits[i] for i in places)) if case.logits else case for case in p.cases)
    return replace(p, image_classes=classes, cases=tuple(cases))


def _by_finding(p: SlicePredictions, negative_label: str) -> SlicePredictions:
    """With two classes: the negative one, and the largest of the others."""
    at = p.image_classes.index(p.negative_class)

    def two(case: SlicePrediction) -> SlicePrediction:
        side = "" if not case.truth else NO_FINDING if case.truth == negative_label else WITH_FINDING
        others = [logit for i, logit in enumerate(case.logits) if i != at]
        return replace(case, truth=side, logits=(case.logits[at], max(others)) if others else ())

    cases = tuple(two(case) for case in p.cases)
    return replace(p, image_classes=(NO_FINDING, WITH_FINDING), negative_class=NO_FINDING, cases=cases)


def _without_classes(p: SlicePredictions) -> SlicePredictions:
    cases = tuple(replace(case, logits=()) for case in p.cases)
    return replace(p, image_classes=(), negative_class="", cases=cases)


def _differences(old: SlicePredictions, new: SlicePredictions, draws: int, seed: int) -> Iterator[Difference]:
    same = set(old.classes) == set(new.classes)
    before = {figure.name: figure for figure in slice_figures(old, any_lesion=not same)}
    pairs = [
        (before[figure.name], figure)
        for figure in slice_figures(new, any_lesion=not same)
        if figure.name in before and (same or (figure.of != ALL and figure.kind != PER_IMAGE))
    ]
    drawn = resampled([_difference(was, figure) for was, figure in pairs], new.patients, draws, seed) if pairs else ()
    for (was, figure), row in zip(pairs, drawn, strict=True):
        values = was.value(len(old.patients)), figure.value(len(new.patients))
        if all(math.isfinite(value) for value in values):
            low, high = interval(row, figure.patients) or (None, None)
            lower = figure.kind in LOWER_IS_BETTER
            yield Difference(figure.name, *values, low, high, lower, figure.patients)


def _difference(old: SliceFigure, new: SliceFigure) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda weights: new.drawn(weights) - old.drawn(weights)


def _answers(old: SlicePredictions, new: SlicePredictions) -> Iterator[tuple[Pair, str, str]]:
    """Slices of a known class that both gave an answer to, with the answers."""
    classed = [pair for pair in zip(old.cases, new.cases, strict=True) if pair[0].has_class and pair[1].has_class]
    said = [answered(replace(p, cases=tuple(pair[i] for pair in classed))) for i, p in enumerate((old, new))]
    for pair, a, b in zip(classed, *said, strict=True):
        yield pair, old.image_classes[a], new.image_classes[b]


def _sides(old: SlicePredictions, new: SlicePredictions) -> Sides:
    right = [(a == pair[1].truth, b == pair[1].truth) for pair, a, b in _answers(old, new)]
    return Sides(*(right.count(sides) for sides in ((True, True), (True, False), (False, True), (False, False))))


def _changed(old: SlicePredictions, new: SlicePredictions) -> Iterator[Changed]:
    for (before, after), was, now in _answers(old, new):
        if was != now:
            outcome = CORRECTED if now == after.truth else LOST if was == after.truth else STILL_WRONG
            yield Changed(
                after.scan, after.patient, (after.truth,), (was,), (now,), _finding(before.logits, old),
                _finding(after.logits, new), outcome, after.name,
            )  # fmt: skip


def _finding(logits: Sequence[float], p: SlicePredictions) -> float | None:
    """The largest probability of a class that is a finding; None without a negative class."""
    if not p.negative_class:
        return None
    at = p.image_classes.index(p.negative_class)
    return float(sigmoid(np.array([logit for i, logit in enumerate(logits) if i != at])).max())
