"""Published weights for the backbone of a one-shot net."""

from __future__ import annotations

from pathlib import Path

from torchvision.models import (
    ResNet18_Weights,
    ResNet50_Weights,
    ResNeXt50_32X4D_Weights,
    ResNeXt101_32X8D_Weights,
)

from ctviewer.core.errors import InputError
from ctviewer.nets.encoders import Published
from ctviewer.nets.one_shot.net import OneShot
from ctviewer.nets.weights import LoadedWeights, load_published

_WEIGHTS = {
    "resnet18": ResNet18_Weights,
    "resnet50": ResNet50_Weights,
    "resnext50": ResNeXt50_32X4D_Weights,
    "resnext101": ResNeXt101_32X8D_Weights,
}


def load_backbone(net: OneShot, file: Path | None = None) -> LoadedWeights:
    """Give the trunk torchvision's ImageNet weights; the pyramid stays as it is. Where it fails, all is as it was.

    Args:
        net: of norm "batch" or "batch_of_one" and torchvision's width.
        file: the weights under torchvision's names, `.safetensors` or `.pth` (read with `weights_only`); None for the
            file of this backbone in torchvision's cache.

    Raises:
        InputError: there is no such file, or its weights are not this backbone's. The text is one sentence that names
            the file and, where it is absent, the choices.
    """
    if net.options.norm == "group":
        raise InputError(
            "There are no ImageNet weights for a backbone of norm group: choose norm batch, or train from scratch."
        )
    url = str(_WEIGHTS[net.options.backbone].IMAGENET1K_V1.url)
    return load_published(net.backbone.body, Published(url.rsplit("/", 1)[1], ("fc.",)), file)
