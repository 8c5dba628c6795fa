"""Free-response ROC: lesions found against false findings per scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.scores.detection.matching import overlaps
from ctviewer.training.slice_predictions import SliceLesions, SlicePredictions

Floats = NDArray[np.float64]
FROC_IOU = 0.25
"""Least IoU of a mark that finds a cross-section: reading asks that the lesion is seen, not that it is outlined well."""
RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False findings per scan at which sensitivity is given; their mean is a score of its own (as in LUNA16)."""
_VALUES_AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False)
class Findings:
    """Lesions and false findings of completely marked slices, by falling score.

    Attributes:
        scores: `[n]` at which something changes.
        patients: `[n]` whose it is.
        found: `[n]` 1 where a lesion is found first, else 0.
        false: `[n]` by how much the number of false findings grows.
        lesions: `[patients]` how many lesions each has.
        scans: `[patients]` how many scans.
    """

    scores: Floats
    patients: NDArray[np.intp]
    found: Floats
    false: Floats
    lesions: Floats
    scans: Floats


def findings(predictions: SlicePredictions, label: int | None) -> Findings:
    """Gather what a curve is made of.

    A lesion is found by a mark that meets one of its cross-sections with an IoU of `FROC_IOU` or more.

    Args:
        predictions: of one model.
        label: index of a class; None for lesions of any class, found by a mark of any.
    """
    numbers = predictions.patient_numbers()
    first: dict[tuple[str, int], tuple[float, int]] = {}
    rows: list[tuple[float, int, int, int]] = []
    scans: set[tuple[str, int]] = set()
    wanted = predictions.any_lesion if label is None else (label,)
    for case, slice_ in predictions.with_lesions:
        if not slice_.complete or label in slice_.unmarked:
            continue
        patient = numbers[case.patient]
        scans.add((case.scan, patient))
        for number, score in _lesions_of(slice_, wanted).items():
            key = (case.scan, number)
            first[key] = max(first.get(key, (-1.0, patient)), (score, patient))
        more = slice_.false_any if label is None else slice_.false
        columns = zip(slice_.labels, slice_.scores, more, strict=True)
        rows += [(score, patient, 0, count) for of, score, count in columns if count and of in wanted]
    rows += [(score, patient, 1, 0) for score, patient in first.values() if score >= 0.0]
    lesions, per_patient = np.zeros(len(numbers)), np.zeros(len(numbers))
    np.add.at(lesions, [patient for _, patient in first.values()], 1)
    np.add.at(per_patient, [patient for _, patient in scans], 1)
    table = np.array(sorted(rows, key=lambda row: -row[0]), float).reshape(-1, 4)
    return Findings(table[:, 0], table[:, 1].astype(np.intp), table[:, 2], table[:, 3], lesions, per_patient)


def sensitivity_at(weights: Floats, one: Findings, rate: float) -> Floats:
    """Share of lesions found at the mildest threshold that makes no more false findings per scan.

    Args:
        weights: `[draws, patients]`.
        one: of `findings`.
        rate: false findings per scan.

    Returns:
        `[draws]`, NaN where a draw holds no lesion or no scan.
    """
    return curve_at(weights, one, (rate,))[:, 0]


def curve_at(weights: Floats, one: Findings, rates: tuple[float, ...] = RATES) -> Floats:
    """As `sensitivity_at`, at several rates: `[draws, rates]`."""
    part = max(1, _VALUES_AT_ONCE // max(1, one.scores.size))
    rows = [_part(weights[at : at + part], one, rates) for at in range(0, len(weights), part)]
    return np.concatenate(rows) if rows else np.zeros((0, len(rates)))


def points(one: Findings) -> tuple[tuple[float, float], ...]:
    """The curve: false findings per scan and sensitivity, from the strictest threshold on; empty without lesions or scans."""
    lesions, scans = one.lesions.sum(), one.scans.sum()
    if not lesions or not scans:
        return ()
    last = _last_of_ties(one.scores)
    false = np.maximum.accumulate(np.cumsum(one.false))[last] / scans
    found = np.cumsum(one.found)[last] / lesions
    return ((0.0, 0.0), *((float(x), float(y)) for x, y in zip(false, found, strict=True)))


def _part(weights: Floats, one: Findings, rates: tuple[float, ...]) -> Floats:
    lesions, scans = weights @ one.lesions, weights @ one.scans
    drawn, last = weights[:, one.patients], _last_of_ties(one.scores)
    found = np.cumsum(drawn * one.found, axis=1)[:, last]
    # a mark that joins two false findings takes one away; what was shown at a stricter threshold stays counted
    false = np.maximum.accumulate(np.cumsum(drawn * one.false, axis=1), axis=1)[:, last]
    out = np.full((len(weights), len(rates)), np.nan)
    for row in np.flatnonzero((lesions > 0) & (scans > 0)):
        at = np.searchsorted(false[row], np.array(rates) * scans[row], side="right")
        out[row] = np.append(0.0, found[row])[at] / lesions[row]
    return out


def _last_of_ties(scores: Floats) -> NDArray[np.intp]:
    return np.flatnonzero(np.append(np.diff(scores) != 0, True)) if scores.size else np.zeros(0, np.intp)


def _lesions_of(slice_: SliceLesions, wanted: tuple[int, ...]) -> dict[int, float]:
    """Lesions of a slice by number: the highest score that finds this cross-section, -1 for none."""
    out: dict[int, float] = {}
    columns = zip(slice_.truth_labels, slice_.truth_small, slice_.truth_lesions, strict=True)
    for label, small, number in columns:
        if label in wanted and not small:
            out[number] = -1.0
    for detection, met in enumerate(overlaps(slice_, wanted, same_class=False)):
        for truth, iou in met:
            if iou >= FROC_IOU and (number := slice_.truth_lesions[truth]) in out:
                out[number] = max(out[number], slice_.scores[detection])
    return out
