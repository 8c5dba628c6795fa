"""The study classifier over a volume: slices through the encoder in chunks, then the aggregator over all of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ctviewer.core.errors import DeviceError, InputError
from ctviewer.core.events import Event, Message, Progress
from ctviewer.core.findings import SliceScore, StudyClassification
from ctviewer.core.volume import Volume
from ctviewer.inference.engine import Engine
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import Metadata
from ctviewer.models.preprocess import study_order
from ctviewer.models.probabilities import class_probabilities
from ctviewer.nets.aggregators import StudyOutput

CLASSIFYING = "Classifying slices"
_MOST_PER_STEP = 64


def load(engine: Engine) -> Iterator[Message]:
    """Build the classifier and choose its precision; see `Engine.load`."""
    return engine.load(_encode)


def classify(volume: Volume, engine: Engine) -> Generator[Event, None, StudyClassification]:
    """Classify a study.

    Args:
        volume: in HU, all slices loaded; those that failed to decode are left out.
        engine: of a study classifier's bundle, loaded.

    Yields:
        `Progress` and messages of the engine.

    Returns:
        The classification; its weights are by volume index, NaN where a slice was left out.

    Raises:
        InputError: no slice could be read.
        DeviceError: the net gave values that are not finite.
    """
    order = [int(i) for i in study_order(volume)]
    if not order:
        raise InputError("No slice of the series could be read, so it cannot be classified.")
    yield Progress(CLASSIFYING, 0, len(order))
    features: list[Tensor] = []
    done = 0
    for chunk in engine.chunks(volume, order, _encode_to_cpu, _MOST_PER_STEP):
        if isinstance(chunk, Message):
            yield chunk
            continue
        features.append(chunk.output)
        done += len(chunk.indices)
        yield Progress(CLASSIFYING, done, len(order))
    out: StudyOutput = yield from engine.run(_aggregate, torch.cat(features)[None])
    if not bool(torch.isfinite(out.logits).all()):
        raise DeviceError(f"The model {engine.bundle.info.name} gave values that are not finite; no result is shown.")
    return _classification(volume.slice_count, engine.bundle, order, out)


def _encode(net: nn.Module, batch: Tensor) -> Tensor:
    features: Tensor = net.encode(batch)  # type: ignore[operator]  # nn.Module's __getattr__
    return features


def _encode_to_cpu(net: nn.Module, batch: Tensor) -> Tensor:
    return _encode(net, batch).float().cpu()


def _aggregate(net: nn.Module, features: Tensor) -> StudyOutput:
    out: StudyOutput = net.aggregate(features)  # type: ignore[operator]  # nn.Module's __getattr__
    attention, evidence, slice_logits = (
        None if t is None else t.cpu() for t in (out.attention, out.evidence, out.slice_logits)
    )
    return StudyOutput(out.logits.cpu(), attention, evidence, slice_logits)


def _classification(slices: int, bundle: Bundle, order: list[int], out: StudyOutput) -> StudyClassification:
    """Name what the aggregator gave, and put it at its volume indices."""
    m = bundle.metadata
    score, per_slice = _slice_scores(m, out)
    weights = np.full(slices, np.nan)
    if per_slice is not None:
        weights[order] = per_slice
    evidence = None
    if out.evidence is not None:
        evidence = np.full((slices, len(m.classes)), np.nan)
        evidence[order] = out.evidence[0].double().numpy()
    return StudyClassification(
        model=bundle.info,
        probabilities=tuple(float(p) for p in class_probabilities(out.logits[0].numpy(), exclusive=m.exclusive)),
        negative_class=m.negative_class,
        threshold=m.thresholds.finding_probability,
        score=score,
        weights=weights,
        evidence=evidence,
    )


def _slice_scores(m: Metadata, out: StudyOutput) -> tuple[SliceScore, NDArray[np.float64] | None]:
    """What the aggregator exports per slice, under its own name; head to feet."""
    if out.attention is not None:
        return SliceScore.ATTENTION, out.attention[0].double().numpy()
    if out.slice_logits is None:
        return SliceScore.NONE, None
    probabilities = class_probabilities(out.slice_logits[0].numpy(), exclusive=m.exclusive)
    if m.negative_class:
        return SliceScore.PROBABILITY, 1.0 - probabilities[:, m.classes.index(m.negative_class)]
    return SliceScore.PROBABILITY, probabilities.max(axis=1)
