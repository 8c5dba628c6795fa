"""The segmentation side, a plain Mask R-CNN: losses, what it does with nothing to find, and that it can learn."""

from __future__ import annotations

import pytest
import torch

from ctviewer.nets.one_shot import OneShot, Target, light_options

SIZE = 64


def detector() -> OneShot:
    torch.manual_seed(0)
    return OneShot(3, **light_options(SIZE, 16, 16), box_hidden=16, anchors=(8, 16, 32, 64, 64))


def square(top: int, left: int, side: int, label: int) -> tuple[torch.Tensor, Target]:
    image = torch.zeros(1, SIZE, SIZE)
    image[0, top : top + side, left : left + side] = 3.0
    box = torch.tensor([[left, top, left + side, top + side]], dtype=torch.float32)
    return image, Target(box, torch.tensor([label]), (image > 0).to(torch.uint8))


def empty(complete: bool = True) -> Target:
    masks = torch.zeros(0, SIZE, SIZE, dtype=torch.uint8)
    return Target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), masks, complete)


def test_losses_are_finite_and_train_everything_also_without_objects() -> None:
    net = detector().train()
    image, truth = square(10, 20, 24, 1)
    losses = net.segmentation_losses(torch.stack([image, torch.zeros_like(image)]), [truth, empty()])
    assert set(losses) == {
        "loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask",
    }  # fmt: skip
    total = torch.stack(list(losses.values())).sum()
    assert bool(torch.isfinite(total))
    total.backward()
    assert all(p.grad is not None for p in net.parameters())


def test_detections_are_sorted_limited_and_unpasted() -> None:
    net = detector().eval()
    found = [a.detections for a in net.analyse(torch.randn(2, 1, SIZE, SIZE), score_threshold=0.0, limit=7)]
    assert len(found) == 2
    for d in found:
        n = len(d.scores)
        assert 0 < n <= 7
        assert d.boxes.shape == (n, 4) and d.masks.shape == (n, 28, 28)
        assert bool((d.scores[:-1] >= d.scores[1:]).all()) and bool((d.labels > 0).all())


def test_nothing_above_the_threshold_gives_empty_detections() -> None:
    (answer,) = detector().eval().analyse(torch.zeros(1, 3, SIZE, SIZE), score_threshold=0.999)
    assert answer.detections.boxes.shape == (0, 4) and answer.detections.masks.shape == (0, 28, 28)
    assert answer.logits.shape == (0,) and answer.rois.boxes.shape == (0, 4)


def test_without_image_classes_nothing_is_said_of_slices() -> None:
    net = detector()
    assert net.segmentation_only and net.learns("image") == {
        k: p for k, p in net.named_parameters() if k.startswith("backbone.")
    }
    with pytest.raises(ValueError, match="no classes of slices"):
        net.classify(torch.zeros(1, 1, SIZE, SIZE))


def test_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="64x64 pixels"):
        detector().eval().analyse(torch.zeros(1, 1, 96, 96), 0.5)


def test_it_learns_to_find_squares() -> None:
    net = detector().train()
    data = [square(6, 8, 20, 1), square(30, 28, 28, 1)]
    images, targets = torch.stack([i for i, _ in data]), [t for _, t in data]
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(100):
        optimizer.zero_grad()
        torch.stack(list(net.segmentation_losses(images, targets).values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
    net.eval()
    for answer, t in zip(net.analyse(images, 0.5), targets, strict=True):
        assert len(answer.detections.scores) >= 1
        torch.testing.assert_close(answer.detections.boxes[0], t.boxes[0], atol=5.0, rtol=0)
