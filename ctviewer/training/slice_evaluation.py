"""How good a one-shot model is on labelled slices: figures with intervals over patients, and what to know of them. No torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ctviewer.core.errors import InputError
from ctviewer.core.words import counted, enumerated
from ctviewer.models.metadata import Metric
from ctviewer.training.scores.curves import Confusion
from ctviewer.training.scores.detection import coco, froc, slice_classes, volume_dice
from ctviewer.training.scores.detection.figures import MARKED, SENSITIVITY, SliceFigure, slice_figures
from ctviewer.training.scores.resampling import DRAWS, LEAST_RESAMPLED, exact_interval, interval, resampled
from ctviewer.training.slice_predictions import SlicePredictions

LEAST_PATIENTS = 10
"""Under so many, a note says that an interval over patients tells little."""
UNCHOSEN = 0.5
"""Display threshold where nothing tells a better one."""
_THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(1, 20))
_SHARES = (SENSITIVITY, MARKED)


@dataclass(frozen=True)
class LesionCount:
    """What a set holds of a class of outlines.

    Attributes:
        name: of the class.
        instances: outlines on single slices, large enough to count.
        lesions: the same joined over neighbouring slices; on completely marked slices.
        patients: who have one.
    """

    name: str
    instances: int
    lesions: int
    patients: int


@dataclass(frozen=True)
class SliceCount:
    """How many slices show a class, and of how many patients."""

    name: str
    slices: int
    patients: int


@dataclass(frozen=True)
class FrocCurve:
    """Lesions found against false findings per scan, from the strictest threshold on."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class SliceMistake:
    """A slice whose class the model answers wrong."""

    scan: str
    slice: str
    truth: str
    answer: str


@dataclass(frozen=True)
class SliceEvaluation:
    """All that a page shows of one one-shot model on one set.

    Attributes:
        model: "name version".
        part: what the set is: "test", "external:NAME".
        slices, scans, patients: how many.
        complete: slices on which all lesions are marked.
        marked: slices on which lesions are marked at all.
        threshold: score from which an outline is shown.
        lesions: by class of outlines.
        classes: by class of slices.
        metrics: of `evaluate_slices`.
        curves: of lesions, any first.
        confusion: of slices; None without classes.
        mistakes: in the order of the set.
        notes: sentences that a reader must know beside the figures.
    """

    model: str
    part: str
    slices: int
    scans: int
    patients: int
    marked: int
    complete: int
    threshold: float
    lesions: tuple[LesionCount, ...]
    classes: tuple[SliceCount, ...]
    metrics: tuple[Metric, ...]
    curves: tuple[FrocCurve, ...]
    confusion: Confusion | None
    mistakes: tuple[SliceMistake, ...]
    notes: tuple[str, ...]


def examine_slices(p: SlicePredictions, part: str, *, draws: int = DRAWS, seed: int = 0) -> SliceEvaluation:
    """Figures, curves, tables, mistakes and what to know of them.

    Args:
        p: of one model on one set.
        part: what the set is.
        draws: of the bootstrap.
        seed: of the draws.

    Raises:
        InputError: as `evaluate_slices`.
    """
    metrics = evaluate_slices(p, data=part, draws=draws, seed=seed)
    lesions, classes = tuple(_lesion_counts(p)), tuple(_slice_counts(p))
    found = [one for _, one in p.with_lesions]
    return SliceEvaluation(
        model=p.model,
        part=part,
        slices=len(p.cases),
        scans=len({case.scan for case in p.cases}),
        patients=len(p.patients),
        marked=len(found),
        complete=sum(one.complete for one in found),
        threshold=p.threshold,
        lesions=lesions,
        classes=classes,
        metrics=metrics,
        curves=tuple(_curves(p)),
        confusion=slice_confusion(p),
        mistakes=tuple(_mistakes(p)),
        notes=tuple(_notes(p, lesions, classes, metrics)),
    )


def evaluate_slices(p: SlicePredictions, *, data: str = "", draws: int = DRAWS, seed: int = 0) -> tuple[Metric, ...]:
    """All figures that are defined on these slices, with 95 % intervals by bootstrap over patients.

    A share without a mistake (or without a success) has the exact binomial interval over patients; of other figures that
    are the same in all draws, or of fewer than `LEAST_RESAMPLED` patients, no interval is given.

    Args:
        p: of one model on one set.
        data: what the set is, for the card; how many slices of how many patients follows.
        draws: of the bootstrap.
        seed: of the draws.

    Raises:
        InputError: a slice shows a class that the model does not know.
    """
    require_known_classes(p)
    where = ", ".join(part for part in (data, counts(p)) if part)
    return metrics_of(slice_figures(p), p.patients, where, draws=draws, seed=seed)


