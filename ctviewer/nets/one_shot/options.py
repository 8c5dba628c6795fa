"""What a one-shot net can be told: every decision of its specification by name, and whole sets of them.

Ter-Sarkisov, "One Shot Model For COVID-19 Classification and Lesions Segmentation In Chest CT Scans Using LSTM With
Attention Mechanism", sections 3.3 to 3.8; where the paper and its reference code differ, each way has a name here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

BACKBONES = ("resnet18", "resnet50", "resnext50", "resnext101")
LEVELS = ("pyramid", "single")
NORMS = ("group", "batch", "batch_of_one")
BRANCHES = ("tied", "copied")
ORDERS = ("distance", "score")
SIEVE_ORDERS = ("reference", "paper")
SIEVE_WEIGHTS = ("distinct", "shared")
REDUCES = ("trained", "frozen")
HEAD_NORMS = ("product", "reference", "running")

PYRAMID_ANCHORS, PYRAMID_RATIOS = (16, 32, 64, 128, 256), (0.5, 1.0, 2.0)
SINGLE_ANCHORS, SINGLE_RATIOS = (2, 4, 8, 16, 32, 64, 128, 256), (0.1, 0.25, 0.5, 1.0, 1.5, 2.0)
REFERENCE_ANCHORS = (2, 4, 8, 16, 32)

_WORDS = {
    "backbone": BACKBONES, "levels": LEVELS, "norm": NORMS, "branches": BRANCHES, "order": ORDERS,
    "sieve_order": SIEVE_ORDERS, "sieve_weights": SIEVE_WEIGHTS, "reduce": REDUCES, "norms": HEAD_NORMS,
}  # fmt: skip
_STRIDES = {"pyramid": 64, "single": 32}


@dataclass(frozen=True)
class Options:
    """Constructor arguments of `OneShot` besides its numbers of classes.

    Attributes:
        size: side of the square input in pixels; a multiple of 64 for a pyramid, of 32 for a single level.
        backbone: one of `BACKBONES`.
        levels: "pyramid": maps of strides 4 to 32, and for proposals one of 64; "single": one map of stride 32.
        norm: of the backbone. "group": GroupNorm, for random weights; "batch": BatchNorm frozen as published;
            "batch_of_one": BatchNorm by the statistics of the image itself, in training and in use (the reference).
        width: channels of the backbone's first stage, 64 in torchvision.
        channels: C, of the feature maps.
        anchors, ratios: sides of anchors in pixels (one for each level of a pyramid), height by width; empty: as specified.
        pre_nms, post_nms: proposals kept before (of each level) and after suppression: in training, in use.
        proposal_nms: IoU above which the less probable proposal goes.
        proposal_positive: greatest share of objects among the 256 anchors of an image that are learned from.
        roi_foreground, roi_background: a proposal from this IoU on is an object, below that it is background; between: ignored.
        roi_batch, roi_positive: proposals of an image that are learned from, and the greatest share of objects in them.
        box_hidden: width of both layers of the box head.
        mask_hidden: channels of the mask head; 0: as many as `channels`.
        detection_nms: IoU above which the less probable instance of a class goes, in detections.
        branches: "tied": the classification branch uses the segmentation branch's weights, detached; "copied": it has a
            copy, which `copy_branch` renews.
        beta, theta: of the classification branch: regions of interest (RoIs) of a slice, by score, whose score is above.
        roi_nms: IoU above which the less probable RoI of a class goes, in the classification branch.
        order: of the RoIs: ascending "distance" of their top left corner from the image's, or falling "score".
        reduce: the 3x3 convolution after the transposed one is "trained", or stays "frozen" at random (the reference).
        sieve: N of the mask sieve.
        sieve_order: "reference": conv, norm, ReLU, transposed conv; "paper": conv, norm, transposed conv, ReLU.
        sieve_weights: "distinct": N stages; "shared": one stage, passed N * N times (the reference).
        norms: of the attention layer. "product": GroupNorm and LayerNorm; "reference": BatchNorm by the statistics of the
            slice's own RoIs, in training and in use; "running": BatchNorm as usual, by running statistics in use.
        attention: False leaves it out: the LSTM's last state alone goes on.
        hidden: of both LSTMs.
        class_hidden: width of both hidden layers of the two classifiers.
        negative: index of the image class that means "no finding": the answer for a slice without any RoI. -1: no such
            class; then all its logits are 0.
        container: index of the class that instances of the others must lie in, lesions in the lungs; 0: none need to.
    """

    size: int = 512
    backbone: str = "resnet50"
    levels: str = "pyramid"
    norm: str = "group"
    width: int = 64
    channels: int = 256
    anchors: Sequence[int] = ()
    ratios: Sequence[float] = ()
    pre_nms: Sequence[int] = (400, 400)
    post_nms: Sequence[int] = (200, 200)
    proposal_nms: float = 0.75
    proposal_positive: float = 0.75
    roi_foreground: float = 0.75
    roi_background: float = 0.5
    roi_batch: int = 256
    roi_positive: float = 0.5
    box_hidden: int = 128
    mask_hidden: int = 256
    detection_nms: float = 0.4
    branches: str = "tied"
    beta: int = 16
    theta: float = -0.01
    roi_nms: float = 0.25
    order: str = "distance"
    reduce: str = "trained"
    sieve: int = 1
    sieve_order: str = "reference"
    sieve_weights: str = "distinct"
    norms: str = "product"
    attention: bool = True
    hidden: int = 256
    class_hidden: int = 128
    negative: int = -1
    container: int = 0

    def __post_init__(self) -> None:
        """Fill in anchors and ratios by the levels.

        Raises:
            ValueError: an unknown word, or sizes that do not fit together.
        """
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{name} must be one of {', '.join(words)}, not {getattr(self, name)!r}")
        pyramid = self.levels == "pyramid"
        defaults = {
            "anchors": PYRAMID_ANCHORS if pyramid else SINGLE_ANCHORS,
            "ratios": PYRAMID_RATIOS if pyramid else SINGLE_RATIOS,
            "mask_hidden": self.channels,
        }
        for name, value in defaults.items():
            object.__setattr__(self, name, getattr(self, name) or value)
        if self.size < 64 or self.size % _STRIDES[self.levels]:
            step = _STRIDES[self.levels]
            raise ValueError(f"size must be a multiple of {step} from 64 on for levels {self.levels}, not {self.size}")
        if pyramid and len(self.anchors) != len(PYRAMID_ANCHORS):
            raise ValueError(f"a pyramid needs {len(PYRAMID_ANCHORS)} anchor sides, one for each level")
        if self.norms != "product" and self.beta < 2:
            raise ValueError(f"norms {self.norms} needs two regions or more: one vector has no statistics")
        for name in ("channels", "beta", "hidden", "sieve", "box_hidden", "class_hidden", "roi_batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")


def reference_options() -> dict[str, Any]:
    """All that the paper's reference code does where it differs from the product's defaults."""
    return {
        "backbone": "resnext101", "levels": "single", "norm": "batch_of_one", "anchors": list(REFERENCE_ANCHORS),
        "detection_nms": 0.25, "branches": "copied", "order": "distance", "reduce": "frozen", "sieve_order": "reference",
        "sieve_weights": "shared", "norms": "reference",
    }  # fmt: skip


def light_options(size: int = 256, width: int = 32, channels: int = 64) -> dict[str, Any]:
    """A quick segmentation net for a CPU: ResNet18, thin heads, few proposals. The starter's lesion detector is one."""
    return {
        "size": size, "backbone": "resnet18", "width": width, "channels": channels, "mask_hidden": channels,
        "pre_nms": [400, 300], "post_nms": [200, 100], "proposal_nms": 0.7, "proposal_positive": 0.5,
        "roi_foreground": 0.5, "roi_batch": 64, "roi_positive": 0.25,
    }  # fmt: skip


OPTION_NAMES = tuple(f.name for f in fields(Options))
"""Names of all options, for what checks settings."""
