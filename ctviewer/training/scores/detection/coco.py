"""Average precision of outlines as COCO computes it, for all draws of a bootstrap over patients at once.

Equal to pycocotools' to rounding (tested). torchmetrics' takes one weight for each image and leaves images without any true
mask out (1.9, `_get_coco_format`), so that marks on healthy slices would cost nothing; here they count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.scores.detection.matching import IGNORED, TRUE, states
from ctviewer.training.slice_predictions import SlicePredictions

Floats = NDArray[np.float64]
THRESHOLDS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
"""IoU .5 to .95, as COCO averages over them."""
RECALLS = np.linspace(0.0, 1.0, 101)
_VALUES_AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False)
class Ranked:
    """All detections of a class that count, by falling score, at one IoU.

    Attributes:
        true: `[n]` whether each is true.
        patients: `[n]` place of its patient.
        truths: `[patients]` how many instances each patient has.
    """

    true: NDArray[np.bool_]
    patients: NDArray[np.intp]
    truths: Floats


def ranked(predictions: SlicePredictions, label: int, threshold: float) -> Ranked:
    """Match each slice by itself, and put all slices together.

    Args:
        predictions: of one model.
        label: index of the class.
        threshold: least IoU of a match.
    """
    numbers = predictions.patient_numbers()
    truths = np.zeros(len(numbers))
    scores: list[float] = []
    patients: list[int] = []
    found: list[NDArray[np.int8]] = [np.zeros(0, np.int8)]
    for case, slice_ in predictions.with_lesions:
        patient = numbers[case.patient]
        pairs = zip(slice_.truth_labels, slice_.truth_small, strict=True)
        truths[patient] += sum(of == label and not small for of, small in pairs)
        found.append(states(slice_, label, threshold))
        scores += [score for of, score in zip(slice_.labels, slice_.scores, strict=True) if of == label]
        patients += [patient] * len(found[-1])
    state = np.concatenate(found)
    order = np.argsort(-np.array(scores), kind="stable")
    order = order[state[order] != IGNORED]
    return Ranked(state[order] == TRUE, np.array(patients, np.intp)[order], truths)


def average_precision(weights: Floats, one: Ranked) -> Floats:
    """Precision's envelope at 101 recalls, averaged.

    Args:
        weights: `[draws, patients]`, how often each patient counts.
        one: of `ranked`.

    Returns:
        `[draws]`, 0..1; NaN where a draw holds no instance.
    """
    hits = one.patients[one.true]
    until = _detections_until_hits(one, weights.shape[1])
    part = max(1, _VALUES_AT_ONCE // max(1, hits.size))
    rows = [_part(weights[at : at + part], one.truths, hits, until) for at in range(0, len(weights), part)]
    return np.concatenate(rows) if rows else np.zeros(0)


def _detections_until_hits(one: Ranked, patients: int) -> Floats:
    """Detections of each patient up to each true one, itself included: `[patients, true]`.

    Precision is highest at true detections, so that its envelope needs no other places.
    """
    gaps: NDArray[np.intp] = np.cumsum(one.true, dtype=np.intp) - one.true
    counted_on = gaps < one.true.sum()  # what follows the last true one changes nothing
    table = np.zeros((patients, int(one.true.sum())))
    np.add.at(table, (one.patients[counted_on], gaps[counted_on]), 1.0)
    return np.cumsum(table, axis=1)


def _part(weights: Floats, truths_of: Floats, hit_patients: NDArray[np.intp], until: Floats) -> Floats:
    truths, hits, total = weights @ truths_of, np.cumsum(weights[:, hit_patients], axis=1), weights @ until
    precision = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    envelope = np.concatenate([envelope, np.zeros((len(weights), 1))], axis=1)  # recalls that are never reached
    out = np.full(len(weights), np.nan)
    for row in np.flatnonzero(truths > 0):
        at = np.searchsorted(hits[row] / truths[row], RECALLS, side="left")
        out[row] = envelope[row, at].mean()
    return out


def counted(predictions: SlicePredictions, label: int) -> tuple[int, int]:
    """Instances of a class, and the patients who have one."""
    numbers = {case.patient: 0 for case in predictions.cases}
    for case, slice_ in predictions.with_lesions:
        pairs = zip(slice_.truth_labels, slice_.truth_small, strict=True)
        numbers[case.patient] += sum(of == label and not small for of, small in pairs)
    return sum(numbers.values()), sum(count > 0 for count in numbers.values())
