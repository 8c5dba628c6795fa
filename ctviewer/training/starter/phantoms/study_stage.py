"""Second stage of the study classifier: LSTM and attention learn on the encoder's features.

Features are computed once per study and draw. Their sequences are then cut and resampled at will, so that the
aggregator meets partial chests and every slice spacing: it is trained on 16 to 200 slices, whatever the studies have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from ctviewer.core.events import Event, Progress
from ctviewer.models.metadata import Preprocessing
from ctviewer.models.metrics import auc_roc
from ctviewer.models.preprocess import air_grey, finish
from ctviewer.nets.losses import attention_loss
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.augment import Pose, draw_grid, sample_grey, vary_grey
from ctviewer.training.starter.aggregator_stage import between, padded
from ctviewer.training.starter.loop import Plan, fit
from ctviewer.training.starter.phantoms.prepared import PreparedStudy


@dataclass(frozen=True, eq=False)
class EncodedStudy:
    """Features of one study.

    Attributes:
        features: `[draws, n, D]` float32; the first draw is without augmentation.
        infected: `[n]` float32, 1 where a lesion is shown.
        label: index of the class.
    """

    features: NDArray[np.float32]
    infected: NDArray[np.float32]
    label: int


def encode_study(net: StudyClassifier, images: Tensor, chunk: int = 16) -> Tensor:
    """`[n, 1, S, S]` to `[n, D]` float32, a chunk of slices at a time."""
    return torch.cat([net.encode(part).float() for part in torch.split(images, chunk)])


def encode_all(
    net: StudyClassifier,
    studies: Sequence[PreparedStudy],
    classes: Sequence[str],
    p: Preprocessing,
    into: list[EncodedStudy],
    *,
    draws: int = 0,
    seed: int = 0,
) -> Iterator[Event]:
    """Encode each study once plain and `draws` times augmented, one pose for all its slices; append to `into`."""
    rng, pose, air = np.random.default_rng(seed), Pose(), air_grey(p)
    net.eval()
    for done, study in enumerate(studies, 1):
        grey = torch.from_numpy(study.grey).float()[:, None]
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            features = [encode_study(net, finish(grey, p))]
            for _ in range(draws):
                grid = draw_grid(pose, rng, 1, p.size, p.crop).expand(len(grey), -1, -1, -1)
                images = vary_grey(sample_grey(grey, grid, air), pose, rng, together=True)
                features.append(encode_study(net, (images - p.mean[0]) / p.std[0]))
        infected = (study.lesion_pixels.sum(axis=1) > 0).astype(np.float32)
        into.append(EncodedStudy(torch.stack(features).numpy(), infected, classes.index(study.label)))
        yield Progress("Encoding studies", done, len(studies))


def resample(
    features: NDArray[np.float32], infected: NDArray[np.float32], rng: np.random.Generator, longest: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A part of a chest at another slice spacing; all of it where the part would show none of its lesions.

    Args:
        features: `[n, D]`.
        infected: `[n]`.
        rng: of the draw.
        longest: most slices of the result.

    Returns:
        `[m, D]` and `[m]`. What shows lesions keeps at least one of them.
    """
    n = len(features)
    first, last = 0, n - 1
    if rng.random() < 0.5:
        kept = max(4, int(rng.uniform(0.5, 1.0) * n))
        first = int(rng.integers(0, max(1, n - kept)))
        last = min(n - 1, first + kept)
        if infected.any() and infected[first : last + 1].sum() < 1:
            first, last = 0, n - 1
    m = round(float(np.exp(rng.uniform(np.log(min(16, longest)), np.log(longest)))))
    at = np.linspace(first, last, m)
    return between(features, infected, at)


def train_aggregator(
    net: StudyClassifier,
    train: Sequence[EncodedStudy],
    validation: Sequence[EncodedStudy],
    negative: int,
    plan: Plan,
    *,
    batch: int = 16,
    longest: int = 200,
    supervision: float = 0.3,
) -> Iterator[Event]:
    """Train `net.aggregator` in place.

    Args:
        net: with an aggregator that has attention.
        train: of `encode_all`, with augmented draws.
        validation: of `encode_all`.
        negative: index of the negative class.
        plan: of the loop.
        batch: studies a step, drawn evenly over the classes.
        longest: most slices of a resampled study.
        supervision: weight of the attention loss.
    """
    draw = _batches(train, batch, longest)

    def step(rng: np.random.Generator) -> Tensor:
        features, lengths, targets, labels = draw(rng)
        out = net.aggregate(features, lengths)
        loss = cross_entropy(out.logits, labels)
        return loss if out.attention is None else loss + supervision * attention_loss(out.attention, targets)

    def validate() -> Mapping[str, float]:
        return _study_metrics(net, validation, negative)

    yield from fit(net.aggregator, step, validate, "goal", plan, stage="Training the study classifier")


def _batches(
    studies: Sequence[EncodedStudy], batch: int, longest: int
) -> Callable[[np.random.Generator], tuple[Tensor, Tensor, Tensor, Tensor]]:
    by_class = [[s for s in studies if s.label == label] for label in sorted({s.label for s in studies})]

    def draw(rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        chosen = [by_class[i % len(by_class)] for i in range(batch)]
        picked = [pool[int(rng.integers(len(pool)))] for pool in chosen]
        # one length limit per batch, so that short studies are not mostly padding
        limit = int(np.exp(rng.uniform(np.log(min(24, longest)), np.log(longest))))
        parts = [resample(s.features[rng.integers(len(s.features))], s.infected, rng, limit) for s in picked]
        return *padded(parts), torch.tensor([s.label for s in picked])

    return draw


def _study_metrics(net: StudyClassifier, studies: Sequence[EncodedStudy], negative: int) -> dict[str, float]:
    """Finding AUC, accuracy of the class, mean AUC of attention in infected studies; the goal weighs all three."""
    outs = [net.aggregate(torch.from_numpy(s.features[0])[None]) for s in studies]
    probabilities = torch.cat([o.logits for o in outs]).softmax(dim=1).numpy()
    labels = np.array([s.label for s in studies])
    found = auc_roc(1 - probabilities[:, negative], labels != negative)
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    likelihood = float(np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-6)).mean())
    aucs = [
        auc_roc(o.attention[0].numpy(), s.infected > 0)
        for o, s in zip(outs, studies, strict=True)
        if o.attention is not None
    ]
    attended = float(np.nanmean(aucs)) if np.isfinite(aucs).any() else 0.5
    goal = found + accuracy + attended + 0.1 * likelihood
    return {"finding AUC": found, "class accuracy": accuracy, "attention AUC": attended, "goal": goal}