def metrics_of(
    figures: Sequence[SliceFigure], patients: Sequence[str], where: str, *, draws: int = DRAWS, seed: int = 0
) -> tuple[Metric, ...]:
    """Figures that are defined, with intervals as `evaluate_slices` gives them.

    Args:
        figures: of one set.
        patients: each once, in the order of the figures' weights.
        where: what the set is.
        draws: of the bootstrap; all figures are reckoned on the same ones.
        seed: of the draws.
    """
    if not figures:
        return ()
    drawn = resampled([figure.drawn for figure in figures], patients, draws, seed)
    values = [figure.value(len(patients)) for figure in figures]
    return tuple(
        _metric(figure, value, interval(row, figure.patients), where)
        for figure, value, row in zip(figures, values, drawn, strict=True)
        if math.isfinite(value)
    )


def require_known_classes(p: SlicePredictions) -> None:
    """Slices have classes that the model knows.

    Raises:
        InputError: one has another.
    """
    if unknown := sorted({case.truth for case in p.with_classes} - set(p.image_classes)):
        raise InputError(
            f"The model does not know slices of the class {enumerated(unknown)}; its classes of slices are "
            f"{', '.join(p.image_classes)}."
        )


def choose_display_threshold(p: SlicePredictions) -> tuple[float, str]:
    """Score from which outlines are shown, chosen where lesions are known.

    The best mean Dice of all lesions over scans, less the share of lesion-free slices that get a mark; the lowest score
    of equals, so that no lesion is hidden for nothing.

    Returns:
        The score, and a sentence on how it was found.
    """
    ones = np.ones((1, len(p.patients)))

    def gain(threshold: float) -> float:
        one = volume_dice.areas(p, None, threshold)
        dice, marked = volume_dice.mean_dice(ones, one)[0], volume_dice.marked_share(ones, one)[0]
        return float(np.nan_to_num(dice) - np.nan_to_num(marked))

    if not any(one.complete and one.truth_any for _, one in p.with_lesions):
        return UNCHOSEN, (
            f"No validation slice with completely marked lesions was there to choose the display threshold by; it is {UNCHOSEN}."
        )
    best = max(_THRESHOLDS, key=lambda threshold: (round(gain(threshold), 9), -threshold))
    if gain(best) <= 0:
        return UNCHOSEN, (
            f"On the validation slices outlines meet lesions at no score better than they mark lesion-free slices: the display "
            f"threshold is left at {UNCHOSEN}."
        )
    return best, (
        f"Outlines are shown from score {best:.2f} on: on the validation slices the best Dice of all lesions less the "
        "share of lesion-free slices with a mark."
    )


def counts(p: SlicePredictions) -> str:
    """For instance "400 slices of 12 scans of 10 patients"."""
    scans = counted(len({case.scan for case in p.cases}), "scan")
    return f"{counted(len(p.cases), 'slice')} of {scans} of {counted(len(p.patients), 'patient')}"


def slice_confusion(p: SlicePredictions) -> Confusion | None:
    """None where no slice has a class and an answer."""
    if not p.with_classes:
        return None
    table = slice_classes.confusions(p).sum(axis=0)
    return Confusion(p.image_classes, tuple(tuple(int(n) for n in row) for row in table))


def _metric(figure: SliceFigure, value: float, found: tuple[float, float] | None, data: str) -> Metric:
    if figure.share is not None and value in (0.0, 1.0):
        found = exact_interval(
            round(value) * figure.patients, figure.patients
        )  # no draw differs, which is not certainty
    low, high = found or (None, None)
    return Metric(figure.name, round(value, 6), low, high, figure.patients, "patients", data)


def _lesion_counts(p: SlicePredictions) -> Iterator[LesionCount]:
    for label, name in enumerate(p.classes):
        if label:
            instances, patients = coco.counted(p, label)
            yield LesionCount(name, instances, int(froc.findings(p, label).lesions.sum()), patients)


def _slice_counts(p: SlicePredictions) -> Iterator[SliceCount]:
    for name in p.image_classes:
        shown = [case.patient for case in p.cases if case.truth == name]
        yield SliceCount(name, len(shown), len(set(shown)))


def _curves(p: SlicePredictions) -> Iterator[FrocCurve]:
    for name, label in (("any lesion", None), *zip(p.lesion_classes, p.lesion_values, strict=True)):
        points = froc.points(froc.findings(p, label))
        if points and not (label is None and len(p.lesion_classes) == 1 and not p.has_others):
            yield FrocCurve(name, _rises(points))


