"""The reference's per_image_ap against a loop over pixels, and its special cases by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.training.scores.detection.per_image import image_ap, per_image_ap


def plain(one, threshold):
    marks = sorted((m for m in one.marks if m[1] >= 0.75), key=lambda m: -m[1])
    if not marks or not one.truths:
        return float(len(marks) == len(one.truths))
    free, found, precision, recall = list(one.truths), 0, [1.0], [0.0]
    for n, (label, _, mask) in enumerate(marks, 1):
        best, at = threshold, None
        for i, (of, truth) in enumerate(free):
            iou = (mask & truth).sum() / (mask | truth).sum()
            if of == label and iou > best:
                best, at = iou, i
        if at is not None:
            free.pop(at)
            found += 1
        precision.append(found / n)
        recall.append(found / len(one.truths))
    precision.append(0.0)
    recall.append(1.0)
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    return sum((recall[i] - recall[i - 1]) * precision[i] for i in range(1, len(recall)))


@pytest.mark.parametrize("threshold", [0.5, 0.75])
def test_it_is_that_of_a_plain_loop(draw, kept, threshold):
    slices = draw(7, slices=8)
    predictions = kept(slices)
    values = [image_ap(case.lesions, threshold) for case in predictions.cases]
    assert values == pytest.approx([plain(one, threshold) for one in slices])
    assert 0 < np.mean(values) < 1
    sums, counts = per_image_ap(predictions, threshold)
    assert sums.sum() / counts.sum() == pytest.approx(np.mean(values))


def test_nothing_there_and_nothing_found_counts_one_and_one_of_them_alone_nothing(drawn_slice, kept, box):
    lesion = box(4, 4, 10, 10)
    nothing = kept([drawn_slice([], [(2, 0.7, lesion)])])  # under .75: not a detection
    missed = kept([drawn_slice([(2, lesion)], [])])
    imagined = kept([drawn_slice([], [(2, 0.75, lesion)])])
    assert [image_ap(one.cases[0].lesions, 0.5) for one in (nothing, missed, imagined)] == [1.0, 0.0, 0.0]


def test_an_iou_of_exactly_the_threshold_is_no_match(drawn_slice, kept, box):
    half = kept([drawn_slice([(2, box(4, 4, 10, 10))], [(2, 0.9, box(4, 4, 10, 5))])])
    assert image_ap(half.cases[0].lesions, 0.5) == 0.0
    assert image_ap(half.cases[0].lesions, 0.49) == 1.0


def test_classes_are_pooled_but_must_agree(drawn_slice, kept, box):
    a, b = box(4, 4, 10, 10), box(40, 40, 10, 10)
    told = drawn_slice([(2, a), (3, b)], [(3, 0.9, a), (3, 0.8, b)])
    assert image_ap(kept([told]).cases[0].lesions, 0.5) == pytest.approx(0.25)  # half the recall at half the precision


def test_slices_that_are_not_marked_completely_are_left_out(drawn_slice, kept, box):
    whole = drawn_slice([], [])
    part = drawn_slice([], [(2, 0.9, box(0, 0, 9, 9))], complete=False)
    sums, counts = per_image_ap(kept([whole, part]), 0.5)
    assert (sums[0], counts[0]) == (1.0, 1.0)
