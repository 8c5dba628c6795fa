"""Weights under the names of the paper's reference code, for what follows the mask head of a slice's regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ctviewer.nets.one_shot.layer import AttentionLayer, LayerOutput
from ctviewer.nets.one_shot.options import Options

_PREFIX = "sd/"
_STAGE = "attn.sieve."
_NAMES = {  # theirs, ours
    "trunc.conv_mask": "up", "trunc.conv_reduce": "layer.reduce",
    "attn.conv_d1": "layer.vectorise.conv1", "attn.bn1": "layer.vectorise.norm1",
    "attn.conv_d2": "layer.vectorise.conv2", "attn.bn2": "layer.vectorise.norm2",
    "attn.conv_d_final": "layer.vectorise.conv3", "attn.bn3": "layer.vectorise.norm3",
    "attn.lstm_pos": "layer.positive.lstm", "attn.lstm_neg": "layer.negative.lstm",
    "attn.final_linear_pos": "layer.positive.linear", "attn.final_linear_neg": "layer.negative.linear",
    "pos.fc_l1": "layer.positive_classes.layer1", "neg.fc_l1": "layer.negative_classes.layer1",
    "pos.fc_l2": "layer.positive_classes.layer2", "neg.fc_l2": "layer.negative_classes.layer2",
    "pos.class_predict_logits": "layer.positive_classes.logits",
    "neg.class_predict_logits": "layer.negative_classes.logits",
}  # fmt: skip
_SIEVE = {"conv_down": "down", "bn": "norm", "conv_up": "up"}


class ReferenceHead(nn.Module):
    """The transposed convolution of the mask head, and the attention layer on it.

    Args:
        options: of the net; `channels`, `hidden`, `beta` and `class_hidden` decide the sizes.
        image_classes: of the logits.
    """

    def __init__(self, options: Options, image_classes: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(options.mask_hidden, options.mask_hidden, 2, stride=2)
        self.layer = AttentionLayer(options, image_classes)

    def forward(self, regions: Tensor) -> LayerOutput:
        """Read slices.

        Args:
            regions: `[n * beta, C, 14, 14]`: what follows the mask head's ReLU, RoIs of a slice in order.
        """
        out: LayerOutput = self.layer(self.layer.reduced(self.up(regions)))
        return out


@dataclass(frozen=True)
class _Sizes:
    """Read off the weights' shapes."""

    channels: int
    hidden: int
    class_hidden: int
    image_classes: int
    stages: int


def load_reference_head(weights: Mapping[str, ArrayLike], rois: int, *, norms: str = "reference") -> ReferenceHead:
    """Build the head from weights under the reference's names, in training mode.

    Args:
        weights: names from "sd/" on (other entries are left alone), e.g. "sd/attn.conv_d1.weight".
        rois: beta, which no weight shows.
        norms: "reference" or "running"; see `Options`.

    Raises:
        KeyError: a weight is missing.
        RuntimeError: a weight is unknown, or of another shape.
    """
    own = {name.removeprefix(_PREFIX): value for name, value in weights.items() if name.startswith(_PREFIX)}
    tensors = {name: torch.as_tensor(value) for name, value in own.items()}
    sizes = _sizes(tensors)
    options = Options(
        channels=sizes.channels, mask_hidden=sizes.channels, hidden=sizes.hidden, beta=rois, norms=norms,
        class_hidden=sizes.class_hidden, sieve=sizes.stages,
    )  # fmt: skip
    head = ReferenceHead(options, sizes.image_classes)
    head.load_state_dict({our_name(name): tensor for name, tensor in tensors.items()})
    return head


def our_name(theirs: str) -> str:
    """Name within `ReferenceHead` of a weight of the reference, e.g. "attn.sieve.0.bn.weight"."""
    if theirs.startswith(_STAGE):
        number, part, rest = theirs.removeprefix(_STAGE).split(".", 2)
        return f"layer.sieve.stages.{number}.{_SIEVE[part]}.{rest}"
    module, rest = theirs.rsplit(".", 1)
    return f"{_NAMES[module]}.{rest}"


def _sizes(tensors: Mapping[str, Tensor]) -> _Sizes:
    stages = {name.removeprefix(_STAGE).split(".")[0] for name in tensors if name.startswith(_STAGE)}
    linear, logits = tensors["attn.final_linear_pos.weight"], tensors["pos.class_predict_logits.weight"]
    reduced = tensors["trunc.conv_reduce.weight"]
    return _Sizes(len(reduced), len(linear), logits.shape[1], len(logits), len(stages))
