"""What `ctviewer info` tells, gathered before it is laid out as text or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ctviewer.app.progress import ProgressLine, drain
from ctviewer.core.errors import InputError
from ctviewer.core.series import Catalog, Patient, Series, Study
from ctviewer.core.summary import Concern, SeriesSummary, ValueRange
from ctviewer.dicom import concern, measure, summarise

PRIVATE = (
    "Patient, dates and accession numbers are left out (--patient shows them). Descriptions, file names and UIDs are as "
    "in the files: look through them before you send this to anyone."
)
IDENTIFYING = "This holds patient data."


@dataclass(frozen=True)
class Entry:
    """One series.

    Attributes:
        place: number in the list, from 1; the first readable one is what the window opens by itself.
        values: the range of its values; None where pixels were not read.
    """

    place: int
    summary: SeriesSummary
    values: ValueRange | None


@dataclass(frozen=True)
class StudyReport:
    """Series of one study."""

    study: Study
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class PatientReport:
    """Studies of one patient."""

    patient: Patient
    studies: tuple[StudyReport, ...]


@dataclass(frozen=True)
class Report:
    """All that is told.

    Attributes:
        root: what was looked at, as it was given.
        patients: in the order of their best series.
        concerns: what concerns no single series.
        identifying: whether patient data are to be shown.
        listed: how many series there are, also where one was asked for alone.
    """

    root: Path
    patients: tuple[PatientReport, ...]
    concerns: tuple[Concern, ...]
    identifying: bool
    listed: int

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All series told of, in the order of the list."""
        found = (entry for patient in self.patients for study in patient.studies for entry in study.entries)
        return tuple(sorted(found, key=lambda entry: entry.place))


def gather(catalog: Catalog, wanted: str | None, line: ProgressLine, *, pixels: bool, identifying: bool) -> Report:
    """Summaries of the series of a catalog, and the range of their values.

    Args:
        catalog: of a scan.
        wanted: key or UID of the series asked for; None for all.
        line: shows how far the reading of pixels is.
        pixels: whether to read them, slice by slice.
        identifying: whether patient data are to be shown.

    Raises:
        InputError: the series asked for is not there.
    """
    chosen = [
        (place, one) for place, one in enumerate(catalog.series, 1) if wanted is None or wanted in (one.key, one.uid)
    ]
    if not chosen:
        raise InputError(f"{catalog.root} holds no series {wanted}.")
    entries = [(one, Entry(place, summarise(one), _values(one, line) if pixels else None)) for place, one in chosen]
    return Report(
        root=catalog.root,
        patients=_grouped(entries),
        concerns=tuple(concern(notice) for notice in catalog.notices),
        identifying=identifying,
        listed=len(catalog.series),
    )


def _values(series: Series, line: ProgressLine) -> ValueRange | None:
    found: ValueRange | None = drain(measure(series), line) if series.readable else None
    return found


def _grouped(entries: Sequence[tuple[Series, Entry]]) -> tuple[PatientReport, ...]:
    """By patient, then by study, each in the order of its first series."""
    patients: dict[tuple[str, str], dict[str, list[tuple[Series, Entry]]]] = {}
    for one, entry in entries:
        patients.setdefault(one.owner, {}).setdefault(one.study.uid, []).append((one, entry))
    return tuple(
        PatientReport(
            next(iter(studies.values()))[0][0].patient,
            tuple(StudyReport(found[0][0].study, tuple(entry for _, entry in found)) for found in studies.values()),
        )
        for studies in patients.values()
    )
