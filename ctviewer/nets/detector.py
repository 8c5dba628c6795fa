"""A light Mask R-CNN at a fixed input size, on torchvision's parts, with GroupNorm and no resizing or pasting of its own.

torchvision's full heads cost 0.9 s per image to train on two cores; these cost a tenth of it at 256 pixels.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import MultiScaleRoIAlign

from ctviewer.nets.resnet import LEVELS, resnet18_pyramid

Target = dict[str, Tensor]

_STRIDES = (4, 8, 16, 32, 64)
_BOX_CELLS, _MASK_CELLS = 7, 14


@dataclass(frozen=True)
class Detections:
    """What the detector found on one slice, in the pixel coordinates of its square input.

    Attributes:
        boxes: `[n, 4]` x1, y1, x2, y2.
        labels: `[n]` int64, index into the bundle's classes; never 0, the background.
        scores: `[n]`, falling.
        masks: `[n, 28, 28]` probabilities inside the box.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor
    masks: Tensor


class _AsGiven(nn.Module):
    """In the place of torchvision's transform: inputs already have their size and statistics, masks stay 28x28."""

    def forward(self, images: Tensor, targets: list[Target] | None) -> tuple[ImageList, list[Target] | None]:
        size = (images.shape[-2], images.shape[-1])
        return ImageList(images, [size] * images.shape[0]), targets

    def postprocess(self, detections: list[Target], *_sizes: object) -> list[Target]:
        """Nothing to undo."""
        return detections


class _MaskHead(nn.Sequential):
    """One 3x3 convolution where torchvision has four."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__(nn.Conv2d(channels, hidden, 3, padding=1), nn.ReLU(inplace=True))


class LesionDetector(nn.Module):
    """Instances with boxes and masks on single slices.

    Args:
        classes: number of classes, background included.
        size: side of the square input in pixels, a multiple of 64.
        width: channels of the ResNet18's first stage.
        channels: channels of the feature maps.
        box_hidden: width of the box head.
        anchors: anchor sides in pixels, one for each stride from 4 to 64.

    Raises:
        ValueError: sizes that do not fit together.
    """

    def __init__(
        self,
        classes: int,
        *,
        size: int = 256,
        width: int = 64,
        channels: int = 128,
        box_hidden: int = 128,
        anchors: Sequence[int] = (16, 32, 64, 128, 256),
    ) -> None:
        super().__init__()
        if size % _STRIDES[-1] or len(anchors) != len(_STRIDES):
            raise ValueError(f"the detector needs a size in steps of {_STRIDES[-1]} and {len(_STRIDES)} anchor sides")
        self.size = size
        ratios = ((0.5, 1.0, 2.0),) * len(anchors)
        self.parts = MaskRCNN(
            resnet18_pyramid(width, channels),
            rpn_anchor_generator=AnchorGenerator(tuple((a,) for a in anchors), ratios),
            rpn_head=RPNHead(channels, 3),
            rpn_pre_nms_top_n_train=400,
            rpn_post_nms_top_n_train=200,
            rpn_pre_nms_top_n_test=300,
            rpn_post_nms_top_n_test=100,
            box_roi_pool=MultiScaleRoIAlign(list(LEVELS), _BOX_CELLS, 2),
            box_head=TwoMLPHead(channels * _BOX_CELLS**2, box_hidden),
            box_predictor=FastRCNNPredictor(box_hidden, classes),
            box_batch_size_per_image=64,
            box_nms_thresh=0.4,
            mask_roi_pool=MultiScaleRoIAlign(list(LEVELS), _MASK_CELLS, 2),
            mask_head=_MaskHead(channels, channels),
            mask_predictor=MaskRCNNPredictor(channels, channels, classes),
        )
        self.parts.transform = _AsGiven()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this form

    def pyramid_state(self) -> dict[str, Tensor]:
        """Weights of `resnet18_pyramid`: a start for a slice encoder."""
        state: dict[str, Tensor] = self.parts.backbone.state_dict()
        return {name: tensor.clone() for name, tensor in state.items()}

    def losses(self, images: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        """Training losses of torchvision's Mask R-CNN: two of the RPN, three of the heads. Needs training mode.

        Args:
            images: `[n, 3 or 1, S, S]`.
            targets: per image `boxes` `[k, 4]` float32, `labels` `[k]` int64, `masks` `[k, S, S]` uint8; k may be 0.
        """
        out: dict[str, Tensor] = self.parts(self._three(images), targets)
        return out

    def detect(self, images: Tensor, score_threshold: float, limit: int = 100) -> list[Detections]:
        """Find instances. Needs eval mode.

        Args:
            images: `[n, 3 or 1, S, S]`.
            score_threshold: lowest score kept; a higher one saves mask time.
            limit: most instances per slice.
        """
        self.parts.roi_heads.score_thresh = score_threshold
        self.parts.roi_heads.detections_per_img = limit
        found: list[OrderedDict[str, Tensor]] = self.parts(self._three(images))
        return [
            Detections(d["boxes"].float(), d["labels"], d["scores"].float(), d["masks"][:, 0].float()) for d in found
        ]

    def _three(self, images: Tensor) -> Tensor:
        if tuple(images.shape[-2:]) != (self.size, self.size):
            raise ValueError(f"the detector takes {self.size}x{self.size} pixels, not {tuple(images.shape[-2:])}")
        return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
