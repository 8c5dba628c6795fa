"""How well a lesion model outlines infection on chests: asked as every one-shot model is, figures by patient and by kind of set.

What is shown at a threshold is judged at the threshold of the net that it comes from, so that folds of a cross-validation go
together though each has chosen its own. AP and FROC rank the marks of all folds by their scores as they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctviewer.core.slices import HU
from ctviewer.models.metadata import Metric, Preprocessing
from ctviewer.models.placement import Placement, Upright
from ctviewer.models.preprocess import slice_input
from ctviewer.nets.one_shot import OneShot
from ctviewer.training.control import never
from ctviewer.training.engine.finishing import EXACT
from ctviewer.training.engine.one_shot.scans import ScanJudge, SliceJudgement
from ctviewer.training.engine.parallel import SINGLE
from ctviewer.training.engine.slice_store import SliceInfo
from ctviewer.training.scores.detection import froc, volume_dice
from ctviewer.training.scores.detection.figures import AP, AP50, AP75, FROC, MARKED, SliceFigure, slice_figures
from ctviewer.training.scores.resampling import DRAWS
from ctviewer.training.slice_evaluation import UNCHOSEN, choose_display_threshold, counts, metrics_of
from ctviewer.training.slice_predictions import SlicePrediction, SlicePredictions
from ctviewer.training.starter.chests import CLASSES, INFECTION, LUNG, PHANTOM, RECOVERED, SCANNED, Chest

INFECTED, PAINTED_OUT = "infected slice sets", "infection painted out"
SCANNED_INFECTED, SCANNED_CLEAN = "scanned chests with infection", "scanned chests without infection"
PHANTOM_INFECTED, PHANTOM_CLEAN = "phantom chests with infection", "phantom chests without infection"
GROUPS = (INFECTED, PAINTED_OUT, SCANNED_CLEAN, SCANNED_INFECTED, PHANTOM_INFECTED, PHANTOM_CLEAN)
"""Kinds of sets that figures are given of, never of several together."""
DICE = "Dice per patient"
FOUND = "cross-sections found at the display threshold"
FALSE = "false marks per slice at the display threshold"
MARKED_AREA = "marked area on slices without infection, as a share of the lung"
_LESIONS = (CLASSES[INFECTION],)
_OF_GROUP = {
    RECOVERED: (PAINTED_OUT, INFECTED),
    SCANNED: (SCANNED_CLEAN, SCANNED_INFECTED),
    PHANTOM: (PHANTOM_CLEAN, PHANTOM_INFECTED),
}


def group_of(chest: Chest) -> str:
    """Which of `GROUPS` a chest belongs to: by its kind, and whether it shows infection."""
    return _OF_GROUP[chest.kind][bool(chest.infected.any())]


def answers(
    net: OneShot,
    chests: Sequence[Chest],
    preprocessing: Preprocessing,
    *,
    threshold: float = UNCHOSEN,
    model: str = "lesion model",
) -> SlicePredictions:
    """What a net says of chests, beside what is marked on them.

    Every infection of a chest is marked. Neighbouring slices are not joined: the sets leave slices out.

    Args:
        net: of `chests.CLASSES`; it is left in eval mode.
        chests: names each once. A chest without any lung in its label maps is not judged by lungs.
        preprocessing: of the net.
        threshold: score from which an outline is shown.
        model: its name.

    Returns:
        One case per slice; its split is the chest's group.

    Raises:
        DeviceError: the net gives values that are not finite.
    """
    slices = _ChestSlices({chest.name: chest for chest in chests}, preprocessing)
    judge = ScanJudge(net, slices, _LESIONS, EXACT, lambda scan: slices.chests[scan].patient)
    work = judge.judge([chest.name for chest in chests], {c.name: group_of(c) for c in chests}, SINGLE, never)
    while True:
        try:
            next(work)
        except StopIteration as end:
            told = end.value
            break
    assert isinstance(told, SliceJudgement)  # nobody wished anything
    return SlicePredictions(model, CLASSES, _LESIONS, (), "", threshold, told.cases)


def choose_threshold(net: OneShot, chests: Sequence[Chest], preprocessing: Preprocessing) -> tuple[float, str]:
    """Score from which outlines are shown, by patients that were held out of training and are not judged by either.

    Args:
        net: trained.
        chests: with infection; those without (painted out) charge marks where there is nothing.
        preprocessing: of the net.

    Returns:
        The score and a sentence, of `slice_evaluation.choose_display_threshold`.
    """
    return choose_display_threshold(answers(net, chests, preprocessing))


def lesion_metrics(
    folds: Sequence[SlicePredictions], data: str = "", *, draws: int = DRAWS, seed: int = 0
) -> tuple[Metric, ...]:
    """All figures of a card, group by group (`GROUPS`), with 95 % intervals by bootstrap over patients (5 or more).

    Args:
        folds: of `answers`, each with its own threshold; of several, no chest of a group is in two.
        data: what the sets are, for the card; group and numbers follow.
        draws: of the bootstrap.
        seed: of the draws.

    Raises:
        ValueError: a slice is in two folds, or models of different classes come together.
    """
    _require_once(folds)
    found: list[Metric] = []
    for group in GROUPS:
        parts = [part for one in folds if (part := one.of(group)).cases]
        if parts:
            found += _group_metrics(parts, group, data, draws, seed)
    return tuple(found)


def _group_metrics(parts: Sequence[SlicePredictions], group: str, data: str, draws: int, seed: int) -> Iterator[Metric]:
    pooled = dataclasses.replace(parts[0], cases=tuple(case for one in parts for case in one.cases))
    where = ", ".join(part for part in (data, group, counts(pooled)) if part)
    yield from metrics_of(list(_figures(pooled, parts, group)), pooled.patients, where, draws=draws, seed=seed)
    yield from _each_patient(pooled, parts, where)


def _figures(pooled: SlicePredictions, parts: Sequence[SlicePredictions], group: str) -> Iterator[SliceFigure]:
    """Of a group with infection how well it is outlined, and the lungs; of slices without it what is marked on them."""
    sick = _by_patient(pooled, parts, INFECTION)
    if sick.true.any():
        per = "per infected slice set" if group == INFECTED else "per chest"
        for one in slice_figures(pooled):
            if one.of in CLASSES and one.kind.startswith((AP, AP50, AP75, FROC)):
                yield dataclasses.replace(one, kind=one.kind.replace("per scan", per))
        for label, areas in ((INFECTION, sick), (LUNG, _by_patient(pooled, parts, LUNG))):
            if patients := int((areas.true > 0).sum()):
                yield SliceFigure(DICE, CLASSES[label], partial(volume_dice.mean_dice, one=areas), patients)
        yield from _shown(pooled, parts)
    if patients := int((sick.free > 0).sum()):
        share = sick.free_marked, sick.free
        yield SliceFigure(MARKED, CLASSES[INFECTION], partial(volume_dice.marked_share, one=sick), patients, share)
        marked, lung = _free_pixels(pooled, parts)
        if lung.any():
            drawn = partial(_ratio, above=marked, below=lung)
            yield SliceFigure(MARKED_AREA, CLASSES[INFECTION], drawn, int((lung > 0).sum()))


def _shown(pooled: SlicePredictions, parts: Sequence[SlicePredictions]) -> Iterator[SliceFigure]:
    """What a reader meets: cross-sections that an outline is shown on, and outlines that are on none."""
    numbers, sums = pooled.patient_numbers(), np.zeros((4, len(pooled.patients)))
    for part in parts:
        one = froc.findings(part, INFECTION)
        place = np.array([numbers[patient] for patient in part.patients], np.intp)
        shown = one.scores >= part.threshold
        for row, values in zip(sums, (one.found, one.false), strict=False):
            np.add.at(row, place[one.patients[shown]], values[shown])
        np.add.at(sums[2], place, one.lesions)
    for case in pooled.cases:
        sums[3, numbers[case.patient]] += case.lesions is not None
    found, false, lesions, slices = sums
    if patients := int((lesions > 0).sum()):
        share = partial(_ratio, above=found, below=lesions)
        yield SliceFigure(FOUND, CLASSES[INFECTION], share, patients, (found, lesions))
    yield SliceFigure(FALSE, CLASSES[INFECTION], partial(_ratio, above=false, below=slices), int((slices > 0).sum()))


def _each_patient(pooled: SlicePredictions, parts: Sequence[SlicePredictions], where: str) -> Iterator[Metric]:
    """Dice of infection of each patient by itself: a mean over ten hides the one that went wrong."""
    areas, whose = _by_patient(pooled, parts, INFECTION), pooled.patients
    scans = {case.patient: case.scan for case in sorted(pooled.cases, key=lambda case: case.scan, reverse=True)}
    ordered = [place for place in sorted(range(len(whose)), key=lambda i: scans[whose[i]]) if areas.true[place] > 0]
    for number, place in enumerate(ordered, 1):
        value = 2 * areas.shared[place] / (areas.marked[place] + areas.true[place])
        name = f"Dice of {CLASSES[INFECTION]}, patient {number} of {len(ordered)}"
        yield Metric(name, round(float(value), 6), None, None, 1, "patient", where)


def _by_patient(pooled: SlicePredictions, parts: Sequence[SlicePredictions], label: int) -> volume_dice.Areas:
    """Areas of all folds, each at its own threshold; one row per patient, in the order of the pooled ones."""
    numbers, count = pooled.patient_numbers(), len(pooled.patients)
    pixels, slices = np.zeros((3, count)), np.zeros((2, count))
    for part in parts:
        one = volume_dice.areas(part, label, part.threshold)
        place = np.array([numbers[patient] for patient in part.patients], np.intp)
        for row, values in zip(pixels, (one.shared, one.marked, one.true), strict=True):
            np.add.at(row, place[one.patients], values)
        for row, values in zip(slices, (one.free, one.free_marked), strict=True):
            np.add.at(row, place, values)
    return volume_dice.Areas(np.arange(count), *pixels, *slices)


def _free_pixels(
    pooled: SlicePredictions, parts: Sequence[SlicePredictions]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By patient, pixels marked as infection and pixels of lung, on slices without infection."""
    numbers = pooled.patient_numbers()
    marked, lung = np.zeros(len(numbers)), np.zeros(len(numbers))
    for part in parts:
        for case, one in part.with_lesions:
            if one.truth_pixels[INFECTION]:
                continue
            shown = zip(one.labels, one.scores, one.marked, strict=True)
            marked[numbers[case.patient]] += sum(new for of, s, new in shown if of == INFECTION and s >= part.threshold)
            lung[numbers[case.patient]] += one.truth_pixels[LUNG]
    return marked, lung


