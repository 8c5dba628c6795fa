"""The attention layer with its classifiers: from features of the regions to what is said of the slice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ctviewer.nets.norms import group_norm
from ctviewer.nets.one_shot.attention import LstmAttention
from ctviewer.nets.one_shot.classifier import ClassLogits
from ctviewer.nets.one_shot.norms import SliceBatchNorm
from ctviewer.nets.one_shot.options import Options
from ctviewer.nets.one_shot.sieve import MaskSieve
from ctviewer.nets.one_shot.vectorise import Vectorise, VectorNorm


@dataclass(frozen=True, eq=False)
class LayerOutput:
    """Attributes of n slices.

    Attributes:
        positive, negative: `[n, image classes]` logits.
        attention_positive, attention_negative: `[n, beta]`, each row sums to 1; None without attention.
    """

    positive: Tensor
    negative: Tensor
    attention_positive: Tensor | None
    attention_negative: Tensor | None


class AttentionLayer(nn.Module):
    """Sieve, vectors, the class-positive and the class-negative module, each with its classifier.

    Args:
        options: of the net.
        image_classes: at least 1.
    """

    def __init__(self, options: Options, image_classes: int) -> None:
        super().__init__()
        norm, last = _norms(options)
        channels, hidden = options.channels, options.hidden
        self.beta, self.image_classes, self.attends = options.beta, image_classes, options.attention
        self.reduce = nn.Conv2d(options.mask_hidden, channels, 3, padding=1)
        self.reduce.requires_grad_(options.reduce == "trained")
        self.sieve = MaskSieve(channels, norm, options.sieve_order, options.sieve, options.sieve_weights == "shared")
        self.vectorise = Vectorise(channels, norm, last)
        self.positive = LstmAttention(channels, hidden, options.attention)
        self.negative = LstmAttention(channels, hidden, options.attention)
        self.positive_classes = ClassLogits(hidden, options.class_hidden, image_classes)
        self.negative_classes = ClassLogits(hidden, options.class_hidden, image_classes)
        if options.norms != "reference":
            self.apply(_scaled)

    def reduced(self, features: Tensor) -> Tensor:
        """What follows the transposed convolution: `[r, mask channels, 28, 28]` to `[r, C, 28, 28]`, with ReLU."""
        out: Tensor = self.reduce(features).relu()
        return out

    def forward(self, features: Tensor) -> LayerOutput:
        """Read slices.

        Args:
            features: `[n * beta, C, 28, 28]` of `reduced`, RoIs of a slice in order.
        """
        vectors = self.vectorise(self.sieve(features))
        regions = vectors.reshape(-1, self.beta, vectors.shape[1])
        with torch.autocast(regions.device.type, enabled=False):  # so little that nothing is won by rounding it
            positive, alpha_positive = self.positive(regions.float())
            negative, alpha_negative = self.negative(regions.float())
            return LayerOutput(
                self.positive_classes(positive), self.negative_classes(negative), alpha_positive, alpha_negative
            )


def _scaled(module: nn.Module) -> None:
    """Start a linear layer so that it keeps the size of what passes it.

    torch's own start takes nearly half of it at each of four layers, so that slices hardly differ at the logits: from random
    weights it then took 140 steps to tell three slices apart, and 60 so.
    """
    if isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)


def _norms(options: Options) -> tuple[Callable[[int], nn.Module], Callable[[int], nn.Module]]:
    """Of maps, and of the vector."""
    if options.norms == "product":
        return group_norm, VectorNorm
    batch = partial(SliceBatchNorm, rows=options.beta, running=options.norms == "running")
    return batch, batch
