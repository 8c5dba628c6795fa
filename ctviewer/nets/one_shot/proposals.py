"""Region proposals: where anything but background may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead, concat_box_prediction_layers
from torchvision.ops import box_iou

from ctviewer.nets.one_shot.answers import Target
from ctviewer.nets.one_shot.losses import proposal_losses
from ctviewer.nets.one_shot.options import Options

_FOREGROUND, _BACKGROUND, _BATCH = 0.7, 0.3, 256


class Proposals(RegionProposalNetwork):  # type: ignore[misc]  # torchvision is untyped for mypy
    """torchvision's region proposal network, with slices that are not completely marked.

    Args:
        options: of the net.
    """

    def __init__(self, options: Options) -> None:
        sides = [[side] for side in options.anchors] if options.levels == "pyramid" else [list(options.anchors)]
        anchors = AnchorGenerator(tuple(map(tuple, sides)), (tuple(options.ratios),) * len(sides))
        super().__init__(
            anchors,
            RPNHead(options.channels, anchors.num_anchors_per_location()[0]),
            _FOREGROUND,
            _BACKGROUND,
            _BATCH,
            options.proposal_positive,
            dict(zip(("training", "testing"), options.pre_nms, strict=True)),
            dict(zip(("training", "testing"), options.post_nms, strict=True)),
            options.proposal_nms,
        )

    def forward(
        self, images: Tensor, maps: Mapping[str, Tensor], targets: Sequence[Target] | None = None
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Propose boxes, and measure the losses where the truth is given.

        Args:
            images: `[n, 3, S, S]`: only its sizes are used.
            maps: by level, `[n, C, h, w]`.
            targets: of each image.

        Returns:
            Of each image `[p, 4]`, by falling probability, without gradient; losses `loss_objectness` and
            `loss_rpn_box_reg`.
        """
        levels = list(maps.values())
        objectness, deltas = self.head(levels)
        sizes = [(images.shape[-2], images.shape[-1])] * len(images)
        anchors = self.anchor_generator(ImageList(images, sizes), levels)
        counts = [o[0].numel() for o in objectness]
        objectness, deltas = concat_box_prediction_layers(objectness, deltas)
        objectness, deltas = objectness.float(), deltas.float()
        boxes = self.box_coder.decode(deltas.detach(), anchors).view(len(images), -1, 4)
        with torch.no_grad():
            proposals, _ = self.filter_proposals(boxes, objectness, sizes, counts)
        if targets is None:
            return proposals, {}
        met = [{"boxes": _met(target.boxes, near)} for target, near in zip(targets, anchors, strict=True)]
        labels, matched = self.assign_targets_to_anchors(anchors, met)
        for label, target in zip(labels, targets, strict=True):
            if not target.complete or target.unmarked:
                label[label == 0] = -1  # it may be something that is unmarked; this network tells no classes apart
        truth = self.box_coder.encode(matched, anchors)
        return proposals, proposal_losses(self.fg_bg_sampler, objectness, deltas, labels, truth)


def _met(boxes: Tensor, anchors: Tensor) -> Tensor:
    """The boxes that some anchor overlaps, of `[k, 4]`.

    Where none does, as near a border between small anchors, torchvision takes every anchor for one of the best.
    """
    return boxes[(box_iou(boxes, anchors) > 0).any(dim=1)]
