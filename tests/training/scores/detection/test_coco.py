"""AP against a loop over pixels, and against torchmetrics' own matching and accumulation."""

from __future__ import annotations

import importlib.util
import math
import sys
import types

import numpy as np
import pytest

from ctviewer.training.scores.detection.coco import RECALLS, average_precision, counted, ranked


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


@pytest.fixture
def torchmetrics_ap(monkeypatch):
    """torchmetrics' pure implementation. It asks pycocotools for IoU and area of masks alone, which numpy gives too."""
    from torchmetrics.detection import _mean_ap

    masks = types.ModuleType("pycocotools.mask")
    masks.encode = lambda mask: {"size": list(mask.shape), "counts": np.ascontiguousarray(mask).tobytes()}

    def unpacked(one):
        return np.frombuffer(one["counts"], np.uint8).reshape(one["size"]).astype(bool)

    masks.area = lambda rows: np.array([unpacked(row).sum() for row in rows])
    masks.iou = lambda a, b, _: np.array([[overlap(unpacked(x), unpacked(y)) for y in b] for x in a])
    package = types.ModuleType("pycocotools")
    package.mask = masks
    if importlib.util.find_spec("pycocotools") is None:
        monkeypatch.setitem(sys.modules, "pycocotools", package)
        monkeypatch.setitem(sys.modules, "pycocotools.mask", masks)
    monkeypatch.setattr(_mean_ap, "_PYCOCOTOOLS_AVAILABLE", True)
    return lambda thresholds: _mean_ap.MeanAveragePrecision(
        iou_type="segm", class_metrics=True, iou_thresholds=list(thresholds)
    )


@pytest.mark.parametrize("seed", [5, 6])
def test_ap_is_that_of_torchmetrics(draw, kept, torchmetrics_ap, seed):
    import torch

    slices, thresholds = draw(seed), [0.4031, 0.5031, 0.6543]  # its own match must be above, COCO's reach the threshold
    metric = torchmetrics_ap(thresholds)
    for one in slices:
        stack = [mask for _, _, mask in one.marks]
        theirs = [mask for _, mask in one.truths]
        empty = np.zeros((0, 64, 64), np.uint8)
        found = {
            "masks": torch.from_numpy(np.array(stack, np.uint8) if stack else empty),
            "scores": torch.tensor([score for _, score, _ in one.marks], dtype=torch.float32),
            "labels": torch.tensor([label for label, _, _ in one.marks], dtype=torch.int64),
        }
        true = {
            "masks": torch.from_numpy(np.array(theirs, np.uint8) if theirs else empty),
            "labels": torch.tensor([label for label, _ in one.truths], dtype=torch.int64),
        }
        metric.update([found], [true])
    told = metric.compute()
    predictions, ones = kept(slices), np.ones((1, 6))
    by_class = [
        np.mean([average_precision(ones, ranked(predictions, label, t))[0] for t in thresholds]) for label in (2, 3)
    ]
    assert told["map_per_class"].numpy() == pytest.approx(by_class, abs=1e-6)
    assert float(told["map"]) == pytest.approx(np.mean(by_class), abs=1e-6)
    assert min(by_class) > 0.05