def _rises(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Where more is found than before, and the end: what lies between is level."""
    rising = [b for a, b in pairwise(points) if b[1] > a[1]]
    return (points[0], *rising, *points[-1:])


def _mistakes(p: SlicePredictions) -> Iterator[SliceMistake]:
    for case, answer in zip(p.with_classes, slice_classes.answered(p), strict=True):
        if (said := p.image_classes[answer]) != case.truth:
            yield SliceMistake(case.scan, case.name, case.truth, said)


def _notes(
    p: SlicePredictions, lesions: Sequence[LesionCount], classes: Sequence[SliceCount], metrics: Sequence[Metric]
) -> Iterator[str]:
    """The weightiest first."""
    yield from _without_truth(p, lesions)
    yield from _without_class(p, classes)
    found = [one for _, one in p.with_lesions]
    if partly := sum(not one.complete for one in found):
        yield (
            f"On {counted(partly, 'slice')} not all lesions are marked: what a mark there meets that is not marked says "
            "nothing. They count in AP by what is marked, and in no other figure of lesions."
        )
    lacking = {label for one in found for label in one.unmarked}
    if told := [one.name for label, one in enumerate(lesions, 1) if label in lacking and one.instances]:
        yield (
            f"Some slices are of sets that do not mark {enumerated(told)}: what is marked of it there counts among lesions of any "
            "class, and in no figure of its own."
        )
    if LEAST_RESAMPLED <= len(p.patients) < LEAST_PATIENTS:
        yield f"The set is of {counted(len(p.patients), 'patient')}: intervals over so few tell little."
    if any(one.name.startswith(_SHARES) and one.value in (0.0, 1.0) for one in metrics):
        yield (
            "A sensitivity or share of 1 (or 0) has the exact binomial interval over patients: no resampling can show a "
            "mistake, or a success, that was not seen."
        )
    if flat := [one.name for one in metrics if one.low is None]:
        named = enumerated(flat[:6]) + (f" and {len(flat) - 6} more" if len(flat) > 6 else "")
        yield f"No interval is given for {named}: {_why_none(p)}."


def _why_none(p: SlicePredictions) -> str:
    if len(p.patients) < LEAST_RESAMPLED:
        return f"resampling fewer than {LEAST_RESAMPLED} patients says nothing of others"
    return f"fewer than {LEAST_RESAMPLED} patients show it, no resampling of them changes it, or most cannot tell it"


def _without_truth(p: SlicePredictions, lesions: Sequence[LesionCount]) -> Iterator[str]:
    if not any(True for _ in p.with_lesions):
        yield "No lesions are marked on these slices, so that no AP, FROC or Dice is given."
        return
    if p.has_others:
        yield (
            f"Lesions are marked here that the model has no class for (it outlines {enumerated(p.classes[1:])}): they count as "
            "lesions of any class, there is no AP of them, and no per_image_ap."
        )
    if absent := [one.name for one in lesions if not one.instances]:
        yield f"This set holds no outline of {enumerated(absent)}: without truth there is no AP."


def _without_class(p: SlicePredictions, classes: Sequence[SliceCount]) -> Iterator[str]:
    if not p.image_classes:
        return
    if not p.with_classes:
        yield "No slice of this set has a class, so that nothing is said of the classes of slices."
        return
    if absent := [one.name for one in classes if not one.slices]:
        wrongly = sum(p.image_classes[answer] in absent for answer in slice_classes.answered(p))
        taken = f"{counted(wrongly, 'slice')} {'was' if wrongly == 1 else 'were'}" if wrongly else "none was"
        yield (
            f"No slice of this set shows {enumerated(absent)}: it is left out of the overall figures, which then have the "
            f"shares of the others; {taken} taken for it."
        )


DEFINITIONS = (
    "Intervals are 95 % percentile intervals of bootstrap draws of patients, all slices of a patient together; they say how "
    "far a figure moves with other patients of the same kind, not with another scanner or hospital.",
    "AP: COCO's average precision of outlines by the overlap (IoU) of their masks: at .5, at .75, and the mean over .5 to .95 "
    "in steps of .05. Each slice is matched by itself, detections from score .05 on, 100 at most; slices without a lesion "
    "count with what is marked on them. Outlines of under 100 pixels at 512 x 512 are neither wanted nor counted against.",
    "per_image_ap: the figure of the paper (Ter-Sarkisov), for comparison with its tables alone: average precision of each "
    "slice by itself from score .75 on, classes pooled, 1 for a slice with neither lesion nor mark, averaged over slices. It "
    "cannot be compared with COCO's.",
    f"FROC: share of lesions found by a mark with an IoU of {froc.FROC_IOU:g} or more on any of their slices, at the score "
    "that makes the stated number of false findings per scan; outlines on neighbouring slices that overlap are one lesion, and "
    "one false finding, where the set says that slices are neighbours. Only completely marked slices count.",
    "Dice per scan: twice the shared pixels by all pixels, marked and true, over all completely marked slices of a scan at the "
    "display threshold; mean over the scans that have such lesions.",
    "Classes of slices: the class of the highest logit is the answer. Sensitivity TP / (TP + FN), precision TP / (TP + FP), F1 "
    "their harmonic mean; overall ones are weighted by the shares of the classes among the slices. A class that is never "
    "answered has precision 0.",
)
"""How the figures are defined, for a page."""
