"""Lesions lie in lungs: what does not is left out, whatever the scores asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ctviewer.nets.one_shot import OneShot, light_options
from ctviewer.nets.one_shot.answers import Detections
from ctviewer.nets.one_shot.containing import LEAST_SCORE, SHARE, contained

LUNG, LESION, SIZE = 1, 2, 64


def found(*marks: tuple[int, float, tuple[float, float, float, float]]) -> Detections:
    """Instances that fill their boxes."""
    labels, scores, boxes = zip(*marks, strict=True)
    return Detections(torch.tensor(boxes), torch.tensor(labels), torch.tensor(scores), torch.ones(len(marks), 28, 28))


def kept(detections: Detections) -> list[list[float]]:
    return contained(detections, LUNG, SIZE).boxes.tolist()


LUNG_BOX = (8.0, 8.0, 40.0, 56.0)


@pytest.mark.parametrize("inside", [0.0, 0.1, 0.2, 0.45, 0.6, 1.0])
def test_a_lesion_stays_by_the_share_of_it_that_lies_in_a_lung(inside: float) -> None:
    width = 20.0
    left = LUNG_BOX[2] - inside * width
    box = (left, 20.0, left + width, 30.0)
    rows = kept(found((LUNG, 0.9, LUNG_BOX), (LESION, 0.8, box)))
    assert (list(box) in rows) == (inside >= SHARE)
    assert list(LUNG_BOX) in rows


def test_without_a_lung_that_is_likely_enough_no_lesion_stays() -> None:
    box = (12.0, 12.0, 30.0, 30.0)
    assert kept(found((LESION, 0.99, box))) == []
    assert kept(found((LUNG, LEAST_SCORE - 0.01, LUNG_BOX), (LESION, 0.99, box))) == [list(LUNG_BOX)]


def test_only_the_mask_counts_and_not_its_box() -> None:
    lesion = found((LUNG, 0.9, LUNG_BOX), (LESION, 0.8, (30.0, 8.0, 58.0, 36.0)))
    masks = lesion.masks.clone()
    masks[1, :, 12:] = 0.0  # what is left of it lies in the lung
    assert len(kept(Detections(lesion.boxes, lesion.labels, lesion.scores, masks))) == 2
    masks[1] = 1.0
    masks[1, :, :14] = 0.0  # what is left of it does not
    assert len(kept(Detections(lesion.boxes, lesion.labels, lesion.scores, masks))) == 1


def test_no_container_leaves_all_and_an_empty_answer_stays_empty() -> None:
    lesion = found((LESION, 0.8, (0.0, 0.0, 9.0, 9.0)))
    assert contained(lesion, 0, SIZE) is lesion
    assert len(contained(lesion.only(torch.zeros(1, dtype=torch.bool)), LUNG, SIZE).boxes) == 0


def test_what_is_told_above_a_score_does_not_depend_on_the_score_asked_for() -> None:
    torch.manual_seed(3)
    net = OneShot(3, **light_options(64, 16, 16), container=LUNG).eval()
    with torch.no_grad():
        # random weights tell nothing apart: scores are spread so that lungs and lesions lie on both sides of the limits
        net.segmentation.box_predictor.cls_score.weight.mul_(40)
    images = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 1, 64, 64), dtype=np.float32))
    for low, high in zip(net.analyse(images, 0.02), net.analyse(images, 0.45), strict=True):
        strict, loose = high.detections, low.detections.above(0.45)
        assert torch.equal(strict.boxes, loose.boxes)
        assert torch.equal(strict.labels, loose.labels)
