"""The paper's own average precision (Ter-Sarkisov): each image by itself, its classes pooled. Not comparable with COCO's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.scores.detection.matching import overlaps
from ctviewer.training.slice_predictions import SliceLesions, SlicePredictions

Floats = NDArray[np.float64]
LEAST_SCORE = 0.75


def image_ap(slice_: SliceLesions, threshold: float) -> float:
    """Average precision of one image at one IoU.

    Detections from score .75 on, of all classes, by falling score; each takes the free truth of its class that it overlaps
    most, above the threshold (not from it on). Precision's envelope as VOC 2012 has it, summed over the steps of recall. An
    image without truth and without detection counts 1, one that lacks either of them 0. Detections of classes that the set
    does not mark are left out.
    """
    told = zip(slice_.labels, slice_.scores, strict=True)
    shown = [i for i, (of, score) in enumerate(told) if score >= LEAST_SCORE and of not in slice_.unmarked]
    truths = sum(not small for small in slice_.truth_small)
    if not shown or not truths:
        return float(len(shown) == truths)
    met = overlaps(slice_, range(1, len(slice_.truth_pixels)))
    taken: set[int] = set()
    hits = np.zeros(len(shown), bool)
    for place, detection in enumerate(shown):
        free = [
            (iou, truth)
            for truth, iou in met[detection]
            if iou > threshold and truth not in taken and not slice_.truth_small[truth]
        ]
        if free:
            taken.add(max(free)[1])
            hits[place] = True
    return _area(hits, truths)


def per_image_ap(predictions: SlicePredictions, threshold: float) -> tuple[Floats, Floats]:
    """Sums and counts by patient, so that a draw of patients is two products.

    Returns:
        `[patients]` sum of `image_ap` over the completely marked slices, and how many there are.
    """
    numbers = predictions.patient_numbers()
    sums, counts = np.zeros(len(numbers)), np.zeros(len(numbers))
    for case, slice_ in predictions.with_lesions:
        if slice_.complete:
            sums[numbers[case.patient]] += image_ap(slice_, threshold)
            counts[numbers[case.patient]] += 1
    return sums, counts


def _area(hits: NDArray[np.bool_], truths: int) -> float:
    precision = np.cumsum(hits) / np.arange(1, hits.size + 1)
    recall = np.cumsum(hits) / truths
    precision = np.concatenate([[1.0], precision, [0.0]])
    recall = np.concatenate([[0.0], recall, [1.0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall) * envelope[1:]).sum())
