"""What a one-shot model said of slices whose truth is known: the common ground of its evaluation and comparison.

No torch, no pixels; patients by a digest. Of a detection the file keeps its score, how it overlaps what is marked, and what it
adds to the marked area: that gives each figure at each threshold, and costs bytes where masks would cost megabytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.records import Format
from ctviewer.training.predictions import Subject

_FORMAT = Format("ctviewer.slice-predictions", 1, "slice predictions")

LEAST_OVERLAP = 0.1
"""IoU from which an overlap is kept; no figure asks for less."""
OTHER = "lesion of a class that the model does not have"
"""Stands after the model's classes for all that is marked and that it cannot name: a lesion of any class, none of its own."""


@dataclass(frozen=True)
class SliceLesions:
    """Outlines on one slice whose lesions are marked: what is there, and what the model found.

    Truths and detections are columns of their own; detections fall by score. Pixels are those of the net's square.

    Attributes:
        complete: whether all lesions are marked; else a detection that meets nothing marked says nothing.
        truth_labels: index of the class; that of `OTHER` is the number of classes.
        truth_small: too small to count as an instance; what meets it says nothing.
        truth_lesions: number of the lesion within the scan: cross-sections of one have one number.
        labels: index of the class.
        scores: 0..1.
        matches: detection, truth, IoU of their masks, where it is at least `LEAST_OVERLAP`, whatever the classes.
        marked, hit: pixels that a detection adds to those of its class of a higher score, and how many are truly of it.
        marked_any, hit_any: the same for all lesion classes together; 0 where the class is no lesion (the lung).
        false, false_any: by how much the number of false findings of the class, and of lesions of any class, grows; false
            marks on neighbouring slices that overlap are one finding, so that a mark that joins two takes one away.
        truth_pixels: of each class (and of `OTHER`, where it was marked), small components included; the background's is 0.
        truth_any: of all lesion classes together.
        unmarked: classes that the set does not mark at all: a mark of theirs says nothing of its class, and counts among
            lesions of any class alone.
    """

    complete: bool
    truth_labels: tuple[int, ...]
    truth_small: tuple[bool, ...]
    truth_lesions: tuple[int, ...]
    labels: tuple[int, ...]
    scores: tuple[float, ...]
    matches: tuple[tuple[int, int, float], ...]
    marked: tuple[int, ...]
    hit: tuple[int, ...]
    marked_any: tuple[int, ...]
    hit_any: tuple[int, ...]
    false: tuple[int, ...]
    false_any: tuple[int, ...]
    truth_pixels: tuple[int, ...]
    truth_any: int
    unmarked: tuple[int, ...] = ()


@dataclass(frozen=True)
class SlicePrediction:
    """One slice.

    Attributes:
        scan: its id in the source.
        name: of the slice, once within the scan.
        patient: `predictions.patient_digest`.
        split: "val", "test", "external:NAME", or "cross-validation".
        truth: its image class; "" where nobody said it.
        logits: of `SlicePredictions.image_classes`; empty where the model was not asked.
        lesions: None where none are marked, or the model was not asked.
        content: SHA-256 of the pixels and labels of its scan, "" where unknown.
        image: digest of its own pixels alone, "" where unknown.
    """

    scan: str
    name: str
    patient: str
    split: str
    truth: str = ""
    logits: tuple[float, ...] = ()
    lesions: SliceLesions | None = None
    content: str = ""
    image: str = ""

    @property
    def has_class(self) -> bool:
        """Whether there is a class and an answer to compare."""
        return bool(self.truth and self.logits)


