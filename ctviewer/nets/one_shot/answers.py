"""What a one-shot net takes as truth, and what it answers. All boxes are x1, y1, x2, y2 in pixels of its square input."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Target:
    """Lesions of one slice, as they are known.

    Attributes:
        boxes: `[k, 4]` float32; k may be 0.
        labels: `[k]` int64, index into the bundle's classes; never 0, the background.
        masks: `[k, S, S]` uint8, 1 inside.
        complete: all lesions of the slice are marked. False: what is unmarked is unknown, and no loss looks at it.
        unmarked: indices of classes that were not marked even so, lungs mostly: what no box covers is none of the others.
    """

    boxes: Tensor
    labels: Tensor
    masks: Tensor
    complete: bool = True
    unmarked: tuple[int, ...] = ()

    def to(self, device: torch.device | str) -> Target:
        """The same on a device."""
        boxes, labels, masks = self.boxes.to(device), self.labels.to(device), self.masks.to(device)
        return Target(boxes, labels, masks, self.complete, self.unmarked)


@dataclass(frozen=True, eq=False)
class Detections:
    """Instances found on one slice.

    Attributes:
        boxes: `[n, 4]`.
        labels: `[n]` int64, index into the bundle's classes; never 0, the background.
        scores: `[n]`, falling.
        masks: `[n, 28, 28]` probabilities inside the box.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor
    masks: Tensor

    def only(self, kept: Tensor) -> Detections:
        """Those that `kept` `[n]` says."""
        return Detections(self.boxes[kept], self.labels[kept], self.scores[kept], self.masks[kept])

    def above(self, score: float) -> Detections:
        """Those whose score is higher."""
        return self.only(self.scores > score)


@dataclass(frozen=True, eq=False)
class Rois:
    """Regions of interest that the classification branch looked at, in the order in which it did.

    Attributes:
        boxes: `[m, 4]`, m at most beta; 0 where there was no proposal.
        labels: `[m]` int64, as `Detections.labels`.
        scores: `[m]`.
        attention_positive, attention_negative: `[m]`, of the class-positive and the class-negative module; each sums to
            1 where m > 0 (over copies of an RoI its shares are summed). None where the net has no attention.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor
    attention_positive: Tensor | None
    attention_negative: Tensor | None


@dataclass(frozen=True, eq=False)
class SliceLogits:
    """What the classification branch says of n slices.

    Attributes:
        logits: `[n, image classes]` float32: positive minus negative.
        positive, negative: `[n, image classes]`, of the two classifiers.
        rois: of each slice.
    """

    logits: Tensor
    positive: Tensor
    negative: Tensor
    rois: tuple[Rois, ...]


@dataclass(frozen=True, eq=False)
class SliceAnswer:
    """All that the net says of one slice.

    Attributes:
        detections: instances.
        logits: `[image classes]` float32, positive minus negative; empty where the net tells no classes of slices.
        rois: what it looked at for them; none then.
    """

    detections: Detections
    logits: Tensor
    rois: Rois
