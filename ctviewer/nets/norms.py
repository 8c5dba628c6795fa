"""Normalisation for nets trained from scratch with few images a step."""

from __future__ import annotations

import math

from torch import nn

_GROUPS = 32
_SMALLEST_GROUP = 8


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm with at most 32 groups of at least 8 channels: it does not depend on the batch, so no state drifts.

    Args:
        channels: channels of the map to normalise; any number, groups always divide it.
    """
    return nn.GroupNorm(math.gcd(channels, max(1, min(_GROUPS, channels // _SMALLEST_GROUP))), channels)
