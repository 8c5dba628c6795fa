"""Studies whose lesions a reader marked or corrected, slice by slice: what a training set is written from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ctviewer.core.interpretation import Interpretation
from ctviewer.core.masks import BoxMask


@dataclass(frozen=True)
class MarkedSlice:
    """One slice that a reader looked at.

    Attributes:
        digest: `Volume.slice_digest`.
        sop_instance_uid: "" for formats without one, and for a frame of a multi-frame file.
        shape: rows and columns, as stored.
        outlines: class and pixels of each accepted, corrected or drawn finding, as stored; no rejected ones.
        complete: reviewed completely: what is unmarked is no lesion.
        image_class: what the slice shows, where the reader said it of the slice itself.
        origin: SHA-256 of the weights whose output the reader accepted unchanged here; "" where all is the reader's own.
    """

    digest: str
    sop_instance_uid: str
    shape: tuple[int, int]
    outlines: tuple[tuple[str, BoxMask], ...] = ()
    complete: bool = False
    image_class: str = ""
    origin: str = ""


@dataclass(frozen=True)
class MarkedStudy:
    """A series with marked slices.

    Attributes:
        content: `core.reading.content_digest` of all its slices: which pixels the marks are of.
        series_key: of the series as a scan finds it.
        place: the file, archive or folder that holds it, absolute.
        patient: `core.label.patient_digest`.
        classes: of the study as the reader states it, sorted; empty where nothing was stated.
        class_origin: `StudyLabel.origin`; "" without a class.
        stated: what the reader stated of images that do not say it themselves; None where nothing was.
        slices: those with outlines, a class of their own or a complete review, each once.
    """

    content: str
    series_key: str
    place: Path
    patient: str
    slices: tuple[MarkedSlice, ...]
    classes: tuple[str, ...] = ()
    class_origin: str = ""
    stated: Interpretation | None = None
