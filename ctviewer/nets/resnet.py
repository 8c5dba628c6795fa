"""ResNets at any width, and the feature pyramid of ResNet18: trunks of slice encoders and of the detector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from ctviewer.nets.norms import group_norm, norm_layer

LEVELS = ("0", "1", "2", "3")
"""Names of the pyramid's maps, strides 4, 8, 16 and 32; "pool" follows with 64."""

_DEPTHS: dict[int, tuple[type[nn.Module], list[int]]] = {18: (BasicBlock, [2, 2, 2, 2]), 50: (Bottleneck, [3, 4, 6, 3])}


class _NarrowResNet(ResNet):  # type: ignore[misc]  # torchvision is untyped for mypy
    """torchvision's ResNet with `width` instead of 64 channels in its first stage; the names of its weights stay."""

    def __init__(
        self, block: type[nn.Module], layers: list[int], width: int, norm_layer: Callable[[int], nn.Module]
    ) -> None:
        self._width = width
        super().__init__(block, layers, norm_layer=norm_layer)
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


def resnet_trunk(depth: int, width: int = 64, norm: str = "group") -> ResNet:
    """A ResNet without its last layer: `[n, 3, S, S]` to `[n, 8 * width]` (18) or `[n, 32 * width]` (50).

    Args:
        depth: 18 or 50.
        width: channels of the first stage, 64 in torchvision.
        norm: one of `norms.NORMS`.

    Raises:
        ValueError: a width that is not a multiple of 8 from 16 on, or an unknown norm.
    """
    # Below 16, oneDNN's backward of a strided 1x1 convolution in channels_last writes past its buffer on AVX-512 (uxlfoundation/oneDNN #6035)
    if width < 16 or width % 8:
        raise ValueError(f"a ResNet's width must be a multiple of 8 from 16 on, not {width}")
    return _NarrowResNet(*_DEPTHS[depth], width, norm_layer(norm))


def resnet18_pyramid(width: int, channels: int) -> BackboneWithFPN:
    """ResNet18 and its feature pyramid with GroupNorm.

    Args:
        width: as in `resnet_trunk`.
        channels: of every map.

    Returns:
        A module from `[n, 3, S, S]` to a dict of maps `[n, channels, S / stride, S / stride]`: `LEVELS`, then "pool".
    """
    stages = {f"layer{i + 1}": name for i, name in enumerate(LEVELS)}
    sizes = [width * 2**i for i in range(len(LEVELS))]
    return BackboneWithFPN(resnet_trunk(18, width), stages, sizes, channels, norm_layer=group_norm)
