"""Slice encoders by name: one slice in, one feature vector out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ctviewer.nets.resnet import LEVELS, resnet18_pyramid, resnet18_trunk


class SliceEncoder(nn.Module):
    """A convolutional trunk with global pooling.

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


class _PooledPyramid(nn.Module):
    """The maximum of every channel of every pyramid level: a lesion of a few pixels is not diluted by its slice."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.pyramid = resnet18_pyramid(width, channels)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.pyramid(images)
        return torch.cat([maps[level].amax(dim=(2, 3)) for level in LEVELS], dim=1)


def _resnet18(width: int = 64) -> SliceEncoder:
    return SliceEncoder(resnet18_trunk(width), 8 * width)


def _resnet18_pyramid(width: int = 64, channels: int = 64) -> SliceEncoder:
    return SliceEncoder(_PooledPyramid(width, channels), channels * len(LEVELS))


ENCODERS: dict[str, Callable[..., SliceEncoder]] = {"resnet18": _resnet18, "resnet18_pyramid": _resnet18_pyramid}


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
