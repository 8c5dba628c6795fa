"""The slice encoder of the shipped study models (the `domain` start): what single slices show, learned with the lesion model's slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ctviewer.core.events import Event
from ctviewer.core.slices import HU
from ctviewer.models.metadata import Preprocessing
from ctviewer.models.preprocess import slice_input
from ctviewer.nets.encoders import SliceEncoder
from ctviewer.nets.one_shot import OneShot
from ctviewer.training.starter.chests import INFECTION, LUNG, Chest
from ctviewer.training.starter.lesion_stage import LESION_INPUT, Mixture, SliceDraws, pools_of
from ctviewer.training.starter.loop import Plan, fit
from ctviewer.training.starter.scanner import Scanner

FINDINGS = ("infection", "infection of a twentieth of the lung", "dense infection", "lung")
"""What the encoder learns to tell of a slice."""

_SMALLEST = 12  # pixels of 256 x 256 below which a slice is neither infected nor clean
_LARGE = 0.05  # share of the lung
_DENSE_HU = -300.0  # above it: consolidation
_LEAST_LUNG = 100  # pixels


def findings(hu: NDArray[np.float32], labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a slice shows, `[4]` as in `FINDINGS`: 1, 0, or NaN where too little is shown to tell.

    Args:
        hu: `[S, S]`.
        labels: `[S, S]`.
    """
    infection, lung = labels == INFECTION, int((labels >= LUNG).sum())
    area = int(infection.sum())
    dense = int((infection & (ndimage.uniform_filter(hu, 3) > _DENSE_HU)).sum())  # noise alone makes nothing dense
    return np.array(
        [
            _told(area),
            float(area >= _LARGE * lung) if lung >= _LEAST_LUNG else 0.0,
            _told(dense),
            float(lung >= _LEAST_LUNG),
        ],
        np.float32,
    )


def _told(pixels: int) -> float:
    return 0.0 if pixels == 0 else 1.0 if pixels >= _SMALLEST else float("nan")


def start_from(encoder: SliceEncoder, net: OneShot) -> None:
    """Give a pyramid encoder the pyramid of a lesion model of the same width: masks teach more than labels of slices."""
    encoder.load_state_dict({f"trunk.pyramid.{name}": value for name, value in net.backbone_state().items()})


class _Heads(nn.Module):
    """The encoder with a linear layer that is left behind."""

    def __init__(self, encoder: SliceEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.findings = nn.Linear(encoder.out_features, len(FINDINGS))

    def forward(self, images: Tensor) -> Tensor:
        """`[n, 1, S, S]` to logits `[n, 4]`."""
        features: Tensor = self.encoder(images)
        out: Tensor = self.findings(features.float())
        return out


def train_encoder(
    encoder: SliceEncoder,
    chests: Sequence[Chest],
    plan: Plan,
    *,
    batch: int = 16,
    mixture: Mixture | None = None,
    scanner: Scanner | None = None,
    preprocessing: Preprocessing = LESION_INPUT,
) -> Iterator[Event]:
    """Train an encoder in place for as many steps as planned; its last weights are kept.

    Args:
        encoder: started from a lesion model that has seen no other patients.
        chests: to learn from.
        plan: of the loop.
        batch: slices a step.
        mixture: as for the lesion model.
        scanner: as for the lesion model.
        preprocessing: of the bundle.
    """
    torch.manual_seed(plan.seed)  # of the layer's weights
    device = next(encoder.parameters()).device
    heads = _Heads(encoder).to(device)
    draws = SliceDraws(pools_of(chests, plan.seed), mixture or Mixture(), scanner or Scanner(), preprocessing)

    def step(rng: np.random.Generator) -> Tensor:
        drawn = [draws.one(rng) for _ in range(batch)]
        images = slice_input(np.stack([hu for hu, _ in drawn]), HU, preprocessing)
        targets = torch.from_numpy(np.stack([findings(hu, labels) for hu, labels in drawn]))
        images = images.to(device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            logits = heads(images).float().cpu()
        known = torch.isfinite(targets)
        return binary_cross_entropy_with_logits(logits[known], targets[known])

    yield from fit(heads, step, None, "", plan, stage="Training the encoder")
