"""What a reader says a study shows, which models had answered before, and where the study lies: what models learn from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from ctviewer.core.findings import StudyClassification
from ctviewer.core.interpretation import Interpretation
from ctviewer.core.series import Series

LONGEST_CLASS = 60
_SEPARATOR = "|"  # between the classes of one study in tables of labels


@dataclass(frozen=True)
class SeenAnswer:
    """What a model had said of the study when the reader stated its class.

    Attributes:
        name, version, sha256: of the model, as in `ModelInfo`; the hash of its weights identifies it.
        classes: `StudyClassification.answer`.
    """

    name: str
    version: str
    sha256: str
    classes: tuple[str, ...]

    @classmethod
    def of(cls, told: StudyClassification) -> SeenAnswer:
        """The answer in a classification."""
        return cls(told.model.name, told.model.version, told.model.sha256, told.answer)

    @property
    def model(self) -> str:
        """Name and version, for people."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class StudyLabel:
    """The class of a study as the reader states it, with its provenance.

    Attributes:
        classes: at least one, sorted; several where the reader says that several are there.
        seen: the answers that were known when it was stated, newest first; empty: stated before any model spoke.
        stated_at: ISO 8601, UTC.
    """

    classes: tuple[str, ...]
    seen: tuple[SeenAnswer, ...] = ()
    stated_at: str = ""

    @classmethod
    def stated(cls, classes: Collection[str], known: Iterable[StudyClassification], at: str) -> StudyLabel:
        """A label stated now.

        Args:
            classes: what the reader says.
            known: answers that the reader has seen, newest first; of each model the first counts.
            at: ISO 8601, UTC.
        """
        seen: dict[str, SeenAnswer] = {}
        for told in known:
            seen.setdefault(told.model.sha256, SeenAnswer.of(told))
        return cls(tuple(sorted(set(classes))), tuple(seen.values()), at)

    @property
    def text(self) -> str:
        """The classes for people."""
        return ", ".join(self.classes)

    @property
    def accepted(self) -> SeenAnswer | None:
        """The newest model answer that says the same and was known: the label is that model's output, accepted."""
        return next((answer for answer in self.seen if set(answer.classes) == set(self.classes)), None)

    @property
    def origin(self) -> str:
        """Where it comes from, in words."""
        if self.accepted is not None:
            return f"accepted from {self.accepted.model}"
        if self.seen:
            return f"reader's own, against {self.seen[0].model}"
        return "reader's own, before any model's answer"

    def knows(self, models: Collection[str]) -> bool:
        """Whether an answer of one of these models (SHA-256 of weights) was known when it was stated.

        Such a study cannot judge that model, whether the reader agreed or not: those that agreed repeat its answer, and
        a hold-out of only those that disagreed would hold nothing but its errors.
        """
        return any(answer.sha256 in models for answer in self.seen)


@dataclass(frozen=True)
class LabelledStudy:
    """A study that was read and labelled.

    Attributes:
        content: `Reading.content`: which pixels the label is of.
        series_key: of the series as a scan finds it.
        place: the file, archive or folder that holds it.
        patient: `patient_digest`.
        label: what it shows.
        stated: what the reader stated of images that do not say it themselves; None where nothing was.
    """

    content: str
    series_key: str
    place: Path
    patient: str
    label: StudyLabel
    stated: Interpretation | None = None


def class_name(text: str, known: Collection[str] = ()) -> str:
    """A class as the reader typed it, usable in a table: one line, not too long, spelled as one that is known already."""
    printable = "".join(c if c.isprintable() and c != _SEPARATOR else " " for c in text)
    plain = " ".join(printable.split())[:LONGEST_CLASS].strip()
    return next((name for name in known if name.casefold() == plain.casefold()), plain)


def patient_digest(series: Series) -> str:
    """What stands for the patient outside the program: one value per patient ID, else per name and date of birth.

    Where the files name nobody, every study counts as a patient of its own.
    """
    patient, name = series.patient, series.owner[1]
    told: tuple[str, ...]
    if patient.patient_id.strip():
        told = ("id", patient.patient_id.strip())
    elif name:
        told = ("name", name, patient.birth_date)
    else:
        told = ("study", series.study.uid or series.key)
    return hashlib.sha256("\0".join(("ctviewer patient", *told)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def place_of(series: Series) -> Path | None:
    """The narrowest place that a scan finds the series in again: a file, an archive, or the folder of its slices.

    None where the slices have nothing in common, or lie nowhere (made in memory).
    """
    paths = {ref.path.absolute() for ref in series.slices}
    if not paths:
        return None
    try:
        common = Path(os.path.commonpath(paths))
    except ValueError:  # on two drives
        return None
    while not common.exists() and common != common.parent:  # a place in an archive: the archive itself
        common = common.parent
    return None if common == common.parent else common
