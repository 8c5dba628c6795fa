"""Regions of interest of a slice: decoded, suppressed, chosen, ordered, and filled up to a fixed number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import batched_nms, clip_boxes_to_image

SMALLEST_AREA = 1e-5
BOX_WEIGHTS = (10.0, 10.0, 5.0, 5.0)

_coder = BoxCoder(BOX_WEIGHTS)


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes of one slice with what the box head says of them.

    Attributes:
        boxes: `[n, 4]`.
        labels: `[n]` int64, never 0.
        scores: `[n]`.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor

    def __len__(self) -> int:
        """How many."""
        return len(self.scores)

    def at(self, index: Tensor) -> Boxes:
        """Those at `[m]` indices."""
        return Boxes(self.boxes[index], self.labels[index], self.scores[index])


def decode(logits: Tensor, regression: Tensor, proposals: Sequence[Tensor], size: int) -> list[Boxes]:
    """Every proposal as a box of every class but the background.

    Args:
        logits: `[proposals of all slices, classes]`.
        regression: `[proposals of all slices, 4 * classes]`.
        proposals: of each slice, `[p, 4]`.
        size: side of the input; boxes end there.

    Returns:
        Of each slice, its `p * (classes - 1)` boxes without those of no area; no gradient.
    """
    with torch.no_grad():
        classes = logits.shape[1]
        boxes = _coder.decode(regression.float(), list(proposals)).reshape(-1, classes, 4)
        scores = logits.float().softmax(dim=1)
        labels = torch.arange(classes, device=logits.device).expand_as(scores)
        counts = [len(p) for p in proposals]
        parts = [torch.split(t[:, 1:], counts) for t in (boxes, labels, scores)]
        return [
            _with_area(Boxes(clip_boxes_to_image(b.reshape(-1, 4), (size, size)), k.reshape(-1), s.reshape(-1)))
            for b, k, s in zip(*parts, strict=True)
        ]


def _with_area(found: Boxes) -> Boxes:
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    return found.at((sides.prod(dim=1) > SMALLEST_AREA).nonzero()[:, 0])


def select(found: Boxes, above: float, nms: float, limit: int) -> Boxes:
    """The most probable boxes of a slice, by falling score; equal scores in an order that the boxes alone decide.

    Args:
        found: of `decode`.
        above: a score must be higher.
        nms: IoU above which the less probable box of the same class goes.
        limit: most boxes.
    """
    found = found.at((found.scores > above).nonzero()[:, 0])
    found = found.at(by_score(found))
    kept = batched_nms(found.boxes, found.scores, found.labels, nms)
    return found.at(kept.sort().values[:limit])


def by_score(found: Boxes) -> Tensor:
    """`[n]` indices by falling score, ties by class, y1, x1, y2, x2."""
    x1, y1, x2, y2 = found.boxes.unbind(dim=1)
    return _lexicographic(-found.scores, found.labels, y1, x1, y2, x2)


def by_distance(found: Boxes) -> Tensor:
    """`[n]` indices by ascending distance of the top left corner from the image's origin.

    Ties by y1, x1, class, score, and then by the other corner: what boxes there are decides alone.
    """
    x1, y1, x2, y2 = found.boxes.unbind(dim=1)
    distance = x1.double() ** 2 + y1.double() ** 2
    return _lexicographic(distance, y1, x1, found.labels, found.scores, y2, x2)


def _lexicographic(*keys: Tensor) -> Tensor:
    index = torch.arange(len(keys[0]), device=keys[0].device)
    for key in reversed(keys):
        index = index[key[index].argsort(stable=True)]
    return index


def fill(count: int, beta: int) -> Tensor:
    """`[beta]` indices of `count` ordered RoIs, in order, each as often as any other but for one."""
    return torch.arange(beta) * count // beta


def summed(attention: Tensor, index: Tensor, count: int) -> Tensor:
    """`[count]`: attention `[beta]` on copies, summed for each RoI; `index` as `fill` gave it."""
    if count == 0:
        return attention[:0]
    return attention.new_zeros(count).index_add(0, index.to(attention.device), attention)
