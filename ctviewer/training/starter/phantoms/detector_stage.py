"""Training of the lesion detector on single slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctviewer.core.events import Event
from ctviewer.models.metadata import Preprocessing
from ctviewer.models.preprocess import air_grey
from ctviewer.nets.one_shot import OneShot, Target
from ctviewer.training.augment import Pose, draw_grid, sample_grey, sample_labels, vary_grey
from ctviewer.training.starter.loop import Plan, fit
from ctviewer.training.starter.phantoms.detector_figures import detector_metrics
from ctviewer.training.starter.phantoms.prepared import PreparedStudy, Splits, components


def target(labels: NDArray[np.uint8]) -> Target:
    """A label map `[S, S]` as what the net learns from: every component is an instance."""
    found = components(labels)
    boxes = np.zeros((len(found), 4), np.float32)
    for i, (_, mask) in enumerate(found):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        boxes[i] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    masks = np.stack([m for _, m in found]) if found else np.zeros((0, *labels.shape), bool)
    values = torch.tensor([value for value, _ in found], dtype=torch.int64)
    return Target(torch.from_numpy(boxes), values, torch.from_numpy(masks.astype(np.uint8)))


def train_detector(
    net: OneShot,
    data: Splits,
    preprocessing: Preprocessing,
    plan: Plan,
    *,
    batch: int = 8,
    infected_share: float = 0.75,
    pose: Pose | None = None,
) -> Iterator[Event]:
    """Train a detector in place.

    Args:
        net: with the classes of `LABEL_CLASSES`.
        data: prepared studies; all slices of the validation part are used, so choose few.
        preprocessing: of the bundle.
        plan: of the loop.
        batch: slices a step.
        infected_share: share of slices with lesions in a batch; healthy lung is the hard part.
        pose: augmentation.
    """
    draw = _batches(data.train, preprocessing, batch, infected_share, pose or Pose())

    def step(rng: np.random.Generator) -> Tensor:
        images, targets = draw(rng)
        with torch.autocast("cpu", torch.bfloat16):
            losses = net.segmentation_losses(images, targets)
        return torch.stack([value.float() for value in losses.values()]).sum()

    def validate() -> Mapping[str, float]:
        return detector_metrics(net, data.validation, preprocessing)

    yield from fit(net, step, validate, "goal", plan, stage="Training the lesion detector")


def _batches(
    studies: Sequence[PreparedStudy], p: Preprocessing, batch: int, infected_share: float, pose: Pose
) -> Callable[[np.random.Generator], tuple[Tensor, list[Target]]]:
    slices = [(s, i) for s in studies for i in range(len(s.grey))]
    infected = np.concatenate([s.lesion_pixels.sum(axis=1) > 0 for s in studies])
    pools = np.flatnonzero(infected), np.flatnonzero(~infected)
    air, sick = air_grey(p), round(batch * infected_share)

    def draw(rng: np.random.Generator) -> tuple[Tensor, list[Target]]:
        picks = np.concatenate([rng.choice(pools[0], sick), rng.choice(pools[1], batch - sick)])
        chosen = [slices[i] for i in picks]
        grey = torch.from_numpy(np.stack([s.grey[i] for s, i in chosen])).float()[:, None]
        labels = torch.from_numpy(np.stack([s.labels[i] for s, i in chosen]))
        grid = draw_grid(pose, rng, batch, p.size, p.size)
        images = vary_grey(sample_grey(grey, grid, air), pose, rng, together=False)
        targets = [target(m) for m in sample_labels(labels, grid).numpy()]
        return (images - p.mean[0]) / p.std[0], targets

    return draw
