"""The one-shot model over a volume, slice by slice in the order of attention: lesions, lungs, and what each slice shows."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import TypeVar

import numpy as np
from torch import Tensor, nn

from ctviewer.core.analysis_events import SliceSegmented
from ctviewer.core.errors import DeviceError
from ctviewer.core.events import Event, Message, Progress
from ctviewer.core.findings import Instance, Lungs, Roi, SliceClasses
from ctviewer.core.lesions import merge_overlapping
from ctviewer.core.lungs import LungMeter
from ctviewer.core.measure import Midline
from ctviewer.core.volume import Volume
from ctviewer.inference.device import CPU
from ctviewer.inference.engine import Engine
from ctviewer.models.bundle import Bundle
from ctviewer.models.placement import Placement
from ctviewer.models.postprocess import instances, lung_classes, regions
from ctviewer.nets.one_shot import SliceAnswer

T = TypeVar("T")

MARKING = "Marking lesions"
_MOST_PER_STEP = 32  # what fits is measured; a step is no longer than a cancelled job may wait


@dataclass(frozen=True, eq=False)
class Found:
    """What the one-shot model found in a series.

    Attributes:
        instances: of lesion classes; those of one class that overlap on a slice are merged.
        slice_classes: None where the model tells none.
        rois: what it looked at for them, by slice.
        lungs: None without lung masks.
    """

    instances: tuple[Instance, ...] = ()
    slice_classes: SliceClasses | None = None
    rois: tuple[Roi, ...] = field(default=())
    lungs: Lungs | None = None


def load(engine: Engine) -> Iterator[Message]:
    """Build the net and choose its precision; see `Engine.load`."""
    return engine.load(_features)


def detect(
    volume: Volume, engine: Engine, order: Sequence[int], midline: Midline = None
) -> Generator[Event, None, Found]:
    """Outline lesions and tell the class of each slice.

    Args:
        volume: in HU.
        engine: of a one-shot model's bundle, loaded.
        order: volume indices, what matters most first.
        midline: see `core.measure.measure`: parts the lungs.

    Yields:
        `SliceSegmented` for every slice, `Progress`, and messages of the engine.

    Raises:
        DeviceError: the net gave values that are not finite.
    """
    threshold = engine.bundle.metadata.thresholds.detection_score
    findings = _Findings(volume, engine.bundle, midline)
    done = 0
    yield Progress(MARKING, 0, len(order))

    def call(net: nn.Module, batch: Tensor) -> list[SliceAnswer]:
        answers: list[SliceAnswer] = net.analyse(batch, threshold)  # type: ignore[operator]  # nn.Module's __getattr__
        return [_on_cpu(answer) for answer in answers]

    # one at a time on a CPU: each is shown as soon as it is there
    for chunk in engine.chunks(volume, order, call, 1 if engine.device == CPU else _MOST_PER_STEP):
        if isinstance(chunk, Message):
            yield chunk
            continue
        for index, answer in zip(chunk.indices, chunk.output, strict=True):
            done += 1
            yield findings.take(index, answer)
        yield Progress(MARKING, done, len(order))
    return findings.found()


class _Findings:
    """Turns answers of the net into findings of the volume; lung masks are measured and dropped slice by slice."""

    def __init__(self, volume: Volume, bundle: Bundle, midline: Midline) -> None:
        m = bundle.metadata
        self._bundle, self._placement = bundle, Placement.of(volume.geometry, m.preprocessing.size)
        self._lung_classes = lung_classes(m.classes, m.lesion_classes)
        self._lungs = LungMeter(volume, midline)
        self._logits = np.full((volume.slice_count, len(m.image_classes)), np.nan)
        self._instances: list[Instance] = []
        self._rois: list[Roi] = []

    def take(self, index: int, answer: SliceAnswer) -> SliceSegmented:
        """What the net says of one slice."""
        m, placement = self._bundle.metadata, self._placement
        logits = answer.logits.double().numpy()
        if not np.isfinite(logits).all():
            name = self._bundle.info.name
            raise DeviceError(f"The model {name} gave values that are not finite; no result is shown.")
        outlines = instances(answer.detections, index, m.classes, placement, m.thresholds.detection_score)
        lesions = merge_overlapping(i for i in outlines if i.label in m.lesion_classes)
        lungs = [i.mask for i in outlines if i.label in self._lung_classes]
        rois = regions(answer.rois, index, m.classes, placement)
        if self._lung_classes:
            self._lungs.add(index, lungs, [i.mask for i in lesions])
        self._logits[index] = logits
        self._instances += lesions
        self._rois += rois
        return SliceSegmented(index, lesions, tuple(logits.tolist()), rois)

    def found(self) -> Found:
        """What all slices gave."""
        m = self._bundle.metadata
        told = None
        if m.image_classes:
            told = SliceClasses(self._bundle.info, m.image_classes, m.negative_class, self._logits)
        rois = tuple(sorted(self._rois, key=lambda roi: roi.slice_index))  # stable: in their own order on each slice
        return Found(tuple(self._instances), told, rois, self._lungs.lungs())


def _on_cpu(parts: T) -> T:
    """An answer with its tensors on the CPU: what a GPU holds of it can go."""
    moved = {}
    for item in fields(parts):  # type: ignore[arg-type]  # dataclasses of tensors and of such dataclasses
        value = getattr(parts, item.name)
        moved[item.name] = value if value is None else value.cpu() if isinstance(value, Tensor) else _on_cpu(value)
    return type(parts)(**moved)


def _features(net: nn.Module, batch: Tensor) -> Tensor:
    """The costly part of the net: the feature pyramid."""
    maps: Tensor = net.features(batch)  # type: ignore[operator]  # nn.Module's __getattr__
    return maps
