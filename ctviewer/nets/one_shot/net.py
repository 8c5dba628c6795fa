"""The one-shot net: a slice in; lesions with class, box and mask out, and what the slice as a whole shows.

Ter-Sarkisov, "One Shot Model For COVID-19 Classification and Lesions Segmentation In Chest CT Scans Using LSTM With
Attention Mechanism", figure 1. Without image classes it is a plain Mask R-CNN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ctviewer.nets.one_shot.answers import Detections, Rois, SliceAnswer, SliceLogits, Target
from ctviewer.nets.one_shot.backbones import Backbone
from ctviewer.nets.one_shot.copying import detached
from ctviewer.nets.one_shot.folding import fold_frozen
from ctviewer.nets.one_shot.heads import SegmentationBranch
from ctviewer.nets.one_shot.layer import AttentionLayer, LayerOutput
from ctviewer.nets.one_shot.losses import slice_class_loss
from ctviewer.nets.one_shot.options import Options
from ctviewer.nets.one_shot.proposals import Proposals
from ctviewer.nets.one_shot.rois import Boxes, by_distance, decode, fill, select, summed

STEPS = LESION, IMAGE = "lesion", "image"

_SURE = 4.0
"""Logit of the negative class for a slice without any region, and minus that of the others: 98 and 2 %."""


class OneShot(nn.Module):
    """Segmentation and classification of single slices over one backbone.

    Args:
        classes: of lesions (and lung), background included.
        image_classes: of whole slices; 0: segmentation only.
        **options: see `Options`.

    Attributes:
        options: as given, with what was left out.
        size: side of the square input in pixels.

    Raises:
        ValueError: values that do not fit together.
        TypeError: an unknown option.
    """

    def __init__(self, classes: int, *, image_classes: int = 0, **options: Any) -> None:
        super().__init__()
        self.options = Options(**options)
        if classes < 2 or image_classes < 0 or not -1 <= self.options.negative < max(1, image_classes):
            raise ValueError(f"{classes} classes, {image_classes} image classes and negative {self.options.negative}")
        self.size, self.image_classes = self.options.size, image_classes
        self.backbone = Backbone(self.options)
        self.rpn = Proposals(self.options)
        self.segmentation = SegmentationBranch(classes, self.options)
        self.copied: SegmentationBranch | None = None
        self.attention_layer: AttentionLayer | None = None
        if image_classes:
            self.attention_layer = AttentionLayer(self.options, image_classes)
            if self.options.branches == "copied":
                self.copied = SegmentationBranch(classes, self.options).requires_grad_(False)
                self.copy_branch()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this form

    @property
    def segmentation_only(self) -> bool:
        """A plain Mask R-CNN: nothing is said of whole slices."""
        return self.attention_layer is None

    def segmentation_losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Losses of a lesion step, in training mode: two of the proposals, three of the branch.

        Args:
            images: `[n, 3 or 1, S, S]`.
            targets: of each image.
        """
        maps = self._maps(images)
        proposals, losses = self.rpn(images, maps, targets)
        return {**losses, **self.segmentation.losses(maps, proposals, targets)}

    def classify(self, images: Tensor) -> SliceLogits:
        """What the slices show.

        In training mode gradients reach backbone, pyramid and attention layer: through the features of the regions, not
        through their boxes, and no weight of the proposals or of the copied (or tied) branch.

        Args:
            images: `[n, 3 or 1, S, S]`.

        Raises:
            ValueError: the net has no image classes.
        """
        maps = self._maps(images)
        branch = self.copied or self.segmentation
        with torch.no_grad():
            proposals, _ = self.rpn(images, maps)
            rois = [self._rois(found) for found in self._decoded(branch, maps, proposals)]
        return self._read(rois, self._mask_features(branch, maps, [r.boxes for r in rois]))

    def classification_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of an image step; see `losses.slice_class_loss`."""
        return slice_class_loss(logits, labels)

    @torch.no_grad()
    def analyse(self, images: Tensor, score_threshold: float, limit: int = 100) -> list[SliceAnswer]:
        """All that the net says of slices, in one pass. Needs eval mode; writes no buffer.

        Args:
            images: `[n, 3 or 1, S, S]`.
            score_threshold: an instance's score must be higher; a higher one saves mask time.
            limit: most instances of a slice.
        """
        maps = self._maps(images)
        proposals, _ = self.rpn(images, maps)
        decoded = self._decoded(self.segmentation, maps, proposals)
        found = [select(d, score_threshold, self.options.detection_nms, limit) for d in decoded]
        detections = self._detections(maps, found)
        if self.segmentation_only:
            return [SliceAnswer(d, images.new_zeros(0), _no_rois(images)) for d in detections]
        branch = self.segmentation
        if self.copied is not None:
            branch = self.copied
            decoded = self._decoded(branch, maps, proposals)
        rois = [self._rois(d) for d in decoded]
        said = self._read(rois, self._mask_features(branch, maps, [r.boxes for r in rois]))
        return [SliceAnswer(d, said.logits[i], said.rois[i]) for i, d in enumerate(detections)]

    def features(self, images: Tensor) -> Tensor:
        """The costly part, for what measures precision and speed: all maps of the pyramid, flat, float32."""
        return torch.cat([level.float().flatten() for level in self._maps(images).values()])

    def learns(self, step: str) -> dict[str, nn.Parameter]:
        """Parameters by name that a "lesion" or an "image" step learns; the others keep a gradient of None."""
        if step not in STEPS:
            raise ValueError(f"a step is one of {', '.join(STEPS)}, not {step!r}")
        parts = ("backbone.", "rpn.", "segmentation.") if step == LESION else ("backbone.", "attention_layer.")
        return {k: p for k, p in self.named_parameters() if k.startswith(parts) and p.requires_grad}

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Those of the trunk, which published weights are for: a recipe may give them a lower rate."""
        return list(self.backbone.body.parameters())

    def backbone_state(self) -> dict[str, Tensor]:
        """Weights of trunk and pyramid under the names of `resnet.resnet18_pyramid`: a start for others."""
        return {name: tensor.clone() for name, tensor in self.backbone.state_dict().items()}

    def copy_branch(self) -> None:
        """Give the copied branch the segmentation branch's weights; nothing to do where they are tied."""
        if self.copied is not None:
            self.copied.load_state_dict(self.segmentation.state_dict())

    def fold_batch_norm(self) -> None:
        """Work frozen BatchNorm into the convolutions before it, for use. The names of the weights change."""
        fold_frozen(self.backbone)

    def _maps(self, images: Tensor) -> Mapping[str, Tensor]:
        if tuple(images.shape[-2:]) != (self.size, self.size):
            raise ValueError(f"the net takes {self.size}x{self.size} pixels, not {tuple(images.shape[-2:])}")
        maps: Mapping[str, Tensor] = self.backbone(images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images)
        return maps

    def _decoded(
        self, branch: SegmentationBranch, maps: Mapping[str, Tensor], proposals: Sequence[Tensor]
    ) -> list[Boxes]:
        return decode(*branch.boxes(maps, proposals), proposals, self.size)

    def _rois(self, decoded: Boxes) -> Boxes:
        """At most beta regions of a slice, in order."""
        o = self.options
        chosen = select(decoded, o.theta, o.roi_nms, o.beta)
        return chosen.at(by_distance(chosen)) if o.order == "distance" else chosen

    def _mask_features(self, branch: SegmentationBranch, maps: Mapping[str, Tensor], boxes: Sequence[Tensor]) -> Tensor:
        """`[r, mask channels, 28, 28]` of the regions of all slices, by weights without gradient and without ReLU."""
        regions = detached(branch.mask_head, branch.regions(maps, boxes))
        return detached(branch.mask_predictor.conv5_mask, regions)

    def _read(self, rois: Sequence[Boxes], features: Tensor) -> SliceLogits:
        """Logits of slices by their regions' features; a slice without any gets `_without`."""
        if self.attention_layer is None:
            raise ValueError("this net tells no classes of slices")
        beta, count = self.options.beta, len(rois)
        reduced = self.attention_layer.reduced(features)
        kept = [i for i, r in enumerate(rois) if len(r)]
        starts = torch.tensor([0] + [len(r) for r in rois]).cumsum(0)
        positive, negative = self._without(count, features)
        out = None
        if not kept:
            positive = positive + 0.0 * reduced.sum()  # nothing to learn, but a backward pass finds its way
        else:
            index = torch.cat([starts[i] + fill(len(rois[i]), beta) for i in kept]).to(features.device)
            out = self.attention_layer(reduced[index])
            places = torch.tensor(kept, device=features.device)
            positive = positive.index_copy(0, places, out.positive)
            negative = negative.index_copy(0, places, out.negative)
        told = {i: k for k, i in enumerate(kept)}
        all_rois = tuple(_told(r, out, told.get(i), beta) for i, r in enumerate(rois))
        return SliceLogits(positive - negative, positive, negative, all_rois)

    def _without(self, count: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `[count, image classes]` of both classifiers for slices without regions: "no finding"."""
        sure = torch.zeros(count, self.image_classes, device=like.device)
        if self.options.negative >= 0:
            sure -= _SURE / 2
            sure[:, self.options.negative] = _SURE / 2
        return sure, -sure

    def _detections(self, maps: Mapping[str, Tensor], found: Sequence[Boxes]) -> list[Detections]:
        counts = [len(f) for f in found]
        masks = self.segmentation.masks(maps, [f.boxes for f in found])
        labels = torch.cat([f.labels for f in found])
        own = masks[torch.arange(len(labels), device=labels.device), labels].sigmoid()
        return [
            Detections(f.boxes, f.labels, f.scores, m) for f, m in zip(found, torch.split(own, counts), strict=True)
        ]


def _told(rois: Boxes, out: LayerOutput | None, row: int | None, beta: int) -> Rois:
    """Regions of a slice with the attention that `row` of the output gives them."""
    if out is None or row is None or out.attention_positive is None or out.attention_negative is None:
        return Rois(rois.boxes, rois.labels, rois.scores, None, None)
    index = fill(len(rois), beta)
    positive, negative = (
        summed(a[row].detach(), index, len(rois)) for a in (out.attention_positive, out.attention_negative)
    )
    return Rois(rois.boxes, rois.labels, rois.scores, positive, negative)


def _no_rois(like: Tensor) -> Rois:
    return Rois(
        like.new_zeros(0, 4), torch.zeros(0, dtype=torch.int64, device=like.device), like.new_zeros(0), None, None
    )
