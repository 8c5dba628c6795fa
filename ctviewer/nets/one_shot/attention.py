"""LSTM with attention over the regions of a slice (paper, 3.7.2, equations 1 to 7)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LstmAttention(nn.Module):
    """A sequence of regions to one vector, and how much each region has in it.

    Args:
        channels: C, of a region's vector.
        hidden: h, of the LSTM.
        attention: False: the context is left out.
    """

    def __init__(self, channels: int, hidden: int, attention: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, hidden, batch_first=True)
        self.linear = nn.Linear(hidden, hidden)
        self.attention = attention

    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor | None]:
        """Read the regions in order.

        Args:
            regions: `[n, beta, C]`.

        Returns:
            `[n, h]`: z + c with z = Linear(o), o the last state, c = sum of alpha_k h_k (z without attention); and alpha
            `[n, beta]`, the softmax over k of z . h_k, or None.
        """
        states, _ = self.lstm(regions)  # [n, beta, h]
        z: Tensor = self.linear(states[:, -1])
        if not self.attention:
            return z, None
        alpha = torch.einsum("nkh,nh->nk", states, z).softmax(dim=1)
        return z + torch.einsum("nk,nkh->nh", alpha, states), alpha
