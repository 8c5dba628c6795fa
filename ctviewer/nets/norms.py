"""Normalisation of slice encoders: published weights come with BatchNorm, what starts from scratch uses GroupNorm."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

NORMS = ("batch", "group")

_GROUPS = 32
_SMALLEST_GROUP = 8


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm with at most 32 groups of at least 8 channels: it does not depend on the batch, so no state drifts.

    Args:
        channels: channels of the map to normalise; any number, groups always divide it.
    """
    return nn.GroupNorm(math.gcd(channels, max(1, min(_GROUPS, channels // _SMALLEST_GROUP))), channels)


def norm_layer(norm: str, **batch: Any) -> Callable[[int], nn.Module]:
    """What builds the normalisation of so many channels.

    Args:
        norm: one of `NORMS`.
        **batch: options of BatchNorm, as the net has them in torchvision.

    Raises:
        ValueError: another norm.
    """
    if norm not in NORMS:
        raise ValueError(f"norm must be {' or '.join(NORMS)}, not {norm!r}")
    return group_norm if norm == "group" else partial(nn.BatchNorm2d, **batch)
