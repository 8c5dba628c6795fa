"""Slice encoders by name: one slice in, one feature vector out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet

from ctviewer.nets.norms import group_norm


class SliceEncoder(nn.Module):
    """A convolutional trunk with global average pooling.

    Args:
        trunk: `[n, 3, S, S]` to `[n, out_features]`.
        out_features: length D of a feature vector.
    """

    def __init__(self, trunk: nn.Module, out_features: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.out_features = out_features

    def forward(self, images: Tensor) -> Tensor:
        """Encode slices.

        Args:
            images: `[n, 3, S, S]`, or `[n, 1, S, S]` which stands for three equal channels.

        Returns:
            `[n, D]`.
        """
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        out: Tensor = self.trunk(images)
        return out


class _NarrowResNet(ResNet):  # type: ignore[misc]  # torchvision is untyped for mypy
    """torchvision's ResNet with `width` instead of 64 channels in its first stage; the names of its weights stay."""

    def __init__(self, layers: list[int], width: int, norm_layer: Callable[[int], nn.Module]) -> None:
        self._width = width
        super().__init__(BasicBlock, layers, norm_layer=norm_layer)
        self.fc = nn.Identity()

    def _make_layer(
        self, block: type[Any], planes: int, blocks: int, stride: int = 1, dilate: bool = False
    ) -> nn.Sequential:
        if planes == 64 and self._width != 64:
            self._narrow_stem()
        stage: nn.Sequential = super()._make_layer(block, planes * self._width // 64, blocks, stride, dilate)
        return stage

    def _narrow_stem(self) -> None:
        """Replace the stem that ResNet.__init__ has just built, before the first stage is built on its width."""
        self.inplanes = self._width
        self.conv1 = nn.Conv2d(3, self._width, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(self._width)


def resnet18_trunk(width: int = 64) -> ResNet:
    """ResNet18 with GroupNorm, from scratch.

    Args:
        width: channels of the first stage; the last has eight times as many.

    Raises:
        ValueError: a width that is not a positive multiple of 8.
    """
    if width < 8 or width % 8:
        raise ValueError(f"a ResNet's width must be a positive multiple of 8, not {width}")
    return _NarrowResNet([2, 2, 2, 2], width, group_norm)


def _resnet18(width: int = 64) -> SliceEncoder:
    return SliceEncoder(resnet18_trunk(width), 8 * width)


ENCODERS: dict[str, Callable[..., SliceEncoder]] = {"resnet18": _resnet18}


def build_encoder(name: str, **options: Any) -> SliceEncoder:
    """Build a slice encoder with random weights.

    Args:
        name: one of `ENCODERS`.
        **options: constructor arguments of that encoder.

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
