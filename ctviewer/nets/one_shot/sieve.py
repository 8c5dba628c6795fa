"""The mask sieve: what of a region's features the classes depend on (paper, 3.7.1)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class SieveStage(nn.Module):
    """Half the size and channels, and back: `[r, C, 28, 28]` to the same.

    Args:
        channels: C, even.
        norm: builds the normalisation of so many channels.
        order: "reference": conv, norm, ReLU, transposed conv; "paper": conv, norm, transposed conv, ReLU.
    """

    def __init__(self, channels: int, norm: Callable[[int], nn.Module], order: str) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, channels // 2, 2, stride=2)
        self.norm = norm(channels // 2)
        self.up = nn.ConvTranspose2d(channels // 2, channels, 2, stride=2)
        self.order = order

    def forward(self, features: Tensor) -> Tensor:
        """`[r, C, 28, 28]` to the same."""
        small = self.norm(self.down(features))
        out: Tensor = self.up(small.relu()) if self.order == "reference" else self.up(small).relu()
        return out


class MaskSieve(nn.Module):
    """N stages one after the other.

    Args:
        channels, norm, order: as in `SieveStage`.
        stages: N.
        shared: one stage with N * N passes, as the reference has it.
    """

    def __init__(self, channels: int, norm: Callable[[int], nn.Module], order: str, stages: int, shared: bool) -> None:
        super().__init__()
        self.stages = nn.ModuleList(SieveStage(channels, norm, order) for _ in range(1 if shared else stages))
        self.passes = stages**2 if shared else 1

    def forward(self, features: Tensor) -> Tensor:
        """`[r, C, 28, 28]` to the same."""
        for stage in self.stages:
            for _ in range(self.passes):
                features = stage(features)
        return features
