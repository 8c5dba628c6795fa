"""What validation slices say of a one-shot net after an epoch: the losses that it learns by, and how often it is right."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ctviewer.nets.one_shot.net import OneShot
from ctviewer.training.control import Control, Wish
from ctviewer.training.engine.batches import dropout_seed
from ctviewer.training.engine.learner import Verdict
from ctviewer.training.engine.one_shot.batches import SliceRef
from ctviewer.training.engine.parallel import World
from ctviewer.training.engine.passes import PRECISIONS
from ctviewer.training.engine.slice_store import SliceStore
from ctviewer.training.sampling import inverse_frequency
from ctviewer.training.slices.two_sources import LESIONS, kind_of

_NEVER_AN_EPOCH = 2**31 - 1  # the draws of judging are those of no step, and the same after each epoch


@dataclass(frozen=True)
class _Wanted:
    """A slice to be judged; without a class it is one with outlined lesions."""

    ref: SliceRef
    image_class: int | None


@dataclass(frozen=True)
class SliceJudge:
    """Judges the slices of scans.

    Attributes:
        store: of the slices.
        balanced: whether all classes of slices count alike in their mean loss, as where each is drawn equally often.
        seed: of the run; which proposals the lesion losses look at is drawn by it.
    """

    store: SliceStore
    balanced: bool
    seed: int

    def judge(
        self, net: OneShot, precision: str, scans: Sequence[str], world: World, control: Control
    ) -> Generator[int, None, Verdict | Wish]:
        """See `learner.Learner.judge_epoch`. No buffer of the net changes."""
        wanted = self._wanted(scans, net)
        rows = torch.zeros(len(wanted), 2, dtype=torch.float64)  # loss, and whether the class was right
        wish = Wish.GO_ON
        for place in world.share(range(len(wanted))):
            if (wish := control()) is not Wish.GO_ON:
                break
            rows[place] = self._judged(net, precision, wanted[place], place)
            yield 1
        net.eval()
        if (wish := world.agree(wish)) is not Wish.GO_ON:
            return wish
        return self._verdict(wanted, world.add(rows))

    def _wanted(self, scans: Sequence[str], net: OneShot) -> list[_Wanted]:
        found = []
        for scan in scans:
            lesions = kind_of(scan) == LESIONS
            for info in self.store.slices_of(scan):
                if lesions and info.teaches_lesions:
                    found.append(_Wanted(SliceRef(scan, info.name), None))
                elif not lesions and info.image_class is not None and not net.segmentation_only:
                    found.append(_Wanted(SliceRef(scan, info.name), info.image_class))
        return found

    @torch.no_grad()
    def _judged(self, net: OneShot, precision: str, one: _Wanted, place: int) -> Tensor:
        dtype = PRECISIONS[precision]
        device = next(net.parameters()).device
        reduced = torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None)
        if one.image_class is None:
            torch.manual_seed(dropout_seed(self.seed, 0, _NEVER_AN_EPOCH, 0, place))
            image, target = self.store.lesion_item(one.ref.scan, one.ref.name)
            net.train()  # losses are of training mode
            for module in net.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()  # it normalises alike, and keeps nothing of what it sees
            with reduced:
                losses = net.segmentation_losses(image[None], [target])
            return torch.tensor([sum(float(loss) for loss in losses.values()), 0.0], dtype=torch.float64)
        image, label = self.store.image_item(one.ref.scan, one.ref.name)
        net.eval()
        with reduced:
            logits = net.classify(image[None]).logits.float()
        loss = net.classification_loss(logits, torch.tensor([label], device=logits.device))
        return torch.tensor([float(loss), float(int(logits.argmax()) == label)], dtype=torch.float64)

    def _verdict(self, wanted: Sequence[_Wanted], rows: Tensor) -> Verdict:
        values, found, losses = rows.numpy(), {}, []
        lesions = np.array([one.image_class is None for one in wanted], bool)
        if lesions.any():
            losses.append(float(values[lesions, 0].mean()))
            found["segmentation loss"] = losses[-1]
        if (~lesions).any():
            classes = [one.image_class for one in wanted if one.image_class is not None]
            shares = inverse_frequency([(str(number),) for number in classes])
            if not self.balanced:
                shares = np.full(len(classes), 1.0 / len(classes))
            losses.append(float((values[~lesions, 0] * shares).sum()))
            found["class loss"] = losses[-1]
            found["accuracy of slices"] = float(values[~lesions, 1].mean())
        return Verdict(sum(losses) if losses else math.nan, found)
