"""The one-shot net: a slice in; lesions with class, box and mask out, and what the slice as a whole shows.

Ter-Sarkisov, "One Shot Model For COVID-19 Classification and Lesions Segmentation In Chest CT Scans Using LSTM With
Attention Mechanism", figure 1. Without image classes it is a plain Mask R-CNN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ctviewer.nets.one_shot import containing
from ctviewer.nets.one_shot.answers import Detections, SliceAnswer, SliceLogits, Target
from ctviewer.nets.one_shot.backbones import Backbone
from ctviewer.nets.one_shot.copying import detached
from ctviewer.nets.one_shot.folding import fold_frozen
from ctviewer.nets.one_shot.heads import SegmentationBranch
from ctviewer.nets.one_shot.layer import AttentionLayer
from ctviewer.nets.one_shot.losses import slice_class_loss
from ctviewer.nets.one_shot.options import Options
from ctviewer.nets.one_shot.proposals import Proposals
from ctviewer.nets.one_shot.reading import no_rois, read_slices
from ctviewer.nets.one_shot.rois import Boxes, by_distance, decode, select

STEPS = LESION, IMAGE = "lesion", "image"


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
        if self.attention_layer is None:
            raise ValueError("this net tells no classes of slices")
        maps = self._maps(images)
        branch = self.copied or self.segmentation
        with torch.no_grad():
            proposals, _ = self.rpn(images, maps)
            rois = [self._rois(found) for found in self._decoded(branch, maps, proposals)]
        features = self._mask_features(branch, maps, [r.boxes for r in rois])
        return read_slices(self.attention_layer, rois, features, self.options.negative)

    def classification_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of an image step; see `losses.slice_class_loss`."""
        return slice_class_loss(logits, labels)

    @torch.no_grad()
    def analyse(self, images: Tensor, score_threshold: float, limit: int = 100) -> list[SliceAnswer]:
        """All that the net says of slices, in one pass. Writes no buffer.

        Args:
            images: `[n, 3 or 1, S, S]`.
            score_threshold: an instance's score must be higher; a higher one saves mask time.
            limit: most instances of a slice.

        Raises:
            ValueError: the net is in training mode.
        """
        if self.training:
            raise ValueError("slices are analysed in eval mode")
        maps = self._maps(images)
        proposals, _ = self.rpn(images, maps)
        decoded = self._decoded(self.segmentation, maps, proposals)
        least = min(score_threshold, containing.LEAST_SCORE) if self.options.container else score_threshold
        found = [select(d, least, self.options.detection_nms, limit) for d in decoded]
        if self.attention_layer is None:
            features = self._mask_features(self.segmentation, maps, [f.boxes for f in found])
            nothing = images.new_zeros(0), no_rois(images.device)
            return [SliceAnswer(d, *nothing) for d in self._detections(found, features, score_threshold)]
        if self.copied is not None:
            decoded = self._decoded(self.copied, maps, proposals)
        rois = [self._rois(d) for d in decoded]
        own, other = self._both_features(maps, found, rois)
        said = read_slices(self.attention_layer, rois, other, self.options.negative)
        detections = self._detections(found, own, score_threshold)
        return [SliceAnswer(d, said.logits[i], said.rois[i]) for i, d in enumerate(detections)]

    def features(self, images: Tensor) -> Tensor:
        """The costly part, for what measures precision and speed: all maps of the pyramid, flat, float32."""
        return torch.cat([level.float().flatten() for level in self._maps(images).values()])

    def learns(self, step: str) -> dict[str, nn.Parameter]:
        """Parameters by name that a "lesion" or an "image" step learns; the others keep a gradient of None.

        Raises:
            ValueError: any other step.
        """
        if step not in STEPS:
            raise ValueError(f"a step is one of {', '.join(STEPS)}, not {step!r}")
        parts = ("backbone.", "rpn.", "segmentation.") if step == LESION else ("backbone.", "attention_layer.")
        return {k: p for k, p in self.named_parameters() if k.startswith(parts) and p.requires_grad}

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

    def _both_features(
        self, maps: Mapping[str, Tensor], found: Sequence[Boxes], rois: Sequence[Boxes]
    ) -> tuple[Tensor, Tensor]:
        """Mask features of instances and of regions; tied branches give both in one pass."""
        if self.copied is not None:
            branches = ((self.segmentation, found), (self.copied, rois))
            own, other = (self._mask_features(branch, maps, [b.boxes for b in boxes]) for branch, boxes in branches)
            return own, other
        joint = [torch.cat([f.boxes, r.boxes]) for f, r in zip(found, rois, strict=True)]
        counts = [len(boxes) for pair in zip(found, rois, strict=True) for boxes in pair]
        parts = torch.split(self._mask_features(self.segmentation, maps, joint), counts)
        return torch.cat(parts[0::2]), torch.cat(parts[1::2])

    def _detections(self, found: Sequence[Boxes], features: Tensor, score_threshold: float) -> list[Detections]:
        """Instances with the masks of their own classes; `features` as `_mask_features` gives them."""
        masks = self.segmentation.mask_logits(features)
        labels = torch.cat([f.labels for f in found])
        own = masks[torch.arange(len(labels), device=labels.device), labels].sigmoid()
        parts = torch.split(own, [len(f) for f in found])
        all_ = (Detections(f.boxes, f.labels, f.scores, m) for f, m in zip(found, parts, strict=True))
        return [containing.contained(d, self.options.container, self.options.size).above(score_threshold) for d in all_]
