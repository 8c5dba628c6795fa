"""Which figures a set of slice predictions has, each as a function of how often every patient counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.scores.detection import coco, froc, per_image, slice_classes, volume_dice
from ctviewer.training.slice_predictions import SlicePredictions

Floats = NDArray[np.float64]
Drawn = Callable[[Floats], Floats]
Lesions = tuple[tuple[str, int | None], ...]

AP, AP50, AP75 = "AP .5:.95", "AP .5", "AP .75"
PER_IMAGE = "per_image_ap"
DICE, FROC = "Dice per scan", "FROC sensitivity"
MARKED = "slices without a lesion that get a mark"
SENSITIVITY, PRECISION, F1 = "slice sensitivity", "slice precision", "slice F1"
ALL, ANY_LESION, WEIGHTED = "mean over classes", "any lesion", "weighted by class shares"
PAPER_WEIGHTED = "weighted as in the paper"
LOWER_IS_BETTER = (MARKED,)
_MEAN_RATE = "mean of 1/8 to 8 false findings per scan"
_RATES = (1.0, 4.0)
_PER_IMAGE_TOLD = {"at .5": (0.5,), "at .75": (0.75,), "at .5:.95": coco.THRESHOLDS}


@dataclass(frozen=True, eq=False)
class SliceFigure:
    """One figure of one model on one set.

    Attributes:
        kind: `AP50` and so on.
        of: what it is of: a class, or `ALL`.
        drawn: weights `[draws, patients]` to the figure in each draw, NaN where it is not defined.
        patients: how many it is over.
        share: successes and trials by patient, of a plain share; None of other figures.
    """

    kind: str
    of: str
    drawn: Drawn
    patients: int
    share: tuple[Floats, Floats] | None = None

    @property
    def name(self) -> str:
        """For instance "AP .5, infection"."""
        return f"{self.kind}, {self.of}"

    def value(self, patients: int) -> float:
        """On the patients as they are."""
        return float(self.drawn(np.ones((1, patients)))[0])


def slice_figures(predictions: SlicePredictions, *, any_lesion: bool = False) -> list[SliceFigure]:
    """All that can be asked of these predictions: no AP of a class without truth, no figure without its slices.

    Args:
        predictions: of one model.
        any_lesion: whether figures of lesions of any class are given where there is but one class too.
    """
    lesions = _lesions(predictions, any_lesion)
    return [
        *_precisions(predictions),
        *_per_image(predictions),
        *_found(predictions, lesions),
        *_dice(predictions, lesions),
        *_classes(predictions),
    ]


class _Precisions:
    """COCO's AP of all classes at all IoU; figures that are asked for the same draws share the work."""

    def __init__(self, tables: list[dict[float, coco.Ranked]]) -> None:
        self._tables = tables
        self._weights: Floats | None = None
        self._known = np.zeros(0)

    def drawn(self, weights: Floats, thresholds: tuple[float, ...], places: tuple[int, ...]) -> Floats:
        """Mean over IoU, then over those of some classes that a draw holds: `[draws]`."""
        if weights is not self._weights:
            rows = [[coco.average_precision(weights, one[t]) for t in coco.THRESHOLDS] for one in self._tables]
            self._weights, self._known = weights, np.array(rows)
        wanted = [coco.THRESHOLDS.index(t) for t in thresholds]
        return _known_mean(self._known[list(places)][:, wanted].mean(axis=1))


def _precisions(p: SlicePredictions) -> Iterator[SliceFigure]:
    """COCO's AP of each class that has a truth, and their mean."""
    known = {name: coco.counted(p, label) for label, name in enumerate(p.classes) if label}
    known = {name: counts for name, counts in known.items() if counts[0]}
    tables = [{t: coco.ranked(p, p.classes.index(name), t) for t in coco.THRESHOLDS} for name in known]
    shared = _Precisions(tables)
    for kind, thresholds in ((AP50, (0.5,)), (AP75, (0.75,)), (AP, coco.THRESHOLDS)):
        if len(known) > 1:
            every = tuple(range(len(known)))
            drawn = partial(shared.drawn, thresholds=thresholds, places=every)
            yield SliceFigure(kind, ALL, drawn, _patients_with_lesions(p))
        for place, (name, (_, patients)) in enumerate(known.items()):
            yield SliceFigure(kind, name, partial(shared.drawn, thresholds=thresholds, places=(place,)), patients)


def _known_mean(rows: Floats) -> Floats:
    known = np.isfinite(rows)
    count = known.sum(axis=0)
    total = np.where(known, rows, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0))


