"""AP against a loop over pixels, and against pycocotools."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from pycocotools.mask import encode

from ctviewer.training.scores.detection.coco import RECALLS, THRESHOLDS, average_precision, counted, ranked


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def plain_ap(slices, label, threshold):
    """COCO's definition, one detection after the other."""
    rows, truths = [], 0
    for one in slices:
        free = [mask for of, mask in one.truths if of == label]
        truths += len(free)
        for _, score, mask in sorted((m for m in one.marks if m[0] == label), key=lambda m: -m[1]):
            best = max(range(len(free)), key=lambda i: overlap(mask, free[i]), default=None)
            hit = best is not None and overlap(mask, free[best]) >= threshold
            if hit:
                free.pop(best)
            if hit or one.complete:
                rows.append((score, hit))
    if not truths:
        return math.nan
    rows.sort(key=lambda row: -row[0])
    found, points = 0, []
    for n, (_, hit) in enumerate(rows, 1):
        found += hit
        points.append((found / truths, found / n))
    total = 0.0
    for recall in RECALLS:
        total += max((precision for at, precision in points if at >= recall), default=0.0)
    return total / len(RECALLS)


@pytest.mark.parametrize("complete", [1.0, 0.5])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ap_is_that_of_a_plain_loop_over_pixels(draw, kept, seed, complete):
    slices = draw(seed, complete=complete)
    predictions = kept(slices)
    for label in (2, 3):
        for threshold in (0.5, 0.75, 0.9):
            one = ranked(predictions, label, threshold)
            value = average_precision(np.ones((1, 6)), one)[0]
            assert value == pytest.approx(plain_ap(slices, label, threshold), abs=1e-12)


def test_a_patient_drawn_twice_counts_twice(draw, kept):
    slices = draw(3)
    weights = np.array([[0, 2, 1, 0, 3, 0]], float)
    again = [one for one in slices for _ in range(int(weights[0][int(one.patient[-1])]))]
    value = average_precision(weights, ranked(kept(slices), 2, 0.5))[0]
    assert value == pytest.approx(plain_ap(again, 2, 0.5), abs=1e-12)


def test_no_truth_no_ap(draw, kept):
    predictions = kept(draw(4))
    assert counted(predictions, 1) == (0, 0)
    assert np.isnan(average_precision(np.ones((2, 6)), ranked(predictions, 1, 0.5))).all()


def test_what_meets_a_component_too_small_to_count_says_nothing(drawn_slice, kept, box):
    large, small = box(2, 2, 10, 10), box(40, 40, 1, 1)  # under 100 pixels at 512: 1.6 at 64
    marks = [(2, 0.9, small), (2, 0.8, large)]
    predictions = kept([drawn_slice([(2, large), (2, small)], marks)])
    assert average_precision(np.ones((1, 1)), ranked(predictions, 2, 0.5))[0] == 1.0
    assert counted(predictions, 2) == (1, 1)


@pytest.mark.parametrize("seed", [5, 6])
def test_ap_is_that_of_pycocotools(draw, kept, drawn_slice, box, seed):
    healthy = drawn_slice([], [(2, 0.9, box(2, 2, 9, 9)), (3, 0.4, box(30, 30, 9, 9))], "scan0", "patient0")
    slices = [*draw(seed), healthy]  # marks on slices without lesions count
    judge = COCOeval(*_as_coco(slices), "segm")
    judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e9]], ["all"]
    judge.evaluate()
    judge.accumulate()
    predictions, ones = kept(slices), np.ones((1, 6))
    for place, label in enumerate((2, 3)):
        for number, threshold in enumerate(THRESHOLDS):
            theirs = judge.eval["precision"][number, :, place, 0, -1].mean()
            ours = average_precision(ones, ranked(predictions, label, threshold))[0]
            assert ours == pytest.approx(theirs, abs=1e-12)
    assert (judge.eval["precision"][0, :, :, 0, -1].mean(axis=0) > 0.05).all()


def _as_coco(slices):
    """The same slices as pycocotools wants them: what is true, and what was found."""
    truths = [(n, label, mask, 1.0) for n, one in enumerate(slices, 1) for label, mask in one.truths]
    marks = [(n, label, mask, score) for n, one in enumerate(slices, 1) for label, score, mask in one.marks]
    sets = []
    for rows in (truths, marks):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": n, "height": 64, "width": 64} for n in range(1, len(slices) + 1)],
            "categories": [{"id": 2}, {"id": 3}],
            "annotations": [
                {
                    "id": number, "image_id": n, "category_id": label, "score": score, "iscrowd": 0,
                    "area": int(mask.sum()), "segmentation": encode(np.asfortranarray(mask.astype(np.uint8))),
                }
                for number, (n, label, mask, score) in enumerate(rows, 1)
            ],
        }  # fmt: skip
        coco.createIndex()
        sets.append(coco)
    return sets
