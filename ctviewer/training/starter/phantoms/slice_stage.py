"""First stage of the study classifier: the encoder learns what single slices show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from ctviewer.core.events import Event
from ctviewer.models.metadata import Preprocessing
from ctviewer.models.metrics import auc_roc
from ctviewer.models.preprocess import air_grey, finish
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.augment import Pose, draw_grid, sample_grey, vary_grey
from ctviewer.training.starter.loop import Plan, fit
from ctviewer.training.starter.phantoms.prepared import PreparedStudy, Splits

_SMALLEST = 16  # pixels of a lesion below which a slice is neither infected nor clean


@dataclass(frozen=True)
class SliceTable:
    """All slices of some studies, by study.

    Attributes:
        study, index: `[m]`, position in the list of studies and slice in it.
        targets: `[m, 3]` float32: any lesion, ground glass, consolidation; NaN where too little is shown to tell.
        classes: `[m]` index of the study's class.
    """

    study: NDArray[np.intp]
    index: NDArray[np.intp]
    targets: NDArray[np.float32]
    classes: NDArray[np.intp]


def slice_targets(study: PreparedStudy) -> NDArray[np.float32]:
    """`[n, 3]`: see `SliceTable.targets`."""
    pixels = study.lesion_pixels
    pixels = np.concatenate([pixels.sum(axis=1, keepdims=True), pixels], axis=1)
    targets = (pixels >= _SMALLEST).astype(np.float32)
    targets[(pixels > 0) & (pixels < _SMALLEST)] = np.nan
    return targets


def slice_table(studies: Sequence[PreparedStudy], classes: Sequence[str]) -> SliceTable:
    """List the slices of studies."""
    counts = [len(s.grey) for s in studies]
    return SliceTable(
        np.repeat(np.arange(len(studies)), counts),
        np.concatenate([np.arange(c) for c in counts]),
        np.concatenate([slice_targets(s) for s in studies]),
        np.repeat([classes.index(s.label) for s in studies], counts),
    )


class SliceHeads(nn.Module):
    """Linear heads on the encoder for this stage only: three kinds of finding, and the study's class."""

    def __init__(self, encoder: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.findings = nn.Linear(features, 3)
        self.study = nn.Linear(features, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """`[n, 1, S, S]` to logits `[n, 3]` and `[n, classes]`."""
        features = self.encoder(images).float()
        return self.findings(features), self.study(features)


def slice_loss(findings: Tensor, study: Tensor, targets: Tensor, classes: Tensor) -> Tensor:
    """BCE over what is known of the findings, and CE of the class over infected slices: clean ones do not show it."""
    known = torch.isfinite(targets)
    loss = binary_cross_entropy_with_logits(findings[known], targets[known])
    infected = targets[:, 0] == 1
    return loss + cross_entropy(study[infected], classes[infected]) if bool(infected.any()) else loss


def train_encoder(
    net: StudyClassifier,
    data: Splits,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    plan: Plan,
    *,
    batch: int = 32,
    pose: Pose | None = None,
) -> Iterator[Event]:
    """Train `net.encoder` in place on slices, half of each batch infected.

    Args:
        net: whose encoder learns.
        data: prepared studies.
        classes: study classes in order.
        preprocessing: of the bundle.
        plan: of the loop.
        batch: slices a step.
        pose: augmentation.
    """
    heads = SliceHeads(net.encoder, net.encoder.out_features, len(classes))
    table = slice_table(data.train, classes)
    draw = _batches(data.train, table, preprocessing, batch, pose or Pose())

    def step(rng: np.random.Generator) -> Tensor:
        images, rows = draw(rng)
        with torch.autocast("cpu", torch.bfloat16):
            findings, study = heads(images)
        targets, labels = torch.from_numpy(table.targets[rows]), torch.from_numpy(table.classes[rows])
        return slice_loss(findings, study, targets, labels)

    def validate() -> Mapping[str, float]:
        return _slice_metrics(heads, data.validation, slice_table(data.validation, classes), preprocessing)

    yield from fit(heads, step, validate, "goal", plan, stage="Training the slice encoder")


def _batches(
    studies: Sequence[PreparedStudy], table: SliceTable, p: Preprocessing, batch: int, pose: Pose
) -> Callable[[np.random.Generator], tuple[Tensor, NDArray[np.intp]]]:
    pools = [np.flatnonzero(table.targets[:, 0] == value) for value in (1.0, 0.0)]
    air = air_grey(p)

    def draw(rng: np.random.Generator) -> tuple[Tensor, NDArray[np.intp]]:
        rows = np.concatenate([rng.choice(pool, batch // 2) for pool in pools])
        squares = np.stack([studies[table.study[r]].grey[table.index[r]] for r in rows])
        grey = torch.from_numpy(squares).float()[:, None]
        grid = draw_grid(pose, rng, len(rows), p.size, p.crop)
        images = vary_grey(sample_grey(grey, grid, air), pose, rng, together=False)
        return (images - p.mean[0]) / p.std[0], rows

    return draw


def _slice_metrics(
    heads: SliceHeads, studies: Sequence[PreparedStudy], table: SliceTable, p: Preprocessing
) -> dict[str, float]:
    """AUC of infected against clean slices, accuracy of the class on infected ones, and their mean as the goal."""
    found, guessed = [], []
    for study in studies:
        findings, classes = heads(finish(torch.from_numpy(study.grey).float()[:, None], p))
        found.append(findings[:, 0].numpy())
        guessed.append(classes.argmax(dim=1).numpy())
    known = np.isfinite(table.targets[:, 0])
    infected = table.targets[:, 0] == 1
    auc = auc_roc(np.concatenate(found)[known], infected[known])
    accuracy = float((np.concatenate(guessed) == table.classes)[infected].mean()) if infected.any() else 0.0
    return {"slice AUC": auc, "class accuracy": accuracy, "goal": (auc + accuracy) / 2}
