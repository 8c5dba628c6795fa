"""From features of a region to one vector (paper, 3.7.1)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

CELLS = 28
"""Side of a region's features; two halvings leave what the last convolution covers."""


class Vectorise(nn.Module):
    """`[r, C, 28, 28]` to `[r, C]`: three convolutions, each with ReLU, then normalisation.

    Args:
        channels: C.
        norm: builds the normalisation of so many channels.
        last: that of the vector, a map of 1x1.
    """

    def __init__(self, channels: int, norm: Callable[[int], nn.Module], last: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 2, stride=2)
        self.norm1 = norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 2, stride=2)
        self.norm2 = norm(channels)
        self.conv3 = nn.Conv2d(channels, channels, CELLS // 4)
        self.norm3 = last(channels)

    def forward(self, features: Tensor) -> Tensor:
        """`[r, C, 28, 28]` to `[r, C]`."""
        half = self.norm1(self.conv1(features).relu())
        quarter = self.norm2(self.conv2(half).relu())
        vector: Tensor = self.norm3(self.conv3(quarter).relu())
        return vector.flatten(1)


class VectorNorm(nn.LayerNorm):
    """LayerNorm of `[r, C, 1, 1]` over C."""

    def forward(self, input: Tensor) -> Tensor:  # the name is torch's
        """Each vector by itself."""
        return super().forward(input.flatten(1))[:, :, None, None]
