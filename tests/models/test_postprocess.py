"""Detections to outlines in the volume's matrix; probabilities."""

from __future__ import annotations

import numpy as np
import torch

from ctviewer.models.placement import Placement, Upright
from ctviewer.models.postprocess import instances
from ctviewer.models.probabilities import class_probabilities, sigmoid, softmax
from ctviewer.nets.one_shot import Detections


def detections() -> Detections:
    return Detections(
        boxes=torch.tensor([[4.0, 8.0, 20.0, 24.0], [30.0, 30.0, 40.0, 40.0], [0.0, 0.0, 9.0, 9.0]]),
        labels=torch.tensor([2, 1, 1]),
        scores=torch.tensor([0.9, 0.6, 0.2]),
        masks=torch.ones(3, 28, 28),
    )


def test_only_what_reaches_the_threshold_is_pasted() -> None:
    placement = Placement(128, 128, Upright(False, False, True), 64)
    found = instances(detections(), 7, ("background", "lung", "spot"), placement, 0.6)
    assert [(x.slice_index, x.label, round(x.score, 3)) for x in found] == [(7, "spot", 0.9), (7, "lung", 0.6)]
    mask = found[0].mask
    assert (mask.top, mask.left, mask.height, mask.width) == (16, 128 - 40, 32, 32)  # twice the size, columns flipped
    assert mask.area == 32 * 32


def test_an_empty_mask_is_no_instance() -> None:
    d = detections()
    hollow = Detections(d.boxes, d.labels, d.scores, torch.zeros(3, 28, 28))
    placement = Placement(64, 64, Upright(False, False, False), 64)
    assert instances(hollow, 0, ("background", "lung", "spot"), placement, 0.5) == ()


def test_softmax_sums_to_one_also_for_large_logits() -> None:
    logits = np.array([[1000.0, 1001.0, 999.0], [0.0, 0.0, 0.0]], np.float32)
    p = softmax(logits)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-15)
    e = np.exp([0.0, 1.0, -1.0])
    np.testing.assert_allclose(p[0], e / e.sum(), rtol=1e-12)


def test_classes_that_do_not_exclude_each_other_have_probabilities_of_their_own() -> None:
    logits = np.array([[0.0, 2.0], [-800.0, 800.0]], np.float32)
    np.testing.assert_allclose(sigmoid(logits), [[0.5, 1 / (1 + np.exp(-2.0))], [0.0, 1.0]], atol=1e-12)
    assert np.array_equal(class_probabilities(logits, exclusive=False), sigmoid(logits))
    assert np.array_equal(class_probabilities(logits, exclusive=True), softmax(logits))
