"""Weights of one branch in another's place, without a gradient of theirs."""

from __future__ import annotations

from torch import Tensor, nn
from torch.func import functional_call


def detached(module: nn.Module, features: Tensor) -> Tensor:
    """What the module makes of features: gradients pass through it to them, and none reaches its weights."""
    weights = {name: p.detach() for name, p in module.named_parameters()}
    out: Tensor = functional_call(module, weights, (features,))
    return out
