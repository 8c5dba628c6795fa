"""Events of the analysis pipeline, in the order they come."""

from __future__ import annotations

from dataclasses import dataclass, field

from ctviewer.core.events import Event
from ctviewer.core.findings import Instance, Roi, StudyClassification, Suitability


@dataclass(frozen=True)
class SuitabilityChecked(Event):
    """The first event of every analysis."""

    suitability: Suitability


@dataclass(frozen=True)
class StudyClassified(Event):
    """The study classifier has spoken."""

    classification: StudyClassification


@dataclass(frozen=True)
class SliceSegmented(Event):
    """The one-shot model has looked at one slice.

    Attributes:
        slice_index: volume index.
        instances: outlines of lesions.
        class_logits: of the bundle's image classes; empty where it tells none.
        rois: what it looked at for them.
    """

    slice_index: int
    instances: tuple[Instance, ...] = field(default=())
    class_logits: tuple[float, ...] = ()
    rois: tuple[Roi, ...] = ()


@dataclass(frozen=True)
class Abstained(Event):
    """The analysis ends without a number; the reasons are sentences."""

    suitability: Suitability
