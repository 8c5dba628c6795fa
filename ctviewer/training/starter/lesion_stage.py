"""The lesion model: Mask R-CNN of the one-shot net, learned from chests with infection and from the same and others without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctviewer.core.events import Event
from ctviewer.core.slices import HU
from ctviewer.models.metadata import Preprocessing
from ctviewer.models.preprocess import slice_input
from ctviewer.nets.one_shot import OneShot, Target
from ctviewer.training.slices.targets import instances, target_of
from ctviewer.training.starter.chests import CLASSES, PHANTOM, RECOVERED, SCANNED, Chest
from ctviewer.training.starter.loop import Plan, fit
from ctviewer.training.starter.painting import decoyed, painted_out
from ctviewer.training.starter.scanner import Scanner, draw, scanned, thick

LESION_INPUT = Preprocessing(-600.0, 1500.0, 256, 256, (0.5,), (0.3,))
"""Lung window, the whole slice."""

INFECTED, DECOYED, PAINTED, CLEAN, GENERATED = "infected", "decoyed", "painted out", "scanned, clean", "phantom"


@dataclass(frozen=True)
class Mixture:
    """What a batch is made of.

    Attributes:
        shares: of each kind of slices; those of a kind that there is none of go to the others.
        thick: probability that neighbouring slices are averaged, up to `most_averaged` of them.
    """

    shares: Mapping[str, float] = field(
        default_factory=lambda: {INFECTED: 0.42, DECOYED: 0.16, PAINTED: 0.18, CLEAN: 0.14, GENERATED: 0.10}
    )
    thick: float = 0.2
    most_averaged: int = 4


Pools = Mapping[str, Sequence[Chest]]


def pools_of(chests: Sequence[Chest], seed: int) -> Pools:
    """The chests by kind of slices, infection painted out and decoys made once.

    Args:
        chests: of training alone: nothing of another patient comes in.
        seed: of the painting.
    """
    found: dict[str, list[Chest]] = {INFECTED: [], DECOYED: [], PAINTED: [], CLEAN: [], GENERATED: []}
    for number, chest in enumerate(chests):
        rng = np.random.default_rng([seed, number])
        if chest.kind == PHANTOM:
            found[GENERATED].append(chest)
        elif chest.kind == RECOVERED and chest.infected.any():
            found[INFECTED].append(chest)
            found[DECOYED].append(decoyed(chest, rng))
            found[PAINTED].append(painted_out(chest, rng))
        elif chest.kind in (SCANNED, RECOVERED):
            found[CLEAN].append(chest)
    return {name: those for name, those in found.items() if those}


def train_lesions(
    net: OneShot, chests: Sequence[Chest], plan: Plan, *, batch: int = 8, mixture: Mixture | None = None,
    scanner: Scanner | None = None, preprocessing: Preprocessing = LESION_INPUT,
) -> Iterator[Event]:  # fmt: skip
    """Train a net in place for as many steps as planned; its last weights are kept, and nothing is chosen by any figure.

    Args:
        net: of `CLASSES`, on the device that is to compute.
        chests: to learn from.
        plan: of the loop.
        batch: slices a step.
        mixture: of a batch.
        scanner: augmentation.
        preprocessing: of the bundle.

    Yields:
        `Progress` for each step and `EpochDone`.
    """
    draws = SliceDraws(pools_of(chests, plan.seed), mixture or Mixture(), scanner or Scanner(), preprocessing)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub
    device = next(net.parameters()).device

    def step(rng: np.random.Generator) -> Tensor:
        images, targets = draws.batch(rng, batch)
        images = images.to(device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            losses = net.segmentation_losses(images, [target.to(device) for target in targets])
        return torch.stack([value.float() for value in losses.values()]).sum()

    yield from fit(net, step, None, "", plan, stage="Training the lesion model")


class SliceDraws:
    """Slices at random, varied as other scanners would show them.

    Args:
        pools: of `pools_of`.
        mixture: shares of the pools.
        scanner: augmentation.
        preprocessing: of the bundle.
    """

    def __init__(self, pools: Pools, mixture: Mixture, scanner: Scanner, preprocessing: Preprocessing) -> None:
        self._pools, self._mixture, self._scanner, self._p = pools, mixture, scanner, preprocessing
        shares = np.array([mixture.shares.get(name, 0.0) for name in pools])
        self._names, self._shares = list(pools), shares / shares.sum()

    def batch(self, rng: np.random.Generator, count: int) -> tuple[Tensor, list[Target]]:
        """Images `[count, 1, S, S]` and what is to be found on each."""
        drawn = [self.one(rng) for _ in range(count)]
        images = slice_input(np.stack([hu for hu, _ in drawn]), HU, self._p)
        return images, [target_of(instances(labels, CLASSES), complete=True) for _, labels in drawn]

    def one(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """HU and labels of a slice: a kind, a chest of it, and a slice of that are drawn, each evenly."""
        name = self._names[int(rng.choice(len(self._names), p=self._shares))]
        chests = self._pools[name]
        chest = chests[int(rng.integers(len(chests)))]
        index = int(rng.integers(len(chest.hu)))
        hu, labels = chest.hu[index], chest.labels[index]
        if chest.kind == RECOVERED and rng.random() < self._mixture.thick:
            hu, labels = thick(chest.hu, chest.labels, index, int(rng.integers(2, self._mixture.most_averaged + 1)))
        return scanned(hu, labels, draw(self._scanner, rng, hu.shape[-1]), rng)
