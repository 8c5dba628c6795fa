"""The study classifier: a slice encoder and an aggregator, split so that slices can be encoded in chunks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ctviewer.nets.aggregators import AGGREGATORS, StudyOutput, real_slices
from ctviewer.nets.encoders import build_encoder

HEADS = ("binary", "multi_class", "multi_label")


class StudyClassifier(nn.Module):
    """A CT study in, one logit per class out, and what each slice contributed (Ye, section 4).

    Args:
        classes: number of classes.
        encoder: name of a slice encoder.
        encoder_options: its constructor arguments.
        aggregator: name of an aggregator.
        aggregator_options: its constructor arguments.
        head: "binary" (the paper: two classes, one learned logit, the second's; the first's is the constant 0, so that
            softmax over both gives 1 - sigmoid and sigmoid), "multi_class" (exclusive classes: softmax) or
            "multi_label" (a sigmoid for each class).

    Raises:
        ValueError: an unknown name, or options it does not take.
    """

    def __init__(
        self,
        classes: int,
        *,
        encoder: str = "resnet18",
        encoder_options: Mapping[str, Any] | None = None,
        aggregator: str = "lstm_attention",
        aggregator_options: Mapping[str, Any] | None = None,
        head: str = "multi_class",
    ) -> None:
        super().__init__()
        if aggregator not in AGGREGATORS:
            raise ValueError(f"unknown aggregator {aggregator!r}; known: {', '.join(sorted(AGGREGATORS))}")
        if head not in HEADS:
            raise ValueError(f"unknown head {head!r}; known: {', '.join(HEADS)}")
        if head == "binary" and classes != 2:
            raise ValueError(f"a binary head tells two classes apart, not {classes}")
        self.head = head
        self.encoder = build_encoder(encoder, **(encoder_options or {}))
        logits = 1 if head == "binary" else classes
        try:
            self.aggregator = AGGREGATORS[aggregator](self.encoder.out_features, logits, **(aggregator_options or {}))
        except TypeError as error:
            raise ValueError(f"aggregator {aggregator!r} does not take {dict(aggregator_options or {})}") from error

    def encode(self, images: Tensor) -> Tensor:
        """Encode slices, a chunk of a study at a time.

        Args:
            images: `[n, 3, S, S]` preprocessed slices, or `[n, 1, S, S]` for three equal channels.

        Returns:
            `[n, D]`; each row depends on its own slice only.
        """
        features: Tensor = self.encoder(images)
        return features

    def aggregate(self, features: Tensor, lengths: Tensor | None = None) -> StudyOutput:
        """Turn the features of a batch of studies into logits, in float32 whatever the autocast.

        A study's output depends neither on its padding nor on the other studies.

        Args:
            features: `[b, n, D]`, slices head to feet, padded at the end with anything.
            lengths: `[b]` int64, real slices of each study, 1 to n; None where all n are real.

        Returns:
            Logits `[b, classes]`, and what the aggregator has of attention `[b, n]`, evidence `[b, n, classes]` and
            slice logits `[b, n, classes]`.

        Raises:
            ValueError: a study without slices, or more real slices than there are.
        """
        lengths = _checked(lengths, features)
        with torch.autocast(features.device.type, enabled=False):
            out: StudyOutput = self.aggregator(features.float(), lengths)
        return _with_zero_logit(out, lengths) if self.head == "binary" else out

    def forward(self, images: Tensor, lengths: Tensor | None = None) -> StudyOutput:
        """Classify studies in one go; padded slices are not encoded.

        Args:
            images: `[b, n, 3 or 1, S, S]`.
            lengths: as in `aggregate`.

        Raises:
            ValueError: as in `aggregate`.
        """
        real = real_slices(_checked(lengths, images), images.shape[1])
        encoded = self.encode(images[real])
        features = encoded.new_zeros((*real.shape, encoded.shape[1]))
        features[real] = encoded
        return self.aggregate(features, lengths)


def _checked(lengths: Tensor | None, slices: Tensor) -> Tensor:
    """Lengths `[b]` on the device of `slices` `[b, n, ...]`."""
    b, n = slices.shape[:2]
    if lengths is None:
        lengths = torch.full((b,), n, device=slices.device)
    if not b or int(lengths.min()) < 1:
        raise ValueError("a study without slices cannot be classified")
    if lengths.shape != (b,) or int(lengths.max()) > n:
        raise ValueError(f"the lengths {lengths.tolist()} do not fit {b} studies of at most {n} slices")
    return lengths.to(slices.device)


def _with_zero_logit(out: StudyOutput, lengths: Tensor) -> StudyOutput:
    """The constant logit of a binary head's first class, to which no slice contributes."""

    def widened(logits: Tensor | None) -> Tensor | None:
        return None if logits is None else torch.cat([torch.zeros_like(logits), logits], dim=-1)

    per_slice = widened(out.slice_logits)
    if per_slice is not None:
        per_slice = per_slice.masked_fill(~real_slices(lengths, per_slice.shape[1])[:, :, None], -torch.inf)
    logits = torch.cat([torch.zeros_like(out.logits), out.logits], dim=-1)
    return dataclasses.replace(out, logits=logits, evidence=widened(out.evidence), slice_logits=per_slice)
