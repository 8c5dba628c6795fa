"""Slice encoders by name: one slice in, one feature vector out, the input of the published net's last layer.

Ye, "COVID-19 classification of chest CT scans using Bidirectional LSTM and Attention", section 4.1; what stays trainable
from a pre-trained start is its section 4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import (
    ConvNeXt_Tiny_Weights,
    GoogLeNet_Weights,
    MobileNet_V3_Large_Weights,
    ResNet18_Weights,
    ResNet50_Weights,
    convnext_tiny,
    mobilenet_v3_large,
)

from ctviewer.nets.googlenet import googlenet_trunk
from ctviewer.nets.norms import norm_layer
from ctviewer.nets.resnet import LEVELS, resnet18_pyramid, resnet_trunk

TRAINABLE = ("last_two", "all", "none")


@dataclass(frozen=True)
class Published:
    """torchvision's ImageNet weights of an encoder.

    Attributes:
        file: their name in torchvision's cache; the eight hexadecimal digits in it begin the file's SHA-256.
        dropped: beginnings of the names in it that the encoder does without: the last layer, auxiliary heads.
        joined: pattern of old names whose two groups make the name of today; "" where all names are today's.
    """

    file: str
    dropped: tuple[str, ...]
    joined: str = ""


@dataclass(frozen=True)
class Traits:
    """What an encoder says of itself.

    Attributes:
        out_features: length D of a feature vector.
        last_two: the trunk's last two modules, and what follows them on the way to the features.
        published: its ImageNet weights; None where there are none for it.
        mean, std: statistics of its input, windowed to 0..1: one value, or three for three channels.
    """

    out_features: int
    last_two: tuple[str, ...]
    published: Published | None = None
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.3,)


class SliceEncoder(nn.Module):
    """A convolutional trunk with global pooling. BatchNorm stays in eval mode everywhere, under `.train()` too.

    Args:
        trunk: `[n, 3, S, S]` to `[n, out_features]`; its weights have torchvision's names.
        traits: see there.

    Attributes:
        traits: as given.
        trainable: one of `TRAINABLE`; `freeze` sets it.
    """

    def __init__(self, trunk: nn.Module, traits: Traits) -> None:
        super().__init__()
        self.trunk = trunk
        self.traits = traits
        self.trainable = "all"

    @property
    def out_features(self) -> int:
        """Length D of a feature vector."""
        return self.traits.out_features

    def forward(self, images: Tensor) -> Tensor:
        """Encode slices.

        Args:
            images: `[n, 3, S, S]`, or `[n, 1, S, S]` which stands for three equal channels.

        Returns:
            `[n, D]`; each row depends on its own slice only.
        """
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        out: Tensor = self.trunk(images)
        return out

    def train(self, mode: bool = True) -> SliceEncoder:
        """Training mode for what is not frozen, BatchNorm excepted; eval mode for the rest, its dropout included."""
        super().train(mode and self.trainable == "all")
        self.training = mode
        if mode and self.trainable == "last_two":
            for part in self._last_two():
                part.train()
        for module in self.trunk.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def _last_two(self) -> Iterator[nn.Module]:
        return (self.trunk.get_submodule(name) for name in self.traits.last_two)


def freeze(encoder: SliceEncoder, *, trainable: str) -> None:
    """Freeze an encoder but for what is trainable: the rest needs no gradient and keeps eval mode.

    The paper trains the last two modules from a pre-trained start, and nothing of the encoder under max pooling; from
    scratch all of it must learn.

    Args:
        encoder: changed in place.
        trainable: "last_two" (modules, and what follows them), "all" or "none".

    Raises:
        ValueError: another word.
    """
    if trainable not in TRAINABLE:
        raise ValueError(f"what is trainable must be one of {', '.join(TRAINABLE)}, not {trainable!r}")
    encoder.trainable = trainable
    encoder.requires_grad_(trainable == "all")
    if trainable == "last_two":
        for part in encoder._last_two():
            part.requires_grad_(True)
    encoder.train(encoder.training)


class _PooledPyramid(nn.Module):
    """The maximum of every channel of every pyramid level: a lesion of a few pixels is not diluted by its slice."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.pyramid = resnet18_pyramid(width, channels)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.pyramid(images)
        return torch.cat([maps[level].amax(dim=(2, 3)) for level in LEVELS], dim=1)


