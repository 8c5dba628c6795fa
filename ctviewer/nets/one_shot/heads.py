"""The segmentation branch: class, box and mask of proposals. The classification branch has its architecture too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler, BoxCoder, Matcher
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign, box_iou

from ctviewer.nets.one_shot.answers import Target
from ctviewer.nets.one_shot.losses import box_losses, mask_loss
from ctviewer.nets.one_shot.options import Options
from ctviewer.nets.one_shot.rois import BOX_WEIGHTS
from ctviewer.nets.resnet import LEVELS

_BOX_CELLS, _MASK_CELLS, _SAMPLES = 7, 14, 2


class SegmentationBranch(nn.Module):
    """Box head and mask head over the feature maps.

    Args:
        classes: background included.
        options: of the net.
    """

    def __init__(self, classes: int, options: Options) -> None:
        super().__init__()
        levels = list(LEVELS) if options.levels == "pyramid" else [LEVELS[0]]
        hidden = options.mask_hidden
        self.size = options.size
        self.box_pool = MultiScaleRoIAlign(levels, _BOX_CELLS, _SAMPLES)
        self.box_head = TwoMLPHead(options.channels * _BOX_CELLS**2, options.box_hidden)
        self.box_predictor = FastRCNNPredictor(options.box_hidden, classes)
        self.mask_pool = MultiScaleRoIAlign(levels, _MASK_CELLS, _SAMPLES)
        self.mask_head = nn.Sequential(nn.Conv2d(options.channels, hidden, 3, padding=1), nn.ReLU())
        self.mask_predictor = MaskRCNNPredictor(hidden, hidden, classes)
        self._matcher = Matcher(options.roi_foreground, options.roi_background, allow_low_quality_matches=False)
        self._sampler = BalancedPositiveNegativeSampler(options.roi_batch, options.roi_positive)
        self._coder = BoxCoder(BOX_WEIGHTS)

    def boxes(self, maps: Mapping[str, Tensor], proposals: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits `[r, classes]` and encoded boxes `[r, 4 * classes]` of the proposals of all slices."""
        logits, regression = self.box_predictor(self.box_head(self._pool(self.box_pool, maps, proposals)))
        return logits.float(), regression.float()

    def regions(self, maps: Mapping[str, Tensor], boxes: Sequence[Tensor]) -> Tensor:
        """Feature maps in boxes: `[r, C, 14, 14]` for the boxes of all slices."""
        return self._pool(self.mask_pool, maps, boxes)

    def mask_logits(self, features: Tensor) -> Tensor:
        """Logits `[r, classes, 28, 28]` by what the transposed convolution gives, `[r, mask channels, 28, 28]`."""
        out: Tensor = self.mask_predictor.mask_fcn_logits(features.relu())
        return out.float()

    def losses(
        self, maps: Mapping[str, Tensor], proposals: Sequence[Tensor], targets: Sequence[Target]
    ) -> dict[str, Tensor]:
        """Losses `loss_classifier`, `loss_box_reg` and `loss_mask`."""
        drawn = [self._draw(p, t) for p, t in zip(proposals, targets, strict=True)]
        boxes, labels, matched = ([d[i] for d in drawn] for i in range(3))
        truth = [_matched_boxes(t, m) for t, m in zip(targets, matched, strict=True)]
        out = self.boxes(maps, boxes)
        encoded, possible = torch.cat(list(self._coder.encode(truth, boxes))), _possible(out[0], boxes, targets)
        losses = box_losses(*out, torch.cat(labels), encoded, possible)
        objects = [(k > 0).nonzero()[:, 0] for k in labels]
        own = [b[i] for b, i in zip(boxes, objects, strict=True)]
        index = [m[i] for m, i in zip(matched, objects, strict=True)]
        masks = self.mask_logits(self.mask_predictor.conv5_mask(self.mask_head(self.regions(maps, own))))
        return losses | mask_loss(masks, own, index, targets)

    def _pool(self, pool: MultiScaleRoIAlign, maps: Mapping[str, Tensor], boxes: Sequence[Tensor]) -> Tensor:
        out: Tensor = pool(dict(maps), list(boxes), [(self.size, self.size)] * len(boxes))
        return out

    def _draw(self, proposals: Tensor, target: Target) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes to learn from `[r, 4]`, their labels `[r]` and instances `[r]`; the truth's own boxes are among them."""
        boxes = torch.cat([proposals, target.boxes.to(proposals)])
        if len(target.boxes):
            matched = self._matcher(box_iou(target.boxes.to(boxes), boxes))
        else:
            matched = torch.full((len(boxes),), Matcher.BELOW_LOW_THRESHOLD, device=boxes.device)
        labels = torch.full_like(matched, -1)
        found = matched >= 0
        labels[found] = target.labels[matched[found]]
        if target.complete:
            labels[matched == Matcher.BELOW_LOW_THRESHOLD] = 0
        positive, negative = self._sampler([labels])
        drawn = (positive[0] | negative[0]).nonzero()[:, 0]
        return boxes[drawn], labels[drawn], matched[drawn].clamp(min=0)


def _possible(logits: Tensor, boxes: Sequence[Tensor], targets: Sequence[Target]) -> Tensor | None:
    """`[r, classes]`: which classes were not marked on the slice of each proposal; None where all were on all."""
    if not any(target.unmarked for target in targets):
        return None
    out = torch.zeros_like(logits, dtype=torch.bool)
    for rows, target in zip(torch.split(out, [len(box) for box in boxes]), targets, strict=True):
        rows[:, list(target.unmarked)] = True
    return out


def _matched_boxes(target: Target, matched: Tensor) -> Tensor:
    """`[r, 4]`: for a slice without instances any box does, as no proposal is an object."""
    boxes = target.boxes if len(target.boxes) else target.boxes.new_tensor([[0.0, 0.0, 1.0, 1.0]])
    return boxes[matched]
