"""The lesion detector over a volume, slice by slice in the order of attention."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from torch import Tensor, nn

from ctviewer.core.events import Event, Message, Progress
from ctviewer.core.findings import Instance, SliceSegmented
from ctviewer.core.lesions import merge_overlapping
from ctviewer.core.volume import Volume
from ctviewer.inference.device import CPU
from ctviewer.inference.engine import Engine
from ctviewer.models.placement import Placement
from ctviewer.models.postprocess import instances
from ctviewer.nets.one_shot import Detections, SliceAnswer

MARKING = "Marking lesions"
_MOST_PER_STEP = 8


def load(engine: Engine) -> Iterator[Message]:
    """Build the detector and choose its precision; see `Engine.load`."""
    return engine.load(_features)


def detect(volume: Volume, engine: Engine, order: Sequence[int]) -> Generator[Event, None, tuple[Instance, ...]]:
    """Outline lesions.

    Args:
        volume: in HU.
        engine: of a detector's bundle, loaded.
        order: volume indices, what matters most first.

    Yields:
        `SliceSegmented` for every slice, `Progress`, and messages of the engine.

    Returns:
        All instances of lesion classes; those of one class that overlap on a slice are merged.
    """
    m = engine.bundle.metadata
    placement, threshold = Placement.of(volume.geometry, m.preprocessing.size), m.thresholds.detection_score
    found: list[Instance] = []
    done = 0
    yield Progress(MARKING, 0, len(order))

    def call(net: nn.Module, batch: Tensor) -> list[Detections]:
        answers: list[SliceAnswer] = net.analyse(batch, threshold)  # type: ignore[operator]  # nn.Module's __getattr__
        return [answer.detections for answer in answers]

    # one at a time on a CPU: each is shown as soon as it is there
    for chunk in engine.chunks(volume, order, call, 1 if engine.device == CPU else _MOST_PER_STEP):
        if isinstance(chunk, Message):
            yield chunk
            continue
        for index, detections in zip(chunk.indices, chunk.output, strict=True):
            all_classes = instances(detections, index, m.classes, placement, threshold)
            lesions = merge_overlapping(i for i in all_classes if i.label in m.lesion_classes)
            found += lesions
            done += 1
            yield SliceSegmented(index, lesions)
        yield Progress(MARKING, done, len(order))
    return tuple(found)


def _features(net: nn.Module, batch: Tensor) -> Tensor:
    """The costly part of the net: the feature pyramid."""
    maps: Tensor = net.features(batch)  # type: ignore[operator]  # nn.Module's __getattr__
    return maps