def _traits(norm: str, out_features: int, last_two: tuple[str, ...], weights: Any, *dropped: str) -> Traits:
    """Of a net that torchvision has; published weights, and ImageNet's statistics, belong to BatchNorm."""
    if norm == "group":
        return Traits(out_features, last_two)
    published = Published(weights.IMAGENET1K_V1.url.rsplit("/", 1)[1], dropped)
    return Traits(out_features, last_two, published, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def _resnet18(width: int = 64, norm: str = "group") -> SliceEncoder:
    traits = _traits(norm, 8 * width, ("layer3", "layer4"), ResNet18_Weights, "fc.")
    return SliceEncoder(resnet_trunk(18, width, norm), traits)


def _resnet50(width: int = 64, norm: str = "group") -> SliceEncoder:
    traits = _traits(norm, 32 * width, ("layer3", "layer4"), ResNet50_Weights, "fc.")
    return SliceEncoder(resnet_trunk(50, width, norm), traits)


def _googlenet(norm: str = "group") -> SliceEncoder:
    last_two = ("inception5a", "inception5b", "dropout")
    return SliceEncoder(
        googlenet_trunk(norm), _traits(norm, 1024, last_two, GoogLeNet_Weights, "fc.", "aux1.", "aux2.")
    )


def _mobilenet_v3(norm: str = "group") -> SliceEncoder:
    """The large one, with the hidden layer of its classifier."""
    net = mobilenet_v3_large(weights=None, norm_layer=norm_layer(norm, eps=0.001, momentum=0.01))
    net.classifier[3] = nn.Identity()
    last_two = ("features.15", "features.16", "classifier")
    return SliceEncoder(net, _traits(norm, 1280, last_two, MobileNet_V3_Large_Weights, "classifier.3."))


def _convnext_tiny(norm: str = "group") -> SliceEncoder:
    """It normalises every place of a map by itself (LayerNorm), whatever the norm: that serves both starts."""
    norm_layer(norm)  # refuses an unknown one
    net = convnext_tiny(weights=None)
    net.classifier[2] = nn.Identity()
    last_two = ("features.6", "features.7", "classifier")
    return SliceEncoder(net, _traits(norm, 768, last_two, ConvNeXt_Tiny_Weights, "classifier.2."))


def _resnet18_pyramid(width: int = 64, channels: int = 64, norm: str = "group") -> SliceEncoder:
    if norm != "group":
        raise ValueError(f"resnet18_pyramid exists with norm group only, not {norm!r}: nobody publishes weights for it")
    last_two = ("pyramid.body.layer3", "pyramid.body.layer4", "pyramid.fpn")
    return SliceEncoder(_PooledPyramid(width, channels), Traits(channels * len(LEVELS), last_two))


ENCODERS: dict[str, Callable[..., SliceEncoder]] = {
    "convnext_tiny": _convnext_tiny,
    "googlenet": _googlenet,
    "mobilenet_v3": _mobilenet_v3,
    "resnet18": _resnet18,
    "resnet18_pyramid": _resnet18_pyramid,
    "resnet50": _resnet50,
}


def build_encoder(name: str, **options: Any) -> SliceEncoder:
    """Build a slice encoder with random weights; `weights.load_imagenet` gives it published ones.

    Args:
        name: one of `ENCODERS`.
        **options: constructor arguments of that encoder. All take `norm`: "group" (default: from scratch) or "batch"
            (the published net). The ResNets take a `width`, the pyramid `channels`.

    Raises:
        ValueError: an unknown name, or options the encoder does not take.
    """
    if name not in ENCODERS:
        raise ValueError(f"unknown slice encoder {name!r}; known: {', '.join(sorted(ENCODERS))}")
    try:
        encoder = ENCODERS[name](**options)
    except TypeError as error:
        raise ValueError(f"slice encoder {name!r} does not take {options}") from error
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this form
    return encoder
