"""BiLSTM and attention of the shipped study models, learned on sequences of features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctviewer.core.events import Event
from ctviewer.nets.losses import attention_loss, attention_targets, study_loss
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.starter.loop import Plan, fit

Floats = NDArray[np.float32]

Study = tuple[Floats, Floats, int]
"""Features `[n, D]` head to feet; `[n]` 1 where the slice shows a lesion; index of the class."""

DrawStudy = Callable[[np.random.Generator, int], Study]
"""A study of a class, drawn."""

_LONGEST, _SHORTEST = 220, 14  # slices of a resampled study


def resampled(features: Floats, shown: Floats, rng: np.random.Generator, longest: int) -> tuple[Floats, Floats]:
    """A part of a chest at another slice spacing: features between two slices are their linear mixture.

    Args:
        features: `[n, D]`.
        shown: `[n]`.
        rng: of the draw.
        longest: most slices of the result.

    Returns:
        `[m, D]` and `[m]`. What shows lesions keeps some of them: the slices are shifted until one lies on a lesion.
    """
    n = len(features)
    first, last = 0, n - 1
    if rng.random() < 0.3:
        length = max(4, int(rng.uniform(0.5, 1.0) * n))
        start = int(rng.integers(0, max(1, n - length)))
        if not shown.any() or shown[start : start + length].sum() >= 1:
            first, last = start, min(n - 1, start + length)
    m = round(float(np.exp(rng.uniform(np.log(min(_SHORTEST, longest)), np.log(longest)))))
    at = np.linspace(first, last, m)
    if shown.any() and not np.interp(at, np.arange(n), shown).any():
        lesion = float(rng.choice(np.flatnonzero(shown)))
        at = np.clip(at + lesion - at[np.abs(at - lesion).argmin()], 0, n - 1)
    return between(features, shown, at)


def between(features: Floats, shown: Floats, at: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """What lies between slices: the linear mixture of the two beside it, as neighbouring slices look alike.

    Args:
        features: `[n, D]`.
        shown: `[n]`.
        at: `[m]` places, 0 to n - 1.

    Returns:
        `[m, D]` and `[m]`.
    """
    low = np.minimum(at.astype(np.intp), max(0, len(features) - 2))
    high = np.minimum(low + 1, len(features) - 1)
    t = (at - low).astype(np.float32)
    return (
        features[low] * (1 - t)[:, None] + features[high] * t[:, None],
        np.asarray(shown[low] * (1 - t) + shown[high] * t, np.float32),
    )


def train_aggregator(
    net: StudyClassifier, classes: int, draw: DrawStudy, plan: Plan, *, batch: int = 16, supervision: float = 1.0
) -> Iterator[Event]:
    """Train `net.aggregator` in place for as many steps as planned; its last weights are kept.

    Args:
        net: with an aggregator that has attention.
        classes: number of them; each is drawn equally often.
        draw: gives a study of a class.
        plan: of the loop.
        batch: studies a step.
        supervision: weight of the attention loss.
    """
    device = next(net.parameters()).device

    def step(rng: np.random.Generator) -> Tensor:
        features, lengths, targets, labels = _batch(draw, classes, batch, rng)
        out = net.aggregate(features.to(device), lengths)
        loss = study_loss(net.head, out.logits, labels.to(device))
        return loss if out.attention is None else loss + supervision * attention_loss(out.attention, targets.to(device))

    yield from fit(net.aggregator, step, None, "", plan, stage="Training BiLSTM and attention")


def _batch(
    draw: DrawStudy, classes: int, batch: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    # one length limit per batch, so that short studies are not mostly padding
    longest = int(np.exp(rng.uniform(np.log(24), np.log(_LONGEST))))
    labels = [i % classes for i in range(batch)]
    return *padded([resampled(*draw(rng, label)[:2], rng, longest) for label in labels]), torch.tensor(labels)


def padded(parts: Sequence[tuple[Floats, Floats]]) -> tuple[Tensor, Tensor, Tensor]:
    """Studies of different lengths as one batch.

    Args:
        parts: of each, features `[n, D]` and what its slices show `[n]`.

    Returns:
        Features `[batch, longest, D]`, lengths `[batch]`, and what attention is to be, `[batch, longest]`.
    """
    longest = max(len(features) for features, _ in parts)
    whole = np.zeros((len(parts), longest, parts[0][0].shape[1]), np.float32)
    shown = np.zeros((len(parts), longest), np.float32)
    for i, (features, infected) in enumerate(parts):
        whole[i, : len(features)], shown[i, : len(features)] = features, infected
    lengths = torch.tensor([len(features) for features, _ in parts])
    return torch.from_numpy(whole), lengths, attention_targets(torch.from_numpy(shown), lengths)