@dataclass(frozen=True)
class SlicePredictions:
    """Of one one-shot model on one set of slices.

    Attributes:
        model: "name version".
        classes: the background first.
        lesion_classes: those of them that are lesions.
        image_classes: order of the logits; empty where the model tells no classes of slices.
        negative_class: of `image_classes`; "" for none.
        threshold: score from which an instance is shown.
        cases: one per slice.
    """

    model: str
    classes: tuple[str, ...]
    lesion_classes: tuple[str, ...]
    image_classes: tuple[str, ...]
    negative_class: str
    threshold: float
    cases: tuple[SlicePrediction, ...]

    @property
    def patients(self) -> tuple[str, ...]:
        """Each once, sorted: the order of all weights of patients."""
        return tuple(sorted({case.patient for case in self.cases}))

    @property
    def lesion_values(self) -> tuple[int, ...]:
        """Index of each lesion class."""
        return tuple(self.classes.index(name) for name in self.lesion_classes)

    @property
    def any_lesion(self) -> tuple[int, ...]:
        """Index of all that is a lesion, `OTHER` included."""
        return (*self.lesion_values, len(self.classes))

    @property
    def has_others(self) -> bool:
        """Whether lesions are marked of a class that the model does not have."""
        return any(len(self.classes) in one.truth_labels for _, one in self.with_lesions)

    @property
    def with_lesions(self) -> Iterator[tuple[SlicePrediction, SliceLesions]]:
        """Slices whose lesions are marked."""
        return ((case, case.lesions) for case in self.cases if case.lesions is not None)

    @property
    def with_classes(self) -> tuple[SlicePrediction, ...]:
        """Slices of a known class that the model gave an answer to."""
        return tuple(case for case in self.cases if case.has_class)

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The scans."""
        found: dict[Subject, list[str]] = {}
        for case in self.cases:
            images = found.setdefault(Subject(case.scan, case.patient, case.split, case.content), [])
            images += [case.image] if case.image else []
        return tuple(replace(one, images=tuple(images)) for one, images in found.items())

    def of(self, split: str) -> SlicePredictions:
        """Those of one split."""
        return replace(self, cases=tuple(case for case in self.cases if case.split == split))

    def patient_numbers(self) -> dict[str, int]:
        """Place of each patient in `patients`."""
        return {patient: number for number, patient in enumerate(self.patients)}


def logits_of(cases: tuple[SlicePrediction, ...], classes: int) -> NDArray[np.float64]:
    """`[slices, classes]`."""
    return np.array([case.logits for case in cases], np.float64).reshape(len(cases), classes)


def write_slice_predictions(path: Path, predictions: SlicePredictions) -> None:
    """Write a file, atomically, readable by its owner alone.

    Raises:
        StorageError: it cannot be written.
    """
    _FORMAT.write(path, predictions)


def read_slice_predictions(path: Path) -> SlicePredictions:
    """Read what `write_slice_predictions` wrote.

    Raises:
        InputError: it cannot be read; the text names the file and the reason.
    """
    return _FORMAT.read(path, from_json)


def from_json(data: object) -> SlicePredictions:
    """From what `json.loads` gave.

    Raises:
        ValueError: it is something else, incomplete, or contradicts itself; the text is a clause after "because".
    """
    predictions = _FORMAT.from_json(SlicePredictions, data)
    _check(predictions)
    return predictions


def _check(p: SlicePredictions) -> None:
    lesions = [found for _, found in p.with_lesions]
    rules = (
        (len(set(p.classes)) == len(p.classes) > 1, "its classes are too few or repeat"),
        (set(p.lesion_classes) <= set(p.classes[1:]), "its lesion classes are not its classes"),
        (p.negative_class in (*p.image_classes, ""), f"its negative class {p.negative_class!r} is none of its classes"),
        (0.0 <= p.threshold < 1.0, "its threshold is not in 0..1"),
        (all(len(case.logits) in (0, len(p.image_classes)) for case in p.cases), "a slice has not one logit per class"),
        (all(math.isfinite(value) for case in p.cases for value in case.logits), "a logit is not finite"),
        (len({(case.scan, case.name) for case in p.cases}) == len(p.cases), "a slice is there twice"),
        (all(_fits(one, len(p.classes)) for one in lesions), "the detections of a slice contradict each other"),
    )
    for holds, why in rules:
        if not holds:
            raise ValueError(why)


def _fits(one: SliceLesions, classes: int) -> bool:
    """Whether columns are of one length, and what they name exists."""
    found, true = len(one.labels), len(one.truth_labels)
    columns = (one.scores, one.marked, one.hit, one.marked_any, one.hit_any, one.false, one.false_any)
    return (
        all(len(column) == found for column in columns)
        and len(one.truth_small) == len(one.truth_lesions) == true
        and len(one.truth_pixels) in (classes, classes + 1)
        and all(0 < label < classes for label in one.labels)
        and all(0 < label < len(one.truth_pixels) for label in one.truth_labels)
        and all(0 <= a < found and 0 <= b < true and 0.0 <= iou <= 1.0 for a, b, iou in one.matches)
        and list(one.scores) == sorted(one.scores, reverse=True)
    )
