"""The study classifier: a slice encoder and an aggregator, split so that slices can be encoded in chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ctviewer.nets.aggregators import AGGREGATORS, StudyOutput
from ctviewer.nets.encoders import build_encoder


class StudyClassifier(nn.Module):
    """A CT study in, one logit per class out, and what each slice contributed.

    Args:
        classes: number of class logits.
        encoder: name of a slice encoder.
        encoder_options: its constructor arguments.
        aggregator: name of an aggregator.
        aggregator_options: its constructor arguments.

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
    ) -> None:
        super().__init__()
        if aggregator not in AGGREGATORS:
            raise ValueError(f"unknown aggregator {aggregator!r}; known: {', '.join(sorted(AGGREGATORS))}")
        self.encoder = build_encoder(encoder, **(encoder_options or {}))
        try:
            self.aggregator = AGGREGATORS[aggregator](self.encoder.out_features, classes, **(aggregator_options or {}))
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

        Args:
            features: `[b, n, D]`, slices head to feet, padded at the end.
            lengths: `[b]` int64, real slices of each study, 1 to n; None where all n are real.

        Returns:
            Logits `[b, c]` with attention `[b, n]` and evidence `[b, n, c]` where the aggregator has them.
        """
        if lengths is None:
            lengths = torch.full((features.shape[0],), features.shape[1], device=features.device)
        with torch.autocast(features.device.type, enabled=False):
            out: StudyOutput = self.aggregator(features.float(), lengths)
        return out

    def forward(self, images: Tensor, lengths: Tensor | None = None) -> StudyOutput:
        """Classify studies in one go.

        Args:
            images: `[b, n, 3 or 1, S, S]`.
            lengths: as in `aggregate`.
        """
        b, n = images.shape[:2]
        return self.aggregate(self.encode(images.flatten(0, 1)).view(b, n, -1), lengths)
