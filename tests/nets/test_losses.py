"""Losses against their formulas, and where attention should lie."""

from __future__ import annotations

import math

import pytest
import torch

from ctviewer.nets.losses import attention_loss, attention_targets, study_loss


def test_binary_is_cross_entropy_of_the_pair() -> None:
    z = torch.tensor([-3.0, 0.0, 0.5, 40.0])
    pair, labels = torch.stack([torch.zeros(4), z], dim=1), torch.tensor([0, 1, 0, 0])
    by_hand = torch.stack([-torch.sigmoid(-z[0]).log(), -torch.sigmoid(z[1]).log(), -torch.sigmoid(-z[2]).log()])
    torch.testing.assert_close(study_loss("binary", pair[:3], labels[:3]), by_hand.mean())
    torch.testing.assert_close(study_loss("binary", pair, labels), study_loss("multi_class", pair, labels))


def test_multi_label_judges_each_class_by_itself() -> None:
    logits, labels = torch.tensor([[1.0, -2.0], [0.0, 3.0]]), torch.tensor([[1, 1], [0, 1]])
    signed = logits * (2 * labels - 1)
    torch.testing.assert_close(study_loss("multi_label", logits, labels), -torch.sigmoid(signed).log().mean())


def test_an_unknown_head_has_no_loss() -> None:
    with pytest.raises(ValueError, match="unknown head"):
        study_loss("ordinal", torch.zeros(1, 2), torch.zeros(1))


def test_attention_should_lie_on_what_shows_something() -> None:
    labels = torch.tensor([[0.0, 1, 1, 9], [0, 0, 0, 9], [0.5, 0, 1.5, 0], [math.nan, 1, 0, 0]])
    targets = attention_targets(labels, torch.tensor([3, 3, 4, 4]))
    expected = torch.tensor([[0, 0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3, 0], [0.25, 0, 0.75, 0], [0, 0, 0, 0]])
    torch.testing.assert_close(targets, expected)


def test_attention_loss_is_the_divergence_and_zero_for_the_target() -> None:
    target = torch.tensor([[0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    assert float(attention_loss(target, target)) < 1e-6
    even = torch.full((2, 3), 1 / 3)
    assert abs(float(attention_loss(even, target)) - math.log(1.5) / 2) < 1e-6


def test_studies_without_labels_of_slices_count_for_nothing() -> None:
    target = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    even = torch.full((2, 3), 1 / 3, requires_grad=True)
    loss = attention_loss(even, target)
    assert float(loss) == pytest.approx(math.log(1.5))
    loss.backward()
    assert bool((even.grad[0, :2] < 0).all()) and bool((even.grad[1] == 0).all())
    assert float(attention_loss(even, torch.zeros(2, 3))) == 0
