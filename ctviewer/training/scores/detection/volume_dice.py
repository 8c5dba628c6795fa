"""Dice of marked pixels over whole scans at a display threshold, and marks where there is nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.slice_predictions import SliceLesions, SlicePredictions

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Areas:
    """Of the completely marked slices.

    Attributes:
        patients: `[scans]` whose each is.
        shared, marked, true: `[scans]` pixels.
        free: `[patients]` slices without a lesion.
        free_marked: `[patients]` those of them with a mark.
    """

    patients: NDArray[np.intp]
    shared: Floats
    marked: Floats
    true: Floats
    free: Floats
    free_marked: Floats


def areas(predictions: SlicePredictions, label: int | None, threshold: float) -> Areas:
    """Add up slices by scan.

    Args:
        predictions: of one model.
        label: index of a class; None for all lesion classes together.
        threshold: least score of a mark.
    """
    numbers = predictions.patient_numbers()
    free, free_marked = np.zeros(len(numbers)), np.zeros(len(numbers))
    scans: dict[str, tuple[int, Floats]] = {}
    for case, slice_ in predictions.with_lesions:
        if not slice_.complete:
            continue
        patient, pixels = numbers[case.patient], _pixels(slice_, label, threshold)
        _, sums = scans.setdefault(case.scan, (patient, np.zeros(3)))
        sums += pixels
        if not pixels[2]:
            free[patient] += 1
            free_marked[patient] += pixels[1] > 0
    table = np.array([sums for _, sums in scans.values()]).reshape(-1, 3)
    whose = np.array([patient for patient, _ in scans.values()], np.intp)
    return Areas(whose, table[:, 0], table[:, 1], table[:, 2], free, free_marked)


def mean_dice(weights: Floats, one: Areas) -> Floats:
    """Mean over scans that hold what is asked for; `[draws]` from weights `[draws, patients]`, NaN where there is none."""
    true = one.true > 0
    values = 2 * one.shared[true] / (one.marked[true] + one.true[true])
    drawn = weights[:, one.patients[true]]
    return _ratio(drawn @ values, drawn.sum(axis=1))


def marked_share(weights: Floats, one: Areas) -> Floats:
    """Share of the slices without a lesion that get a mark; `[draws]`, NaN where there is no such slice."""
    return _ratio(weights @ one.free_marked, weights @ one.free)


def _pixels(slice_: SliceLesions, label: int | None, threshold: float) -> Floats:
    """Pixels that are shared, marked and true."""
    shared = marked = 0
    new, hit = (slice_.marked_any, slice_.hit_any) if label is None else (slice_.marked, slice_.hit)
    for i, score in enumerate(slice_.scores):
        if score < threshold:
            break
        if label is None or slice_.labels[i] == label:
            marked, shared = marked + new[i], shared + hit[i]
    return np.array([shared, marked, slice_.truth_any if label is None else slice_.truth_pixels[label]], float)


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.asarray(np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0))
