"""ResNets and ResNeXts at any width, and the feature pyramid of ResNet18: trunks of slice encoders and of one-shot nets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from ctviewer.nets.norms import group_norm, norm_layer

LEVELS = ("0", "1", "2", "3")
"""Names of the pyramid's maps, strides 4, 8, 16 and 32; "pool" follows with 64."""

_TRUNKS: dict[str, tuple[type[nn.Module], list[int], int, int]] = {  # block, blocks of each stage, groups, width of one
    "resnet18": (BasicBlock, [2, 2, 2, 2], 1, 64),
    "resnet34": (BasicBlock, [3, 4, 6, 3], 1, 64),
    "resnet50": (Bottleneck, [3, 4, 6, 3], 1, 64),
    "resnext50": (Bottleneck, [3, 4, 6, 3], 32, 4),
    "resnext101": (Bottleneck, [3, 4, 23, 3], 32, 8),
}


class _NarrowResNet(ResNet):  # type: ignore[misc]  # torchvision is untyped for mypy
    """torchvision's ResNet with `width` instead of 64 channels in its first stage; the names of its weights stay."""

    def __init__(self, name: str, width: int, norm: Callable[[int], nn.Module]) -> None:
        self._width = width
        block, layers, groups, group_width = _TRUNKS[name]
        super().__init__(block, layers, groups=groups, width_per_group=group_width, norm_layer=norm)
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


def residual_trunk(name: str, width: int, norm: Callable[[int], nn.Module]) -> ResNet:
    """A ResNet or ResNeXt without its last layer: `[n, 3, S, S]` to `[n, 8 * width]`, with bottlenecks `[n, 32 * width]`.

    Args:
        name: "resnet18", "resnet34", "resnet50", "resnext50" (32x4d) or "resnext101" (32x8d).
        width: channels of the first stage, 64 in torchvision; a ResNeXt's in steps of 16.
        norm: builds the normalisation of so many channels.

    Raises:
        ValueError: a width that is not a multiple of 8 (16) from 16 on.
    """
    # Below 16, oneDNN's backward of a strided 1x1 convolution in channels_last writes past its buffer on AVX-512 (uxlfoundation/oneDNN #6035)
    step = 16 if name.startswith("resnext") else 8
    if width < 16 or width % step:
        raise ValueError(f"a ResNet's width must be a multiple of {step} from 16 on, not {width}")
    return _NarrowResNet(name, width, norm)


def resnet_trunk(depth: int, width: int = 64, norm: str = "group") -> ResNet:
    """`residual_trunk` of a ResNet by its depth, with one of `norms.NORMS`.

    Raises:
        ValueError: a width that does not fit, or an unknown norm.
    """
    return residual_trunk(f"resnet{depth}", width, norm_layer(norm))


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
