"""Slice classifiers: a published convolutional net and one linear layer, what the one-shot model's paper compares it with.

Ter-Sarkisov, "One Shot Model For COVID-19 Classification and Lesions Segmentation", section 4.1 and table 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from ctviewer.nets.encoders import Published, SliceEncoder, Traits
from ctviewer.nets.norms import NORMS, group_norm

SLICE_CLASSIFIERS = (
    "resnet18", "resnet34", "resnet50", "resnext50_32x4d", "resnext101_32x8d", "densenet121", "densenet169",
)  # fmt: skip
"""Names of torchvision's nets, those of the paper's table 2."""


class SliceClassifier(nn.Module):
    """Logits of exclusive classes for each slice by itself.

    Args:
        classes: how many.
        encoder: one of `SLICE_CLASSIFIERS`.
        norm: "batch" for published weights (it stays in eval mode), "group" from scratch.

    Raises:
        ValueError: an unknown encoder or norm.
    """

    def __init__(self, classes: int, encoder: str = "resnet18", norm: str = "group") -> None:
        super().__init__()
        self.encoder = _encoder(encoder, norm)
        self.head = nn.Linear(self.encoder.out_features, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Classify slices.

        Args:
            images: `[n, 3, S, S]`, or `[n, 1, S, S]` which stands for three equal channels.

        Returns:
            `[n, classes]`.
        """
        logits: Tensor = self.head(self.encoder(images))
        return logits


def _encoder(name: str, norm: str) -> SliceEncoder:
    """The net without its last layer."""
    if name not in SLICE_CLASSIFIERS or norm not in NORMS:
        raise ValueError(f"no slice classifier {name!r} with norm {norm!r}; there are {', '.join(SLICE_CLASSIFIERS)}")
    net = get_model(name, weights=None)
    last = "classifier" if name.startswith("densenet") else "fc"
    features = getattr(net, last).in_features
    setattr(net, last, nn.Identity())
    published = None
    if norm == "group":
        _use_groups(net)
    else:
        file = get_model_weights(name).IMAGENET1K_V1.url.rsplit("/", 1)[1]
        published = Published(file, (f"{last}.",), _DENSE if name.startswith("densenet") else "")
    encoder = SliceEncoder(net, Traits(features, (), published))
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this form
    return encoder


# Published weights of DenseNets have names like "denselayer1.norm.1.weight", which modules may no longer have
_DENSE = r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)"


def _use_groups(net: nn.Module) -> None:
    """GroupNorm in place of every BatchNorm, so that what a slice gets depends on no other, and no buffer drifts."""
    for parent, name, norm in list(_batch_norms(net)):
        setattr(parent, name, group_norm(norm.num_features))


def _batch_norms(net: nn.Module) -> Iterator[tuple[nn.Module, str, Any]]:
    for parent in net.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d):
                yield parent, name, child
