"""Losses of both branches; where no example is known they are 0, with gradients of 0."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.models.detection.roi_heads import project_masks_on_boxes

from ctviewer.nets.one_shot.answers import Target

_SMOOTH = 1 / 9  # torchvision's beta of the smooth L1 loss
_TINY = 1e-6


def proposal_losses(
    sampler: BalancedPositiveNegativeSampler,
    objectness: Tensor,
    deltas: Tensor,
    labels: Sequence[Tensor],
    truth: Sequence[Tensor],
) -> dict[str, Tensor]:
    """Losses of the region proposal network, over the anchors that are sampled.

    Args:
        sampler: draws anchors from those labelled 1 and 0.
        objectness: `[anchors of all images, 1]` logits.
        deltas: `[anchors of all images, 4]` encoded boxes.
        labels: of each image, `[anchors]`: 1 object, 0 background, -1 unknown.
        truth: of each image, `[anchors, 4]` encoded boxes.
    """
    drawn = [torch.cat(part).nonzero()[:, 0] for part in sampler(list(labels))]
    positive, both = drawn[0], torch.cat(drawn)
    box = functional.smooth_l1_loss(deltas[positive], torch.cat(list(truth))[positive], beta=_SMOOTH, reduction="sum")
    known = torch.cat(list(labels))[both]
    logits = objectness.flatten()[both]
    count = max(1, len(both))
    return {
        "loss_objectness": functional.binary_cross_entropy_with_logits(logits, known, reduction="sum") / count,
        "loss_rpn_box_reg": box / count,
    }


def box_losses(
    logits: Tensor, regression: Tensor, labels: Tensor, truth: Tensor, possible: Tensor | None = None
) -> dict[str, Tensor]:
    """Losses of the box head over sampled proposals.

    Args:
        logits: `[r, classes]`.
        regression: `[r, 4 * classes]` encoded boxes.
        labels: `[r]` int64, 0 for background.
        truth: `[r, 4]` encoded boxes.
        possible: `[r, classes]` bool, what a proposal labelled 0 may be beside the background, because nobody marked it:
            the probabilities of all that are added up. None where everything was marked.
    """
    count = max(1, len(labels))
    objects = (labels > 0).nonzero()[:, 0]
    boxes = regression.reshape(len(regression), logits.shape[1], 4)[objects, labels[objects]]
    box = functional.smooth_l1_loss(boxes, truth[objects], beta=_SMOOTH, reduction="sum")
    return {
        "loss_classifier": _class_loss(logits, labels, possible) / count,
        "loss_box_reg": box / count,
    }


def _class_loss(logits: Tensor, labels: Tensor, possible: Tensor | None) -> Tensor:
    """Cross-entropy as a sum, of what each proposal is or may be."""
    if possible is None:
        return functional.cross_entropy(logits, labels, reduction="sum")
    allowed = functional.one_hot(labels, logits.shape[1]).bool() | (possible & (labels == 0)[:, None])
    return -logits.log_softmax(1).masked_fill(~allowed, -torch.inf).logsumexp(1).sum()


def mask_loss(
    logits: Tensor, boxes: Sequence[Tensor], matched: Sequence[Tensor], targets: Sequence[Target]
) -> dict[str, Tensor]:
    """Binary cross-entropy of the masks of objects, each in its box and by its own class, as the mean over known pixels.

    Args:
        logits: `[r, classes, m, m]`, of the objects of all images.
        boxes: of each image, `[r_i, 4]`.
        matched: of each image, `[r_i]`: which of the target's instances it is.
        targets: of each image. Where one is not complete, a pixel that no instance covers is unknown and does not count.
    """
    cells = logits.shape[-1]
    labels = torch.cat([t.labels[i] for t, i in zip(targets, matched, strict=True)])
    truth, known = [], []
    for target, box, index in zip(targets, boxes, matched, strict=True):
        truth.append(project_masks_on_boxes(target.masks, box, index, cells))
        known.append(torch.ones_like(truth[-1]))
        if not target.complete and len(box):
            marked = target.masks.amax(dim=0, keepdim=True)
            known[-1] = project_masks_on_boxes(marked, box, torch.zeros_like(index), cells)
            truth[-1] = truth[-1] / known[-1].clamp(min=_TINY)  # the share among the pixels that are known
    weight = torch.cat(known)
    own = logits[torch.arange(len(labels), device=labels.device), labels]
    each = functional.binary_cross_entropy_with_logits(own, torch.cat(truth), weight, reduction="sum")
    return {"loss_mask": each / weight.sum().clamp(min=1.0)}


def slice_class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy on positive minus negative logits against one-hot, mean over classes and slices.

    The paper's equations 9 and 10; the printed sign of the second term is a misprint.

    Args:
        logits: `[n, image classes]`.
        labels: `[n]` int64, index of the image class.
    """
    truth = functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return functional.binary_cross_entropy_with_logits(logits, truth)
