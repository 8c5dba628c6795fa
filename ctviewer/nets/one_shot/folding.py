"""Frozen BatchNorm worked into the convolution before it: the same numbers up to rounding, with less to do."""

from __future__ import annotations

import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

_CONVOLUTIONS = {"bn1": "conv1", "bn2": "conv2", "bn3": "conv3", "1": "0"}  # by the norm's name, within their module


@torch.no_grad()
def fold_frozen(net: nn.Module) -> None:
    """Fold every frozen BatchNorm of torchvision's residual blocks, in place."""
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, FrozenBatchNorm2d):
                setattr(module, _CONVOLUTIONS[name], _folded(getattr(module, _CONVOLUTIONS[name]), child))
                setattr(module, name, nn.Identity())


def _folded(conv: nn.Conv2d, norm: FrozenBatchNorm2d) -> nn.Conv2d:
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    shift = norm.bias - norm.running_mean * scale
    conv.weight.mul_(scale[:, None, None, None])
    conv.bias = nn.Parameter(shift if conv.bias is None else shift + conv.bias * scale)
    conv.bias.requires_grad_(conv.weight.requires_grad)
    return conv
