"""The learner of a slice classifier: slices with an image class, each by itself, on the engine of all other runs."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from ctviewer.nets.slice_classifier import SliceClassifier
from ctviewer.training.control import Control, Wish
from ctviewer.training.engine.features import Draws
from ctviewer.training.engine.learner import Place, Verdict
from ctviewer.training.engine.one_shot.batches import Drawn, SliceBatch, SliceRef
from ctviewer.training.engine.optimizers import optimizer_of
from ctviewer.training.engine.parallel import World
from ctviewer.training.engine.passes import PRECISIONS
from ctviewer.training.engine.slice_store import SliceStore
from ctviewer.training.recipes import Recipe
from ctviewer.training.sampling import inverse_frequency
from ctviewer.training.slices.two_sources import IMAGES, kind_of


@dataclass(frozen=True)
class Classed:
    """A slice whose class is known.

    Attributes:
        ref: which.
        number: index of its class.
    """

    ref: SliceRef
    number: int


@dataclass(frozen=True)
class SliceLearner:
    """Meets `learner.Learner` for `SliceBatch`, of which it takes the slices with a class.

    Attributes:
        net: on its device.
        store: of the slices.
        draws: of augmentation.
        balanced: whether all classes count alike in the validation loss.
        precision: a key of `passes.PRECISIONS`.
        chunk: slices that pass at once.
    """

    net: SliceClassifier
    store: SliceStore
    draws: Draws
    balanced: bool
    precision: str
    chunk: int

    def make_optimizer(self, recipe: Recipe) -> Optimizer:
        """Over the last layer, and the encoder at its part of the rate."""
        return optimizer_of(((self.net.head, 1.0), (self.net.encoder, recipe.encoder_rate)), recipe)

    def slow_epochs(self, epochs: int) -> int:
        """All: nothing is kept on disk."""
        return epochs

    def amount(self, batch: SliceBatch, world: World) -> int:
        """Slices of this process."""
        return len(world.share(batch.images))

    def learn(self, batch: SliceBatch, place: Place, scale: float, world: World) -> Generator[int, None, float]:
        """Gradients of the mean cross-entropy of the batch; see `learner.Learner.learn`."""
        mine, total = world.share(batch.images), 0.0
        for at in range(0, len(mine), self.chunk):
            part = mine[at : at + self.chunk]
            images, classes = self._drawn(part)
            loss = cross_entropy(self._logits(images), classes, reduction="sum") / len(batch.images)
            (loss * scale).backward()  # type: ignore[no-untyped-call]  # torch's stub
            total += float(loss.detach())
            yield len(part)
        return total

    def kind(self, batch: SliceBatch) -> str:
        """All steps are alike."""
        return ""

    def after_step(self, batch: SliceBatch, world: World) -> None:
        """Nothing follows from a step but the next one."""

    def mean_loss(self, losses: Sequence[float]) -> float:
        """Over steps."""
        return sum(losses) / len(losses)

    def judge_epoch(
        self, validation: Sequence[str], world: World, control: Control
    ) -> Generator[int, None, Verdict | Wish]:
        """By the mean cross-entropy of the validation slices."""
        items = classed(self.store, validation)
        logits = yield from self.judge(items, world, control)
        if isinstance(logits, Wish):
            return logits
        if not items:
            return Verdict(float("nan"))
        truth = torch.tensor([one.number for one in items])
        losses = cross_entropy(logits, truth, reduction="none").numpy()
        shares = np.full(len(items), 1.0 / len(items))
        if self.balanced:
            shares = inverse_frequency([(str(one.number),) for one in items])
        right = float((logits.argmax(dim=1) == truth).double().mean())
        return Verdict(float((losses * shares).sum()), {"accuracy of slices": right})

    def judge(self, items: Sequence[Classed], world: World, control: Control) -> Generator[int, None, Tensor | Wish]:
        """Logits `[items, classes]` float64 on the CPU, not augmented; the same in every process, or the user's wish."""
        self.net.eval()
        places = world.share(range(len(items)))
        found = torch.zeros(len(items), self.net.head.out_features, dtype=torch.float64)
        wish = Wish.GO_ON
        for at in range(0, len(places), self.chunk):
            if (wish := control()) is not Wish.GO_ON:
                break
            part = places[at : at + self.chunk]
            loaded = [self.store.image_item(items[i].ref.scan, items[i].ref.name)[0] for i in part]
            with torch.no_grad():
                found[list(part)] = self._logits(torch.stack(loaded)).double().cpu()
            yield len(part)
        wish = world.agree(wish)
        return world.add(found) if wish is Wish.GO_ON else wish

    def state(self) -> dict[str, Any]:
        """All of it is in the net."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing is kept."""

    def kept_state(self) -> dict[str, Tensor]:
        """Parameters that learn. Buffers do not change (BatchNorm stays in eval mode)."""
        return {name: p for name, p in self.net.named_parameters() if p.requires_grad}

    def _drawn(self, slices: Sequence[Drawn]) -> tuple[Tensor, Tensor]:
        """Augmented slices `[n, c, S, S]` and their classes `[n]`."""
        images, classes = [], []
        for one in slices:
            ref, draw = one.ref, self.draws.of(one.turn)
            rng = None if draw is None else self.draws.generator(f"{ref.scan}\0{ref.name}", draw)
            image, number = self.store.image_item(ref.scan, ref.name, self.draws.pose, rng)
            images.append(image)
            classes.append(number)
        return torch.stack(images), torch.tensor(classes, device=images[0].device)

    def _logits(self, images: Tensor) -> Tensor:
        dtype = PRECISIONS[self.precision]
        with torch.autocast(images.device.type, dtype or torch.bfloat16, enabled=dtype is not None):
            logits: Tensor = self.net(images)
        return logits.float()


def classed(store: SliceStore, scans: Sequence[str]) -> list[Classed]:
    """The slices of image sets that have a class."""
    found = []
    for scan in scans:
        if kind_of(scan) == IMAGES:
            infos = [one for one in store.slices_of(scan) if one.image_class is not None]
            found += [Classed(SliceRef(scan, one.name), int(one.image_class or 0)) for one in infos]
    return found
