"""The classification branch from the features of a slice's regions on: filled up, read, and told with attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ctviewer.nets.one_shot.answers import Rois, SliceLogits
from ctviewer.nets.one_shot.layer import AttentionLayer
from ctviewer.nets.one_shot.rois import Boxes, fill, summed

_SURE = 4.0
"""Logit of the negative class for a slice without any region, and minus that of the others: 98 and 2 %."""


def read_slices(layer: AttentionLayer, rois: Sequence[Boxes], features: Tensor, negative: int) -> SliceLogits:
    """Logits of slices by the features of their regions.

    Args:
        layer: with its beta; what is read is each slice's regions, repeated evenly where they are fewer.
        rois: of each slice, in order; none for a slice without proposals, whose answer is "no finding".
        features: `[regions of all slices, mask channels, 28, 28]`, after the transposed convolution, without ReLU.
        negative: index of the image class that means "no finding"; -1: none, and the answer there is 0 for every class.
    """
    reduced = layer.reduced(features)
    kept = [i for i, r in enumerate(rois) if len(r)]
    found, against = _without_regions(len(rois), layer.image_classes, negative, features.device)
    if not kept:
        found = found + 0.0 * reduced.sum()  # nothing to learn, but a backward pass finds its way
        none = found.new_zeros(len(rois), layer.beta) if layer.attends else None
        return SliceLogits(found - against, found, against, _told(rois, none, none))
    starts = torch.tensor([0] + [len(r) for r in rois]).cumsum(0)
    index = torch.cat([starts[i] + fill(len(rois[i]), layer.beta) for i in kept]).to(features.device)
    places = torch.tensor(kept, device=features.device)
    out = layer(reduced[index])
    found, against = found.index_copy(0, places, out.positive), against.index_copy(0, places, out.negative)
    for_alpha, against_alpha = (
        None if alpha is None else alpha.new_zeros(len(rois), layer.beta).index_copy(0, places, alpha.detach())
        for alpha in (out.attention_positive, out.attention_negative)
    )
    return SliceLogits(found - against, found, against, _told(rois, for_alpha, against_alpha))


def no_rois(device: torch.device) -> Rois:
    """What a net without image classes looked at."""
    empty = torch.zeros(0, device=device)
    return Rois(empty.reshape(0, 4), empty.long(), empty, None, None)


def _without_regions(count: int, classes: int, negative: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Logits `[count, classes]` of both classifiers that mean "no finding"."""
    sure = torch.zeros(count, classes, device=device)
    if negative >= 0:
        sure -= _SURE / 2
        sure[:, negative] = _SURE / 2
    return sure, -sure


def _told(rois: Sequence[Boxes], positive: Tensor | None, negative: Tensor | None) -> tuple[Rois, ...]:
    """Regions of slices with their attention, given as `[slices, beta]` over copies or None."""

    def of(alpha: Tensor | None, i: int) -> Tensor | None:
        return None if alpha is None else summed(alpha[i], fill(len(rois[i]), alpha.shape[1]), len(rois[i]))

    return tuple(Rois(r.boxes, r.labels, r.scores, of(positive, i), of(negative, i)) for i, r in enumerate(rois))