def _per_image(p: SlicePredictions) -> Iterator[SliceFigure]:
    """The paper's own figure, over completely marked slices; not of lesions that the model cannot name."""
    if p.has_others:
        return
    for told, thresholds in _PER_IMAGE_TOLD.items():
        pairs = [per_image.per_image_ap(p, t) for t in thresholds]
        counts = pairs[0][1]
        if counts.any():
            sums = np.mean([sums for sums, _ in pairs], axis=0)
            yield SliceFigure(PER_IMAGE, told, partial(_ratio, above=sums, below=counts), int((counts > 0).sum()))


def _found(p: SlicePredictions, lesions: Lesions) -> Iterator[SliceFigure]:
    """Lesions found, against false findings per scan: any lesion first."""
    for name, label in lesions:
        one = froc.findings(p, label)
        patients = int((one.lesions > 0).sum())
        if not patients:
            continue
        yield SliceFigure(f"{FROC} ({_MEAN_RATE})", name, partial(_mean_rate, one=one), patients)
        for rate in _RATES:
            drawn = partial(froc.sensitivity_at, one=one, rate=rate)
            yield SliceFigure(f"{FROC} at {rate:g} false per scan", name, drawn, patients)


def _mean_rate(weights: Floats, one: froc.Findings) -> Floats:
    return np.asarray(froc.curve_at(weights, one).mean(axis=1))


def _dice(p: SlicePredictions, lesions: Lesions) -> Iterator[SliceFigure]:
    """At the display threshold: any lesion, each class, and marks where there is no lesion."""
    for name, label in (*lesions, *_others(p)):
        one = volume_dice.areas(p, label, p.threshold)
        if patients := len(set(one.patients[one.true > 0].tolist())):
            yield SliceFigure(DICE, name, partial(volume_dice.mean_dice, one=one), patients)
    free = volume_dice.areas(p, None, p.threshold)
    if patients := int((free.free > 0).sum()):
        share = free.free_marked, free.free
        yield SliceFigure(MARKED, ANY_LESION, partial(volume_dice.marked_share, one=free), patients, share)


def _lesions(p: SlicePredictions, any_lesion: bool) -> Lesions:
    """Any lesion first, where that says more than the only class."""
    each: Lesions = tuple(zip(p.lesion_classes, p.lesion_values, strict=True))
    return ((ANY_LESION, None), *each) if any_lesion or len(each) > 1 or p.has_others else each


def _others(p: SlicePredictions) -> tuple[tuple[str, int], ...]:
    return tuple((name, i) for i, name in enumerate(p.classes) if i and name not in p.lesion_classes)


def _classes(p: SlicePredictions) -> Iterator[SliceFigure]:
    """Of slices with a class: overall first, then each class that the truth holds."""
    table = slice_classes.confusions(p)
    present = table.sum(axis=(0, 2)) > 0
    if not present.any():
        return
    patients = int((table.sum(axis=(1, 2)) > 0).sum())
    kinds: tuple[tuple[str, Drawn], ...] = (
        (SENSITIVITY, slice_classes.sensitivities),
        (PRECISION, slice_classes.precisions),
        (F1, slice_classes.f1_scores),
    )
    paper = slice_classes.paper_shares(p.image_classes)
    for kind, of in kinds:
        yield SliceFigure(kind, WEIGHTED, partial(_overall, table=table, of=of, shares=None), patients)
        if paper is not None and kind == F1:
            yield SliceFigure(kind, PAPER_WEIGHTED, partial(_overall, table=table, of=of, shares=paper), patients)
    for i in np.flatnonzero(present):
        own = int((table[:, i].sum(axis=1) > 0).sum())
        share = table[:, i, i], table[:, i].sum(axis=1)
        for kind, of in kinds:
            drawn = partial(_one_class, table=table, of=of, at=int(i))
            is_share = share if kind == SENSITIVITY else None
            yield SliceFigure(kind, p.image_classes[i], drawn, own if kind == SENSITIVITY else patients, is_share)


def _overall(weights: Floats, table: Floats, of: Drawn, shares: tuple[float, ...] | None) -> Floats:
    confusion = slice_classes.drawn_confusions(weights, table)
    return slice_classes.weighted_mean(of(confusion), confusion, shares)


def _one_class(weights: Floats, table: Floats, of: Drawn, at: int) -> Floats:
    return np.asarray(of(slice_classes.drawn_confusions(weights, table))[:, at])


def _ratio(weights: Floats, above: Floats, below: Floats) -> Floats:
    total = weights @ below
    return np.asarray(np.divide(weights @ above, total, out=np.full(total.shape, np.nan), where=total > 0))


def _patients_with_lesions(p: SlicePredictions) -> int:
    return len({case.patient for case, one in p.with_lesions if not all(one.truth_small)})
