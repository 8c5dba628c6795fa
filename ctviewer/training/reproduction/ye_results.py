"""What a run of the comparison gave: losses, metrics and probabilities by model and seed, and what they show or do not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ctviewer.training.reproduction.ye_published import Arm


@dataclass(frozen=True)
class Sample:
    """A study of an external set as one model saw it.

    Attributes:
        study: its id.
        truth: its class.
        probability: of that class.
        top: index of the slice (head to feet) and its weight, of the four with most attention; empty without attention.
    """

    study: str
    truth: str
    probability: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class ArmRun:
    """One model trained from one seed.

    Attributes:
        arm, seed: which.
        losses: mean training loss of each epoch.
        validation_losses: of each epoch.
        metrics: epoch to metric to value, on the test set; the mean over classes where there are several.
        samples: epoch to external set to its studies.
        seconds: it took.
    """

    arm: Arm
    seed: int
    losses: tuple[float, ...]
    validation_losses: tuple[float, ...]
    metrics: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    samples: Mapping[int, Mapping[str, tuple[Sample, ...]]] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Convergence:
    """Whether attention converges faster than a plain LSTM here: pairs of one encoder and one seed.

    Attributes:
        pairs: how many there are.
        lower: in how many of them the mean epoch loss over the first half of training is lower with attention.
        difference: mean of plain minus attention of that loss.
        low, high: its 95 % interval over the pairs (t); None with fewer than three.
    """

    pairs: int
    lower: int
    difference: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """In a sentence."""
        if self.pairs == 0:
            return "This run holds no pair of LSTM with and without attention, so it says nothing about convergence."
        told = (
            f"Over the first half of training the loss is lower with attention in {self.lower} of {self.pairs} pairs of "
            f"one encoder and seed (mean difference {self.difference:+.3f}"
        )
        told += ")." if self.low is None else f", 95 % interval {self.low:+.3f} to {self.high:+.3f})."
        if self.low is not None and self.low > 0:
            return f"{told} LSTM with attention converges faster than plain LSTM here, as in the paper."
        if self.high is not None and self.high < 0:
            return f"{told} Plain LSTM converges faster here: the paper's finding is contradicted."
        return f"{told} This run does not show the paper's finding that attention converges faster."


def convergence(runs: Sequence[ArmRun]) -> Convergence:
    """Compare `lstm_attention` with `lstm` of the same encoder and seed."""
    from scipy.stats import t

    by_key = {(run.arm, run.seed): run for run in runs}
    differences = []
    for run in runs:
        plain = by_key.get((Arm(run.arm.encoder, "lstm"), run.seed))
        if run.arm.aggregator == "lstm_attention" and plain is not None:
            half = max(1, len(run.losses) // 2)
            differences.append(float(np.mean(plain.losses[:half]) - np.mean(run.losses[:half])))
    if not differences:
        return Convergence(0, 0, float("nan"), None, None)
    mean, n = float(np.mean(differences)), len(differences)
    low = high = None
    if n >= 3:
        half_width = float(t.ppf(0.975, n - 1) * np.std(differences, ddof=1) / np.sqrt(n))
        low, high = mean - half_width, mean + half_width
    return Convergence(n, sum(d > 0 for d in differences), mean, low, high)


def at_chance(runs: Sequence[ArmRun], classes: int) -> int:
    """How many models ended with a training loss of at least 95 % of what guessing gives: ln of the number of classes.

    Args:
        runs: any.
        classes: that exclude each other.
    """
    return sum(float(np.mean(run.losses[-3:])) >= 0.95 * math.log(classes) for run in runs if run.losses)


def mean_and_range(values: Sequence[float]) -> str:
    """Over seeds, like "0.93 (0.88 to 0.97)"; the value alone for one seed; "-" for none."""
    known = [v for v in values if np.isfinite(v)]
    if not known:
        return "-"
    if len(known) == 1:
        return f"{known[0]:.2f}"
    return f"{np.mean(known):.2f} ({min(known):.2f} to {max(known):.2f})"


def to_json(run: ArmRun) -> dict[str, Any]:
    """Plain dicts and lists for `json.dumps`."""
    return dataclasses.asdict(run)


def from_json(data: dict[str, Any]) -> ArmRun:
    """Read what `to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    samples = {
        int(epoch): {name: tuple(_sample(one) for one in those) for name, those in sets.items()}
        for epoch, sets in data["samples"].items()
    }
    return ArmRun(
        Arm(**data["arm"]),
        int(data["seed"]),
        tuple(map(float, data["losses"])),
        tuple(map(float, data["validation_losses"])),
        {int(epoch): dict(metrics) for epoch, metrics in data["metrics"].items()},
        samples,
        float(data["seconds"]),
    )


def _sample(data: dict[str, Any]) -> Sample:
    top = tuple((int(index), float(weight)) for index, weight in data["top"])
    return Sample(str(data["study"]), str(data["truth"]), float(data["probability"]), top)
