"""The loop: best weights kept, reproducible, stopped by a loss that is not finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ctviewer.core.errors import CtviewerError
from ctviewer.core.events import Progress
from ctviewer.training.starter.loop import EpochDone, Plan, fit

PLAN = Plan(epochs=4, steps=5, rate=0.1, decay=0.0, warm_up=2, seed=3)


class Line(nn.Module):
    """y = w x, to be 2 x."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1))

    def loss(self, rng: np.random.Generator) -> Tensor:
        x = torch.from_numpy(rng.normal(size=8)).float()
        return ((self.w * x - 2 * x) ** 2).mean()


def run(plan: Plan = PLAN) -> tuple[Line, list[object]]:
    net = Line()
    events = list(fit(net, net.loss, lambda: {"fit": -abs(net.w.item() - 2)}, "fit", plan, stage="line"))
    return net, events


def test_it_reports_every_step_and_epoch_and_learns() -> None:
    net, events = run()
    steps = [e for e in events if isinstance(e, Progress)]
    epochs = [e for e in events if isinstance(e, EpochDone)]
    assert [(e.done, e.total) for e in steps] == [(i, 20) for i in range(1, 21)]
    assert [e.epoch for e in epochs] == [1, 2, 3, 4] and epochs[-1].loss < epochs[0].loss
    assert not net.training


def test_equal_seeds_give_equal_weights_and_others_do_not() -> None:
    first, second, other = run()[0], run()[0], run(Plan(4, 5, 0.1, decay=0.0, warm_up=2, seed=4))[0]
    assert torch.equal(first.w, second.w) and not torch.equal(first.w, other.w)


def test_it_ends_with_the_weights_of_the_best_epoch() -> None:
    net, seen = Line(), []
    figures = iter([0.1, 0.9, math.nan, 0.5])

    def validate() -> dict[str, float]:
        seen.append(net.w.item())
        return {"goal": next(figures)}

    epochs = [e for e in fit(net, net.loss, validate, "goal", PLAN, stage="s") if isinstance(e, EpochDone)]
    assert [e.best for e in epochs] == [True, True, False, False]
    assert net.w.item() == seen[1] and len(set(seen)) == 4


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_weights() -> None:
    net, count = Line(), 0

    def step(rng: np.random.Generator) -> Tensor:
        nonlocal count
        count += 1
        return net.loss(rng) * (math.nan if count == 8 else 1.0)

    events = fit(net, step, lambda: {"fit": 1.0}, "fit", PLAN, stage="Training a line")
    with pytest.raises(CtviewerError, match="Training a line stopped at step 8: the loss is not finite"):
        for event in events:
            if isinstance(event, EpochDone):
                kept = net.w.item()
    assert net.w.item() == kept


def test_frozen_weights_stay() -> None:
    net = nn.Linear(2, 1)
    net.bias.requires_grad_(False)
    bias = net.bias.clone()

    def step(rng: np.random.Generator) -> Tensor:
        return net(torch.from_numpy(rng.normal(size=(4, 2))).float()).square().mean()

    list(fit(net, step, lambda: {"fit": 0.0}, "fit", PLAN, stage="s"))
    assert torch.equal(net.bias, bias)
