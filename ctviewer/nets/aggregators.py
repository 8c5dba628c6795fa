"""Aggregators: the feature vectors of a study's slices in, logits and what each slice contributed out.

Ye, "COVID-19 classification of chest CT scans using Bidirectional LSTM and Attention", section 4. In shapes, b is
studies, n slices (padded at the end), D features and c logits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


@dataclass(frozen=True)
class StudyOutput:
    """What an aggregator says of a batch of studies. Padded slices hold 0 (slice logits: -inf).

    What there is per slice has its own name: nothing but attention is attention.

    Attributes:
        logits: `[b, c]`.
        attention: `[b, n]`, sums to 1 over the real slices; None where the aggregator has none.
        evidence: `[b, n, c]`, whose sum over slices plus the bias of the last layer is `logits`; None without attention.
        slice_logits: `[b, n, c]` of `max_pool`; None for the others.
    """

    logits: Tensor
    attention: Tensor | None = None
    evidence: Tensor | None = None
    slice_logits: Tensor | None = None


def real_slices(lengths: Tensor, n: int) -> Tensor:
    """`[b, n]` bool: True where a slice is real, False where it is padding.

    Args:
        lengths: `[b]` number of real slices of each study.
        n: slices after padding.
    """
    return torch.arange(n, device=lengths.device)[None, :] < lengths[:, None]


class _BiLSTM(nn.Module):
    """One bidirectional layer, D in and D out (D/2 per direction), blind to padding."""

    def __init__(self, features: int) -> None:
        super().__init__()
        if features % 2:
            raise ValueError(f"a bidirectional LSTM needs an even number of features, not {features}")
        self.lstm = nn.LSTM(features, features // 2, batch_first=True, bidirectional=True)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`[b, n, D]` to the states H `[b, n, D]` (0 in padding) and the final states of both directions `[b, D]`."""
        packed = pack_padded_sequence(features, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, (final, _) = self.lstm(packed)
        unpacked, _ = pad_packed_sequence(states, batch_first=True, total_length=features.shape[1])
        return unpacked, torch.cat([final[0], final[1]], dim=1)


class _Attend(nn.Module):
    """alpha = softmax(scale * H q) over real slices; scale is 1, 1/sqrt(D), or learned (starting at 1/sqrt(D))."""

    def __init__(self, features: int, scale: str) -> None:
        super().__init__()
        if scale not in ("none", "sqrt", "learned"):
            raise ValueError(f"attention scale must be none, sqrt or learned, not {scale!r}")
        self.fixed = 1.0 / math.sqrt(features) if scale == "sqrt" else 1.0
        self.log_scale = nn.Parameter(torch.tensor(-0.5 * math.log(features))) if scale == "learned" else None

    def forward(self, states: Tensor, query: Tensor, lengths: Tensor) -> Tensor:
        """`[b, n, D]` and `[b, D]` to `[b, n]`."""
        scores = torch.einsum("bnd,bd->bn", states, query) * self.fixed
        if self.log_scale is not None:
            scores = scores * self.log_scale.exp()
        return scores.masked_fill(~real_slices(lengths, states.shape[1]), -math.inf).softmax(dim=1)


def _explained(states: Tensor, alpha: Tensor, head: nn.Linear) -> StudyOutput:
    """Logits as bias plus the evidence e_kc = alpha_k (w_c . h_k): the explanation is the computation itself."""
    evidence = alpha[:, :, None] * (states @ head.weight.T)
    return StudyOutput(evidence.sum(dim=1) + head.bias, attention=alpha, evidence=evidence)


class LstmAttention(nn.Module):
    """BiLSTM, attention, one linear layer (section 4.4).

    Args:
        features: D, even.
        logits: c.
        scale: of the scores, "none" (the paper), "sqrt" (1/sqrt(D)) or "learned" (a temperature).
        query: "final_states" of both directions, or "last_column": H at the last slice, as the paper's formula has it,
            whose backward half has seen that slice only.

    Raises:
        ValueError: options that are none of these.
    """

    def __init__(self, features: int, logits: int, scale: str = "none", query: str = "final_states") -> None:
        super().__init__()
        if query not in ("final_states", "last_column"):
            raise ValueError(f"attention query must be final_states or last_column, not {query!r}")
        self.recurrent = _BiLSTM(features)
        self.attend = _Attend(features, scale)
        self.head = nn.Linear(features, logits)
        self._last_column = query == "last_column"

    def forward(self, features: Tensor, lengths: Tensor) -> StudyOutput:
        """See `StudyClassifier.aggregate`."""
        states, query = self.recurrent(features, lengths)
        if self._last_column:
            query = states[torch.arange(len(states), device=states.device), lengths - 1]
        return _explained(states, self.attend(states, query, lengths), self.head)


class Attention(nn.Module):
    """Attention without an LSTM, the mean feature as query (the further work of section 6). Blind to slice order.

    Args:
        features: D.
        logits: c.
        scale: as in `LstmAttention`.
    """

    def __init__(self, features: int, logits: int, scale: str = "sqrt") -> None:
        super().__init__()
        self.attend = _Attend(features, scale)
        self.head = nn.Linear(features, logits)

    def forward(self, features: Tensor, lengths: Tensor) -> StudyOutput:
        """See `StudyClassifier.aggregate`."""
        real = real_slices(lengths, features.shape[1])[:, :, None]
        states = features.masked_fill(~real, 0.0)
        query = states.sum(dim=1) / lengths[:, None]
        return _explained(states, self.attend(states, query, lengths), self.head)


class Lstm(nn.Module):
    """BiLSTM, its final states, one linear layer (section 4.3). Says nothing about single slices."""

    def __init__(self, features: int, logits: int) -> None:
        super().__init__()
        self.recurrent = _BiLSTM(features)
        self.head = nn.Linear(features, logits)

    def forward(self, features: Tensor, lengths: Tensor) -> StudyOutput:
        """See `StudyClassifier.aggregate`."""
        return StudyOutput(self.head(self.recurrent(features, lengths)[1]))


class MaxPool(nn.Module):
    """One shared linear layer per slice, the maximum of its logits (section 4.2). Blind to slice order."""

    def __init__(self, features: int, logits: int) -> None:
        super().__init__()
        self.head = nn.Linear(features, logits)

    def forward(self, features: Tensor, lengths: Tensor) -> StudyOutput:
        """See `StudyClassifier.aggregate`."""
        real = real_slices(lengths, features.shape[1])[:, :, None]
        states = features.masked_fill(~real, 0.0)
        slice_logits = self.head(states).masked_fill(~real, -math.inf)
        return StudyOutput(slice_logits.amax(dim=1), slice_logits=slice_logits)


AGGREGATORS: dict[str, Callable[..., nn.Module]] = {
    "lstm_attention": LstmAttention,
    "attention": Attention,
    "lstm": Lstm,
    "max_pool": MaxPool,
}
