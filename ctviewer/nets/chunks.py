"""Gradients of studies of any length in bounded memory: slices pass the encoder in chunks, and again for the way back.

Each chunk passes the encoder without gradients; the aggregator and the loss see all features and give the features'
gradient; then each chunk passes the encoder again and takes its part of that gradient back. What is drawn at random on
the first pass (dropout, stochastic depth) is drawn again alike. The gradients are those of one graph over all chunks.

Peak memory depends neither on the number of studies nor on their length (features and attention, some kB a slice, left
out). A study of up to `chunk * kept` slices passes the encoder once, as does every study where nothing of the encoder is
trainable.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ctviewer.nets.aggregators import StudyOutput
from ctviewer.nets.study_classifier import StudyClassifier


class Slices(Protocol):
    """The preprocessed slices of a study, head to feet; a tensor `[n, 3 or 1, S, S]` is one.

    A part is asked for twice and must be the same both times. It may be made, or moved to a device, when it is asked for.
    """

    def __len__(self) -> int:
        """Number of slices."""
        ...

    def __getitem__(self, part: slice, /) -> Tensor:
        """`[m, 3 or 1, S, S]`, on any device."""
        ...


StudyLoss = Callable[[StudyOutput, int], Tensor]


@dataclass(frozen=True)
class _RandomState:
    """Of torch's generators on the CPU and, where the net is on one, on a CUDA device."""

    device: torch.device
    cpu: Tensor
    cuda: Tensor | None

    @classmethod
    def now(cls, device: torch.device) -> _RandomState:
        cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        return cls(device, torch.get_rng_state(), cuda)

    @contextlib.contextmanager
    def replayed(self) -> Iterator[None]:
        """Draw again what was drawn from this state on; afterwards the generators are where they were."""
        with torch.random.fork_rng([self.device] if self.cuda is not None else []):
            torch.set_rng_state(self.cpu)
            if self.cuda is not None:
                torch.cuda.set_rng_state(self.cuda, self.device)
            yield


class _Encoder:
    """A study classifier's encoder with its device and precision.

    Attributes:
        trains: whether anything of it is trainable.
    """

    def __init__(self, net: StudyClassifier, precision: torch.dtype | None) -> None:
        self.net = net
        self.device = next(net.parameters()).device
        self.trains = any(p.requires_grad for p in net.encoder.parameters())
        self._precision = precision

    def run(self, images: Tensor, *, gradients: bool) -> Tensor:
        """`[m, 3 or 1, S, S]` to `[m, D]` float32."""
        precision = torch.autocast(self.device.type, self._precision, enabled=self._precision is not None)
        with torch.set_grad_enabled(gradients), precision:
            return self.net.encode(images.to(self.device, non_blocking=True)).float()


def accumulate_gradients(
    net: StudyClassifier,
    studies: Iterable[Slices],
    loss: StudyLoss,
    *,
    chunk: int = 16,
    kept: int = 1,
    precision: torch.dtype | None = None,
) -> Generator[int, None, list[float]]:
    """Add the gradients of a batch of studies to those that the net's parameters have; one study is held at a time.

    Args:
        net: in the mode wanted; on its device.
        studies: of a batch; an iterator may make each when it is due.
        loss: output of one study `[1, ...]` and its position in the batch to its share of the batch's loss, a scalar.
        chunk: slices that pass the encoder at once.
        kept: chunks of a study whose activations are kept for the way back instead of computed again.
        precision: autocast the encoder to it (torch.bfloat16, torch.float16); None for the precision of its weights.

    Yields:
        Number of slices that have just passed the encoder. Gradient mode and autocast are then the caller's own;
        whoever stops there has gradients of a part.

    Returns:
        The loss of each study, as `loss` gave it.

    Raises:
        ValueError: a study without slices, or a size below 1.
    """
    if chunk < 1 or kept < 1:
        raise ValueError(f"chunks of {chunk} slices, {kept} of them kept, cannot be")
    encoder = _Encoder(net, precision)
    losses = []
    for position, slices in enumerate(studies):
        parts = [slice(at, min(at + chunk, len(slices))) for at in range(0, len(slices), chunk)]
        if not parts:
            raise ValueError("a study without slices cannot be classified")
        losses.append((yield from _study(encoder, slices, parts, kept, loss, position)))
    return losses


def _study(
    encoder: _Encoder, slices: Slices, parts: list[slice], kept: int, loss: StudyLoss, position: int
) -> Generator[int, None, float]:
    """All chunks forward, the aggregator forward and back, the chunks back, the last first."""
    first_kept = len(parts) - kept if encoder.trains else len(parts)
    states: list[_RandomState] = []
    features: list[Tensor] = []
    for i, part in enumerate(parts):
        states.append(_RandomState.now(encoder.device))
        features.append(encoder.run(slices[part], gradients=i >= first_kept))
        yield len(features[-1])
    leaf = torch.cat([f.detach() for f in features]).requires_grad_(encoder.trains)
    value = loss(encoder.net.aggregate(leaf[None]), position)
    value.backward()  # type: ignore[no-untyped-call]  # torch's stub
    for i in reversed(range(len(parts) if encoder.trains else 0)):
        output, gradient = features.pop(), _gradient(leaf, parts[i])
        if i >= first_kept:
            output.backward(gradient)  # type: ignore[no-untyped-call]  # torch's stub
            continue
        with states[i].replayed():
            output = encoder.run(slices[parts[i]], gradients=True)
        output.backward(gradient)  # type: ignore[no-untyped-call]  # torch's stub
        yield len(output)
    return float(value.detach())


def _gradient(features: Tensor, part: slice) -> Tensor:
    if features.grad is None:
        raise ValueError("the loss does not depend on the slices")
    return features.grad[part]
