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
        return SliceLogits(found - against, found, against, tuple(_told(r, None, None) for r in rois))
    starts = torch.tensor([0] + [len(r) for r in rois]).cumsum(0)
    index = torch.cat([starts[i] + fill(len(rois[i]), layer.beta) for i in kept]).to(features.device)
    out = layer(reduced[index])
    places = torch.tensor(kept, device=features.device)
    found, against = found.index_copy(0, places, out.positive), against.index_copy(0, places, out.negative)
    row = {i: k for k, i in enumerate(kept)}
    attention = [
        [None if alpha is None or i not in row else alpha[row[i]].detach() for i in range(len(rois))]
        for alpha in (out.attention_positive, out.attention_negative)
    ]
    told = tuple(_told(*each) for each in zip(rois, *attention, strict=True))
    return SliceLogits(found - against, found, against, told)


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


def _told(rois: Boxes, positive: Tensor | None, negative: Tensor | None) -> Rois:
    """Regions with their attention, each `[beta]` over copies or None."""
    if positive is None or negative is None:
        return Rois(rois.boxes, rois.labels, rois.scores, None, None)
    index, count = fill(len(rois), len(positive)), len(rois)
    return Rois(rois.boxes, rois.labels, rois.scores, summed(positive, index, count), summed(negative, index, count))
