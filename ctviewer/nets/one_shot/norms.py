"""BatchNorm as the reference uses it: by the statistics of one slice, whatever else is in the batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class BatchOfOneNorm(nn.BatchNorm2d):
    """BatchNorm of each image by its own statistics, in training and in use, as a batch of one has it.

    `[n, C, H, W]` to the same. Buffers are written in training only; in use nothing reads them.
    """

    def forward(self, input: Tensor) -> Tensor:  # the name is torch's
        """Normalise each image by itself; its statistics are the batch's of a batch of one."""
        if not self.training:
            return functional.instance_norm(input, None, None, self.weight, self.bias, True, 0.0, self.eps)
        return _own_statistics(self, input)


class RoiBatchNorm(nn.BatchNorm2d):
    """BatchNorm over the RoIs of each slice: `[n * rois, C, H, W]` to the same.

    Args:
        channels: C.
        rois: of a slice; RoIs of one slice follow each other.
        running: use running statistics in eval mode, instead of those of the slice's own RoIs.
    """

    def __init__(self, channels: int, rois: int, running: bool) -> None:
        super().__init__(channels)
        self.rois = rois
        self.running = running

    def forward(self, input: Tensor) -> Tensor:  # the name is torch's
        """Normalise the RoIs of each slice together."""
        if self.running and not self.training:
            return super().forward(input)
        by_slice = input.reshape(-1, self.rois, *input.shape[1:]).transpose(1, 2)  # [n, C, rois, H, W]
        if self.training:
            out = _own_statistics(self, by_slice)
        else:
            out = functional.instance_norm(by_slice, None, None, self.weight, self.bias, True, 0.0, self.eps)
        return out.transpose(1, 2).flatten(0, 1)


def _own_statistics(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Training: each of `[n, C, ...]` by its own statistics, whose mean over n moves the running ones."""
    assert norm.num_batches_tracked is not None and norm.momentum is not None
    with torch.no_grad():
        norm.num_batches_tracked.add_(1)
    return functional.instance_norm(
        x, norm.running_mean, norm.running_var, norm.weight, norm.bias, True, norm.momentum, norm.eps
    )
