"""BatchNorm as the reference uses it: by the statistics of one slice, whatever else is in the batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class SliceBatchNorm(nn.BatchNorm2d):
    """BatchNorm of each slice by its own statistics, in training and in use, as the reference's batch of one has it.

    `[n * rows, C, H, W]` to the same. Buffers are written in training only, once for each slice.

    Args:
        channels: C.
        rows: maps of a slice, which follow each other: 1 in a backbone, its RoIs in the attention layer.
        running: in eval mode use running statistics instead.
    """

    def __init__(self, channels: int, rows: int = 1, running: bool = False) -> None:
        super().__init__(channels)
        self.rows = rows
        self.running = running

    def forward(self, input: Tensor) -> Tensor:  # the name is torch's
        """Normalise the maps of each slice together."""
        if self.running and not self.training:
            return super().forward(input)
        # slice by slice: as instances of one call, maps of 1x1 get wrong gradients on a CPU (torch 2.11, either layout)
        return torch.cat([self._slice(part) for part in torch.split(input, self.rows)])

    def _slice(self, maps: Tensor) -> Tensor:
        if self.training:
            return super().forward(maps)
        return functional.batch_norm(maps, None, None, self.weight, self.bias, True, 0.0, self.eps)
