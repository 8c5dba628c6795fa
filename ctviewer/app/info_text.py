"""`ctviewer info` as text of at most 100 columns: a table of all series, then each with its facts and warnings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from ctviewer.app.info_report import IDENTIFYING, PRIVATE, Entry, Report
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.core.people import date_text, person_name, time_text
from ctviewer.core.series import Patient, Study
from ctviewer.core.summary import SeriesSummary
from ctviewer.core.summary_text import WIDTH, concern_lines, details, number, title
from ctviewer.core.words import counted

_HEADINGS = ("#", "Se", "type", "slices", "size", "apart", "plane", "description")
_RIGHT = (0, 1, 3, 5)  # columns of numbers


def as_text(report: Report) -> str:
    """The whole report, lines ended by newlines."""
    lines = [*_head(report), *_table(report)]
    for entry in report.entries:
        lines += ["", *_details(entry, report)]
    for one in report.concerns:
        lines += ["", *concern_lines(one)]
    lines += ["", *textwrap.wrap(f"{IDENTIFYING if report.identifying else PRIVATE} {RESEARCH_USE}", WIDTH)]
    return "\n".join(lines)


def printable(path: Path) -> str:
    """A path as one line without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in str(path))


def _head(report: Report) -> Iterator[str]:
    studies = sum(len(patient.studies) for patient in report.patients)
    yield printable(report.root)
    told = f"{counted(len(report.patients), 'patient')}, "
    told += f"{studies} {'study' if studies == 1 else 'studies'}, {report.listed} series"
    yield f"{told}; shown here: 1" if len(report.entries) < report.listed else told


def _table(report: Report) -> Iterator[str]:
    """One line per series under its study."""
    rows = {entry.place: _row(entry) for entry in report.entries}
    widths = [max(len(row[i]) for row in (_HEADINGS, *rows.values())) for i in range(len(_HEADINGS))]
    for number_, patient in enumerate(report.patients, 1):
        for place, study in enumerate(patient.studies, 1):
            yield ""
            yield from _study(number_, patient.patient, place, study.study, report)
            yield _columns(_HEADINGS, widths)
            yield from (_columns(rows[entry.place], widths) for entry in study.entries)


def _study(number_: int, patient: Patient, place: int, study: Study, report: Report) -> Iterator[str]:
    name = f"Patient {number_}" if len(report.patients) > 1 else "Patient"
    if report.identifying:
        told = (person_name(patient.name) or "no name", f"ID {patient.patient_id or 'none'}", patient.sex)
        born = f"born {date_text(patient.birth_date)}" if patient.birth_date else ""
        yield f"{name}: {', '.join(part for part in (*told, born) if part)}"
        when = f"{date_text(study.date)} {time_text(study.time)}".strip()
        parts = (when, study.description, f"accession {study.accession}" if study.accession else "")
        yield f"Study {place}: {', '.join(part for part in parts if part) or 'no date'}"
    else:
        description = f": {study.description}" if study.description else ""
        yield f"{name}, study {place}{description}"


def _row(entry: Entry) -> tuple[str, ...]:
    s = entry.summary
    size = f"{s.columns}x{s.rows}" if s.rows and s.columns else "-"
    apart = "-" if s.slice_spacing is None else f"{number(round(s.slice_spacing, 2))} mm"
    plane = s.plane if s.readable else "not shown"
    marked = " (!)" if any(one.severity.value != "info" for one in s.warnings) else ""
    name = f"{s.description or '-'}{marked}"
    se = "-" if s.number is None else str(s.number)
    return (str(entry.place), se, s.modality, str(s.slice_count), size, apart, plane, name)


def _columns(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.rjust(w) if i in _RIGHT else cell.ljust(w) for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
    ]
    line = "  ".join(padded).rstrip()
    return f"  {line}" if len(line) <= WIDTH - 2 else f"  {line[: WIDTH - 3]}…"


def _details(entry: Entry, report: Report) -> Iterator[str]:
    s: SeriesSummary = entry.summary
    heading = f"{entry.place}  {title(s)}" if report.listed > 1 else title(s)
    yield from textwrap.wrap(heading, WIDTH)
    yield from details(s, entry.values)
