"""Time, memory and disk of a run, from a few timed steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.words import amount_text
from ctviewer.training.preflight.report import Estimate, Finding, Severity

_CACHED_EPOCH = 0.1  # of one that encodes: what cached features must reach at least
_TIGHT = 0.8  # of what is free: other programs want some too


@dataclass(frozen=True)
class StepCost:
    """What one step took.

    Attributes:
        seconds: for one sequence, forward and backward.
        memory: bytes at the most while it ran.
    """

    seconds: float
    memory: int


Step = Callable[[int], StepCost]
"""Train on one sequence of so many slices, throw the result away, and say what it took."""


@dataclass(frozen=True)
class RunPlan:
    """What of a run decides what it takes.

    Attributes:
        epochs: how many.
        draws: of augmentation per study, as far as features are cached.
        feature_bytes: of one slice's cached features; 0 where nothing is cached.
        square_bytes: of one slice as it is kept prepared.
        state_bytes: of all checkpoints that there are at a time.
        free_memory, free_disk: bytes; None where nobody knows.
    """

    epochs: int
    draws: int = 8
    feature_bytes: int = 0
    square_bytes: int = 0
    state_bytes: int = 0
    free_memory: int | None = None
    free_disk: int | None = None


def estimate_run(
    step: Step, train: Sequence[int], judged: Sequence[int], plan: RunPlan, held_out: Sequence[int] = ()
) -> Iterator[Event]:
    """Time steps of a short, a middling and the longest sequence, and reckon from them.

    Judging a study is counted as a step, which is too much rather than too little.

    Args:
        step: runs one.
        train: slices of each training sequence, at least one.
        judged: slices of each study that an epoch is chosen by.
        plan: of the run.
        held_out: slices of each study that the finished model is judged by.

    Yields:
        `Progress`, last `Done` with an `Estimate`.
    """
    ordered = sorted(train)
    lengths = sorted({ordered[0], ordered[len(ordered) // 2], max((*train, *judged))})
    step(lengths[0])  # the first step of a program pays for much that no other does
    costs = []
    for done, length in enumerate(lengths):
        yield Progress("Timing steps", done, len(lengths))
        costs.append(step(length))
    seconds = np.array([cost.seconds for cost in costs])
    sizes = np.array(lengths, float)
    slope, start = np.polyfit(sizes, seconds, 1) if len(lengths) > 1 else (seconds[0] / sizes[0], 0.0)
    if slope < 0 or start < 0:  # noise: in proportion then
        slope, start = float(seconds.sum() / sizes.sum()), 0.0
    per_epoch = (len(train) + len(judged)) * start + (sum(train) + sum(judged)) * slope
    plain = sum(judged) + sum(held_out)
    disk = (sum(train) * plan.draws + plain) * plan.feature_bytes + (sum(train) + plain) * plan.square_bytes
    memory = max(cost.memory for cost in costs)
    yield Done(Estimate(float(_passes(plan) * per_epoch), memory, disk + plan.state_bytes, len(lengths)))


def _passes(plan: RunPlan) -> float:
    """Epochs by what one takes that encodes every slice: with cached features most take a tenth."""
    if plan.feature_bytes == 0:
        return float(plan.epochs)
    encoded = min(plan.epochs, plan.draws)
    return encoded + _CACHED_EPOCH * (plan.epochs - encoded)


def room_findings(estimate: Estimate, plan: RunPlan) -> Iterator[Finding]:
    """What does not fit, or hardly."""
    for name, needed, free in (("memory", estimate.memory, plan.free_memory), ("disk", estimate.disk, plan.free_disk)):
        if free is None or needed <= _TIGHT * free:
            continue
        severity = Severity.ERROR if needed > free else Severity.DOUBT
        what = "more than is free" if needed > free else "nearly all that is free"
        yield Finding(
            severity, f"little-{name}", f"The run needs {amount_text(needed)} of {name}, {what} ({amount_text(free)})."
        )
