"""The image classification module: from a vector to logits of the image classes (paper, 3.8)."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


class ClassLogits(nn.Sequential):
    """`[n, h]` to `[n, image classes]`: two layers with ReLU, and one of logits.

    Args:
        features: h.
        width: of both layers.
        classes: image classes.
    """

    def __init__(self, features: int, width: int, classes: int) -> None:
        layers: list[tuple[str, nn.Module]] = [
            ("layer1", nn.Linear(features, width)),
            ("relu1", nn.ReLU()),
            ("layer2", nn.Linear(width, width)),
            ("relu2", nn.ReLU()),
            ("logits", nn.Linear(width, classes)),
        ]
        super().__init__(OrderedDict(layers))
