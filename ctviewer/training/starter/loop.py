"""The training loop: a seeded generator of events that keeps the best weights and stops at a loss that is not finite."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from ctviewer.core.errors import CtviewerError
from ctviewer.core.events import Event, Progress


@dataclass(frozen=True)
class EpochDone(Event):
    """One epoch of a stage has been trained and validated.

    Attributes:
        stage: what is being trained.
        epoch, epochs: from 1.
        loss: mean training loss of the epoch.
        metrics: of the validation data, by name.
        best: whether these are the best weights so far.
    """

    stage: str
    epoch: int
    epochs: int
    loss: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    best: bool = False


@dataclass(frozen=True)
class Plan:
    """How long and how fast.

    Attributes:
        epochs, steps: epochs, and optimizer steps in each.
        rate: peak learning rate, after the warm-up; it falls to zero along a cosine.
        decay: AdamW's weight decay.
        warm_up: steps over which the rate rises.
        clip: largest norm of the gradient.
        seed: of all draws.
    """

    epochs: int
    steps: int
    rate: float
    decay: float = 0.01
    warm_up: int = 50
    clip: float = 5.0
    seed: int = 0


Step = Callable[[np.random.Generator], Tensor]
Validate = Callable[[], Mapping[str, float]]


def fit(net: nn.Module, step: Step, validate: Validate | None, goal: str, plan: Plan, *, stage: str) -> Iterator[Event]:
    """Train `net` in place; it ends with the weights of its best validation epoch, or its last ones, in eval mode.

    Args:
        net: what is trained (parameters that need no gradient are left alone).
        step: draws a batch with the generator given and returns its loss.
        validate: metrics of the validation data; called in eval mode without gradients. None: nothing is chosen by.
        goal: the metric to maximise; NaN never counts as better.
        plan: see there.
        stage: for the events.

    Raises:
        CtviewerError: the loss is not finite; the net then holds its best weights so far.
    """
    torch.manual_seed(plan.seed)
    rng = np.random.default_rng(plan.seed)
    parameters = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=plan.rate, weight_decay=plan.decay)
    total = plan.epochs * plan.steps
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: _share_of_rate(i, plan.warm_up, total))
    best, best_state = -math.inf, copy.deepcopy(net.state_dict())
    for epoch in range(plan.epochs):
        net.train()
        losses: list[float] = []
        for done in range(epoch * plan.steps + 1, (epoch + 1) * plan.steps + 1):
            losses.append(_one_step(step(rng), optimizer, parameters, plan.clip))
            if not math.isfinite(losses[-1]):
                net.load_state_dict(best_state)
                raise CtviewerError(f"{stage} stopped at step {done}: the loss is not finite.")
            schedule.step()
            yield Progress(stage, done, total)
        metrics = {} if validate is None else _validated(net, validate)
        better = validate is None or metrics[goal] > best
        if better:
            best, best_state = metrics.get(goal, best), copy.deepcopy(net.state_dict())
        yield EpochDone(stage, epoch + 1, plan.epochs, float(np.mean(losses)), metrics, better)
    net.load_state_dict(best_state)
    net.eval()


def _one_step(loss: Tensor, optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], clip: float) -> float:
    """One update; nothing is updated where the loss is not finite."""
    value = float(loss.detach())
    if math.isfinite(value):
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's stub
        nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
    return value


def _validated(net: nn.Module, validate: Validate) -> dict[str, float]:
    net.eval()
    with torch.inference_mode():
        return dict(validate())


def _share_of_rate(step: int, warm_up: int, total: int) -> float:
    """Linear warm-up, then half a cosine."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1.0 + math.cos(math.pi * (step - warm_up) / max(1, total - warm_up)))