def _ratio(weights: NDArray[np.float64], above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    total = weights @ below
    return np.asarray(np.divide(weights @ above, total, out=np.full(total.shape, np.nan), where=total > 0))


def _require_once(folds: Sequence[SlicePredictions]) -> None:
    def key(case: SlicePrediction) -> tuple[str, str]:
        return case.scan, case.name

    seen = [key(case) for one in folds for case in one.cases]
    if len(set(seen)) != len(seen):
        raise ValueError("a slice is judged by two folds")
    if len({(one.classes, one.lesion_classes) for one in folds}) > 1:
        raise ValueError("the folds are of models of different classes")


@dataclasses.dataclass(frozen=True, eq=False)
class _ChestSlices:
    """Chests as `engine.one_shot.scans.Slices`.

    Attributes:
        chests: by name.
        preprocessing: of the net.
    """

    chests: dict[str, Chest]
    preprocessing: Preprocessing
    classes: Sequence[str] = CLASSES
    image_classes: Sequence[str] = ()

    def slices_of(self, scan: str) -> list[SliceInfo]:
        labels = self.chests[scan].labels
        known = (LUNG, INFECTION) if (labels == LUNG).any() else (INFECTION,)
        shown = [tuple(int(value) for value in np.unique(one) if value) for one in labels]
        return [
            SliceInfo(place, str(place), None, values, "", known, reviewed=True) for place, values in enumerate(shown)
        ]

    def neighbours(self, scan: str) -> bool:
        return False

    def image(self, scan: str, name: str) -> Tensor:
        hu = self.chests[scan].hu[int(name)].astype(np.float32)
        with torch.inference_mode():
            return slice_input(hu[None], HU, self.preprocessing)[0]

    def truth(self, scan: str, name: str) -> NDArray[np.uint8]:
        labels = self.chests[scan].labels[int(name)]
        rows, columns = labels.shape
        return Placement(rows, columns, Upright(False, False, False), self.preprocessing.size).labels(labels)
