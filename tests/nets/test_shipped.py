"""The study classifier that comes with the program computes, bit for bit, what its version was trained as.

The net of version 0.1.0 is written here once more, from its weights' names alone.
"""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ctviewer.core.paths import resources
from ctviewer.models.bundle import WEIGHTS, load_bundle

FOLDER = resources() / "bundles" / "starter-study-classifier-0.1.0"
Weights = dict[str, Tensor]


def conv(w: Weights, name: str, x: Tensor, stride: int = 1) -> Tensor:
    return F.conv2d(x, w[f"{name}.weight"], None, stride, w[f"{name}.weight"].shape[-1] // 2)


def norm(w: Weights, name: str, x: Tensor) -> Tensor:
    return F.group_norm(x, min(32, x.shape[1] // 8), w[f"{name}.weight"], w[f"{name}.bias"])


def block(w: Weights, name: str, x: Tensor, stride: int) -> Tensor:
    y = F.relu(norm(w, f"{name}.bn1", conv(w, f"{name}.conv1", x, stride)))
    y = norm(w, f"{name}.bn2", conv(w, f"{name}.conv2", y))
    if f"{name}.downsample.0.weight" in w:
        x = norm(w, f"{name}.downsample.1", conv(w, f"{name}.downsample.0", x, stride))
    return F.relu(y + x)


def encode(w: Weights, images: Tensor) -> Tensor:
    """ResNet18 and a feature pyramid; the maximum of every channel of every level."""
    body, fpn, maps = "encoder.trunk.pyramid.body", "encoder.trunk.pyramid.fpn", []
    x = F.relu(norm(w, f"{body}.bn1", conv(w, f"{body}.conv1", images.expand(-1, 3, -1, -1), 2)))
    x = F.max_pool2d(x, 3, 2, 1)
    for stage in range(1, 5):
        for i in range(2):
            x = block(w, f"{body}.layer{stage}.{i}", x, 2 if stage > 1 and i == 0 else 1)
        maps.append(x)
    inner = [norm(w, f"{fpn}.inner_blocks.{i}.1", conv(w, f"{fpn}.inner_blocks.{i}.0", m)) for i, m in enumerate(maps)]
    for i in (2, 1, 0):
        inner[i] = inner[i] + F.interpolate(inner[i + 1], size=inner[i].shape[-2:], mode="nearest")
    outer = [norm(w, f"{fpn}.layer_blocks.{i}.1", conv(w, f"{fpn}.layer_blocks.{i}.0", m)) for i, m in enumerate(inner)]
    return torch.cat([m.amax(dim=(2, 3)) for m in outer], dim=1)


def aggregate(w: Weights, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, attention and evidence of one study `[n, D]`."""
    n, d = features.shape
    lstm = nn.LSTM(d, d // 2, batch_first=True, bidirectional=True)
    prefix = "aggregator.recurrent.lstm."
    lstm.load_state_dict({k.removeprefix(prefix): v for k, v in w.items() if k.startswith(prefix)})
    packed, (final, _) = lstm(pack_padded_sequence(features[None], torch.tensor([n]), batch_first=True))
    states, _ = pad_packed_sequence(packed, batch_first=True)
    scores = torch.einsum("bnd,bd->bn", states, torch.cat([final[0], final[1]], dim=1)) * (1.0 / math.sqrt(d))
    alpha = scores.softmax(dim=1)
    evidence = alpha[:, :, None] * (states @ w["aggregator.head.weight"].T)
    return evidence.sum(dim=1) + w["aggregator.head.bias"], alpha, evidence


@pytest.fixture(scope="module")
def weights() -> Weights:
    stored = load_file(FOLDER / WEIGHTS)
    return {
        k: v.float().to(memory_format=torch.channels_last) if v.dim() == 4 else v.float() for k, v in stored.items()
    }


def test_the_shipped_classifier_gives_what_its_version_gave(weights: Weights) -> None:
    torch.manual_seed(0)
    images = torch.randn(5, 1, 64, 64)
    net = load_bundle(FOLDER).build()
    with torch.inference_mode():
        features = net.encode(images)
        assert torch.equal(features, encode(weights, images))
        out = net.aggregate(features[None])
        logits, alpha, evidence = aggregate(weights, features)
    assert torch.equal(out.logits, logits)
    assert torch.equal(out.attention, alpha) and torch.equal(out.evidence, evidence)


def test_the_names_of_its_weights_are_the_nets(weights: Weights) -> None:
    assert set(load_bundle(FOLDER).build().state_dict()) == set(weights)
