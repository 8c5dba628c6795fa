"""The learner of a one-shot model: steps on lesions, steps on classes of slices, and the branch that is copied between them.

Slices pass the net one by one and their losses are averaged: the gradients of a step then depend neither on how many pass at
once nor on which process has which, and a step's memory is that of one slice.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ctviewer.nets.one_shot.net import OneShot
from ctviewer.training.control import Control, Wish
from ctviewer.training.engine.batches import dropout_seed
from ctviewer.training.engine.features import Draws
from ctviewer.training.engine.learner import Place, Verdict
from ctviewer.training.engine.one_shot.batches import Drawn, SliceBatch
from ctviewer.training.engine.one_shot.copying import Copying
from ctviewer.training.engine.one_shot.judging import SliceJudge
from ctviewer.training.engine.optimizers import optimizer_of
from ctviewer.training.engine.parallel import World
from ctviewer.training.engine.passes import PRECISIONS
from ctviewer.training.engine.slice_store import SliceStore
from ctviewer.training.recipes import Recipe
from ctviewer.training.slices.two_sources import IMAGES, LESIONS

_ONE = 1  # slices that pass the net at once


@dataclass
class OneShotLearner:
    """Meets `learner.Learner` for `SliceBatch`.

    Attributes:
        net: on its device.
        store: of the slices.
        draws: of augmentation.
        precision: of the net; losses are float32 in any.
        copying: of the branch; None where there is none to copy (tied, or no classes of slices).
        judging: of the validation slices.
        alternating: whether steps on lesions and on classes take turns.
    """

    net: OneShot
    store: SliceStore
    draws: Draws
    precision: str
    copying: Copying | None
    judging: SliceJudge
    alternating: bool
    _lesion_loss: float = field(default=0.0, init=False)  # this process's part of the newest step's
    _pending: list[Tensor] = field(default_factory=list, init=False)  # statistics after it

    @property
    def chunk(self) -> int:
        """Slices pass one by one."""
        return _ONE

    def make_optimizer(self, recipe: Recipe) -> Optimizer:
        """See `optimizer_for`."""
        return optimizer_for(self.net, recipe)

    def slow_epochs(self, epochs: int) -> int:
        """All: nothing is cached."""
        return epochs

    def amount(self, batch: SliceBatch, world: World) -> int:
        """Slices of this process."""
        return len(world.share(_items(batch)))

    def learn(self, batch: SliceBatch, place: Place, scale: float, world: World) -> Generator[int, None, float]:
        """Add this process's part of the gradients: of the mean loss of the lesion slices, and of those with a class."""
        statistics = self._statistics()
        before = [one.clone() for one in statistics]
        try:
            return (yield from self._learned(batch, place, scale, world))
        finally:  # they count once the step is taken: it may be left, or come to nothing
            self._pending = [one.clone() for one in statistics]
            for one, kept in zip(statistics, before, strict=True):
                one.copy_(kept)

    def _learned(self, batch: SliceBatch, place: Place, scale: float, world: World) -> Generator[int, None, float]:
        self._lesion_loss, total = 0.0, 0.0
        for position, drawn, share in world.share(_items(batch)):
            lesions = position < len(batch.lesions)
            torch.manual_seed(dropout_seed(place.seed, place.fold, place.epoch, place.step, position))
            loss = (self._segmentation(drawn) if lesions else self._classification(drawn)) * share
            if loss.requires_grad:
                (loss * scale).backward()  # type: ignore[no-untyped-call]  # torch's stub
            part = float(loss.detach())
            total += part
            self._lesion_loss += part if lesions else 0.0
            yield 1
        return total

    def kind(self, batch: SliceBatch) -> str:
        """Lesions or images, where a step has but one kind."""
        return "" if batch.lesions and batch.images else LESIONS if batch.lesions else IMAGES

    def after_step(self, batch: SliceBatch, world: World) -> None:
        """Copy the segmentation branch where it is time; keep running statistics, alike in all processes."""
        if self.copying is not None and batch.lesions:
            loss = float(world.add(torch.tensor(self._lesion_loss, dtype=torch.float64)))
            if self.copying.seen(loss):
                self.net.copy_branch()
        for one, pending in zip(self._statistics(), self._pending, strict=True):
            if one.is_floating_point():
                one.copy_(world.add(pending) / world.size)
            else:  # a count: each process has seen slices of its own
                one.add_(world.add(pending - one))

    def mean_loss(self, losses: Sequence[float]) -> float:
        """Segmentation and classification loss, each averaged over its steps, and added."""
        kinds = (losses[::2], losses[1::2]) if self.alternating else (losses,)
        return sum(sum(kind) / len(kind) for kind in kinds if kind)

    def judge_epoch(
        self, validation: Sequence[str], world: World, control: Control
    ) -> Generator[int, None, Verdict | Wish]:
        """By the losses of the validation slices."""
        return (yield from self.judging.judge(self.net, self.precision, validation, world, control))

    def state(self) -> dict[str, Any]:
        """Of copying; all else is in the net."""
        return {} if self.copying is None else {"copying": self.copying.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        if self.copying is not None:
            self.copying.restore(state.get("copying", {}))

    def kept_state(self) -> dict[str, Tensor]:
        """All of the net: the copied branch and running statistics change without learning."""
        return dict(self.net.state_dict())

    def _segmentation(self, drawn: Drawn) -> Tensor:
        image, target = self.store.lesion_item(drawn.ref.scan, drawn.ref.name, *self._draw(drawn))
        with self._reduced():
            losses = self.net.segmentation_losses(image[None], [target])
        return torch.stack([loss.float() for loss in losses.values()]).sum()

    def _classification(self, drawn: Drawn) -> Tensor:
        image, label = self.store.image_item(drawn.ref.scan, drawn.ref.name, *self._draw(drawn))
        with self._reduced():
            logits = self.net.classify(image[None]).logits
        return self.net.classification_loss(logits.float(), torch.tensor([label], device=logits.device))

    def _draw(self, drawn: Drawn) -> tuple[Any, ...]:
        """Pose and its generator; nothing where slices are never varied."""
        draw = self.draws.of(drawn.turn)
        if draw is None:
            return ()
        return self.draws.pose, self.draws.generator(f"{drawn.ref.scan}\0{drawn.ref.name}", draw)

    def _reduced(self) -> torch.autocast:
        return reduced(self.net, self.precision)

    def _statistics(self) -> list[Tensor]:
        """Of BatchNorm, which keeps them while it learns; the product's norms have none that change."""
        norms = [module for module in self.net.modules() if isinstance(module, nn.BatchNorm2d)]
        return [buffer for norm in norms for buffer in norm.buffers()]


def optimizer_for(net: OneShot, recipe: Recipe) -> Optimizer:
    """Over all that learns in any step; the trunk that published weights are for has its part of the rate."""
    others = [net.backbone.fpn, net.rpn, net.segmentation]
    others += [] if net.attention_layer is None else [net.attention_layer]
    return optimizer_of([(net.backbone.body, recipe.encoder_rate), *((part, 1.0) for part in others)], recipe)


def reduced(net: OneShot, precision: str) -> torch.autocast:
    """The net's own context for a precision; it keeps what its losses are made of in float32."""
    dtype = PRECISIONS[precision]
    device = next(net.parameters()).device
    return torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None)


def _items(batch: SliceBatch) -> list[tuple[int, Drawn, float]]:
    """All slices of a step: position, which, and the share of its loss in that of the step."""
    shares = [1.0 / max(1, len(batch.lesions))] * len(batch.lesions) + [1.0 / max(1, len(batch.images))] * len(
        batch.images
    )
    slices = (*batch.lesions, *batch.images)
    return [(i, drawn, share) for i, (drawn, share) in enumerate(zip(slices, shares, strict=True))]
