"""Losses against torchvision's where all is marked, against plain sums where not, and 0 where nothing is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.models.detection.roi_heads import fastrcnn_loss, maskrcnn_loss
from torchvision.models.detection.rpn import RegionProposalNetwork

from ctviewer.nets.one_shot import Target
from ctviewer.nets.one_shot.losses import box_losses, mask_loss, proposal_losses, slice_class_loss


def a_target(complete: bool = True) -> Target:
    masks = torch.zeros(2, 32, 32, dtype=torch.uint8)
    masks[0, 4:14, 4:18], masks[1, 16:28, 20:30] = 1, 1
    return Target(torch.tensor([[4.0, 4, 18, 14], [20, 16, 30, 28]]), torch.tensor([1, 2]), masks, complete)


def test_box_losses_are_torchvisions() -> None:
    logits, regression, labels = torch.randn(9, 3), torch.randn(9, 12), torch.tensor([0, 1, 2, 0, 0, 2, 1, 0, 1])
    truth = torch.randn(9, 4)
    classes, boxes = fastrcnn_loss(logits, regression, [labels], [truth])
    ours = box_losses(logits, regression, labels, truth)
    torch.testing.assert_close(ours["loss_classifier"], classes)
    torch.testing.assert_close(ours["loss_box_reg"], boxes)


def test_what_nobody_marked_may_be_what_is_unmarked() -> None:
    logits, labels = torch.randn(5, 4), torch.tensor([0, 2, 0, 1, 0])
    possible = torch.zeros(5, 4, dtype=torch.bool)
    possible[:3, [1, 3]] = True
    ours = box_losses(logits, torch.randn(5, 16), labels, torch.randn(5, 4), possible)["loss_classifier"]
    total = 0.0
    for row, label, may in zip(logits.softmax(1).tolist(), labels.tolist(), possible.tolist(), strict=True):
        others = sum(p for p, one in zip(row, may, strict=True) if one and label == 0)
        total -= math.log(row[label] + others)
    assert float(ours) == pytest.approx(total / 5, abs=1e-6)
    everything = torch.zeros(5, 4, dtype=torch.bool)
    plain = [box_losses(logits, torch.zeros(5, 16), labels, torch.zeros(5, 4), p) for p in (None, everything)]
    torch.testing.assert_close(*plain)


def test_proposal_losses_are_torchvisions() -> None:
    objectness, deltas, truth = torch.randn(60, 1), torch.randn(60, 4), [torch.randn(30, 4), torch.randn(30, 4)]
    labels = [torch.randint(-1, 2, (30,)).float() for _ in range(2)]
    sampler = BalancedPositiveNegativeSampler(256, 0.75)  # takes all there are

    class Theirs(RegionProposalNetwork):
        def __init__(self) -> None:
            torch.nn.Module.__init__(self)
            self.fg_bg_sampler = sampler

    expected = Theirs().compute_loss(objectness, deltas, labels, truth)
    ours = proposal_losses(sampler, objectness, deltas, labels, truth)
    torch.testing.assert_close((ours["loss_objectness"], ours["loss_rpn_box_reg"]), expected)


def test_mask_loss_is_torchvisions_where_all_is_marked() -> None:
    target, boxes = a_target(), torch.tensor([[2.0, 2, 22, 18], [18, 14, 31, 30], [5, 3, 17, 15]])
    matched, logits = torch.tensor([0, 1, 0]), torch.randn(3, 3, 28, 28)
    expected = maskrcnn_loss(logits, [boxes], [target.masks], [target.labels], [matched])
    torch.testing.assert_close(mask_loss(logits, [boxes], [matched], [target])["loss_mask"], expected)


def test_mask_loss_ignores_what_no_instance_covers_where_not_all_is_marked() -> None:
    target = a_target(complete=False)
    box, matched = torch.tensor([[0.0, 0, 28, 28]]), torch.tensor([0])  # one pixel a cell; the other instance is in it
    logits = torch.randn(1, 3, 28, 28, requires_grad=True)
    loss = mask_loss(logits, [box], [matched], [target])["loss_mask"]
    total = weight = 0.0
    seen = torch.zeros(28, 28, dtype=torch.bool)
    for y in range(28):
        for x in range(28):
            p = 1 / (1 + math.exp(-float(logits[0, 1, y, x].detach())))
            for v, u in ((y, x), (y, x + 1), (y + 1, x), (y + 1, x + 1)):  # RoIAlign's cells begin at pixels' centres
                if target.masks[:, v, u].any():
                    total -= math.log(p if target.masks[0, v, u] else 1 - p) / 4
                    weight += 1 / 4
                    seen[y, x] = True
    torch.testing.assert_close(loss.detach(), torch.tensor(total / weight), atol=1e-4, rtol=1e-4)
    loss.backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad[0, 1] != 0, seen) and 0 < int(seen.sum()) < 784
    assert not logits.grad[0, [0, 2]].any()


def test_losses_of_nothing_are_zero_and_can_be_learned_from() -> None:
    logits, regression = torch.zeros(0, 3, requires_grad=True), torch.zeros(0, 12, requires_grad=True)
    masks = torch.zeros(0, 3, 28, 28, requires_grad=True)
    none = torch.zeros(0, dtype=torch.int64)
    sampler = BalancedPositiveNegativeSampler(256, 0.75)
    unknown = torch.full((5,), -1.0)
    objectness, deltas = torch.randn(5, 1, requires_grad=True), torch.randn(5, 4, requires_grad=True)
    losses = (
        box_losses(logits, regression, none, torch.zeros(0, 4))
        | mask_loss(masks, [torch.zeros(0, 4)], [none], [a_target(complete=False)])
        | proposal_losses(sampler, objectness, deltas, [unknown], [torch.zeros(5, 4)])
    )
    assert len(losses) == 5 and all(float(v.detach()) == 0.0 for v in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    assert objectness.grad is not None and not objectness.grad.any() and not deltas.grad.any()


@pytest.mark.parametrize("labels", [[2], [0, 1, 2, 1]])
def test_the_loss_of_slice_classes_is_equation_10_as_a_mean(labels: list[int]) -> None:
    logits = torch.randn(len(labels), 3)
    total = 0.0
    for row, label in zip(logits.tolist(), labels, strict=True):
        for k, value in enumerate(row):
            sigma = 1 / (1 + math.exp(-value))
            total -= math.log(sigma) if k == label else math.log(1 - sigma)
    expected = torch.tensor(total / (3 * len(labels)))
    torch.testing.assert_close(slice_class_loss(logits, torch.tensor(labels)), expected)


def grads(logits: Tensor) -> Tensor:
    (grad,) = torch.autograd.grad(slice_class_loss(logits, torch.tensor([1])), logits)
    return grad


def test_a_step_raises_the_right_class_and_lowers_the_others() -> None:
    assert torch.equal(grads(torch.zeros(1, 3, requires_grad=True)).sign(), torch.tensor([[1.0, -1.0, 1.0]]))
