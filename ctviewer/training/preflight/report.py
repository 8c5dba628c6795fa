"""What pre-flight has to say before a run starts, as plain data, lines and JSON. Patients are named here and nowhere else."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ctviewer.core.records import read_record
from ctviewer.core.words import amount_text, counted
from ctviewer.models.metadata import Metric
from ctviewer.training.splits import Split

SCHEMA = 1
ALL_FACTS = "all of these together"
SUSPICIOUS_AUC = 0.7  # from which a fact alone predicts a class well enough to be learned instead of the disease
CROSS_VALIDATION = "cross-validation"  # code of the finding that the run judges by it
OF_SLICES, OF_OUTLINES = "slices of a class", "outlines of"  # tables of how much of a class each part holds
_MOST_NAMED = 5


class Severity(Enum):
    """What a finding does to a run."""

    ERROR = "error"  # blocks it
    DOUBT = "doubt"  # wants a tick
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """One thing that pre-flight found.

    Attributes:
        severity: what it does to the run.
        code: stable identifier in kebab-case.
        text: one sentence.
        studies: which it concerns; empty: the data as a whole.
    """

    severity: Severity
    code: str
    text: str
    studies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Count:
    """How much of a class a part holds.

    Attributes:
        part: "train", "val", "test" or "external:NAME".
        label: the class.
        studies, patients: how many.
    """

    part: str
    label: str
    studies: int
    patients: int


@dataclass(frozen=True)
class CrossTable:
    """Studies by a fact and by class.

    Attributes:
        fact: its name.
        rows: values of the fact.
        classes: the columns; a study of several classes counts in each.
        counts: `[rows][classes]`.
    """

    fact: str
    rows: tuple[str, ...]
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Shortcut:
    """How well facts alone predict a class, on patients they were not fitted to.

    Attributes:
        fact: its name, or `ALL_FACTS`.
        label: the class, against all others.
        auc: area under the ROC curve over studies, out of fold.
        low, high: 95 % interval by bootstrap over patients; None where there is none.
        patients: how many.
    """

    fact: str
    label: str
    auc: float
    low: float | None
    high: float | None
    patients: int


@dataclass(frozen=True)
class Width:
    """The 95 % interval of an area under the ROC curve that a number of patients can give (Hanley and McNeil).

    Attributes:
        part: "test", "val", or "cross-validation" where all patients are tested.
        label: the class, against all others.
        positives, negatives: patients.
        auc: the area assumed.
        low, high: the interval to expect.
    """

    part: str
    label: str
    positives: int
    negatives: int
    auc: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes:
        seconds: in all.
        memory: bytes at the most.
        disk: bytes of cached features; 0 where nothing is cached.
        steps: how many steps were timed.
    """

    seconds: float
    memory: int
    disk: int
    steps: int


@dataclass(frozen=True)
class PreflightReport:
    """All of it.

    Attributes:
        studies, patients: how many are listed.
        findings: errors first.
        split: what was checked; None where the data cannot be split.
        counts: by part and class.
        tables: class against each fact.
        shortcuts: how well facts alone predict a class.
        widths: intervals to expect.
        estimate: None where no step was timed.
        baseline: figures of the base model on the local hold-out.
        data_sha256: over ids, classes and pixels, by part.
        study_sha256: over the pixels, by study that could be read.
        unit: what one of the "studies" is: a scan of labelled slices for a one-shot model.
        train_only: studies that must never judge although their labels do not say so.
        outlined, slice_classes: of a one-shot run, the classes that label maps show, and those that slices have.
        slices: of a one-shot run, how many, by part and kind: "train/lesions", "val/images".
        images: of a one-shot run, digests of single slices by scan, whatever their labels.
    """

    studies: int
    patients: int
    findings: tuple[Finding, ...]
    split: Split | None = None
    counts: tuple[Count, ...] = ()
    tables: tuple[CrossTable, ...] = ()
    shortcuts: tuple[Shortcut, ...] = ()
    widths: tuple[Width, ...] = ()
    estimate: Estimate | None = None
    baseline: tuple[Metric, ...] = ()
    data_sha256: Mapping[str, str] = dataclasses.field(default_factory=dict)
    study_sha256: Mapping[str, str] = dataclasses.field(default_factory=dict)
    unit: str = "study"
    train_only: tuple[str, ...] = ()
    outlined: tuple[str, ...] = ()
    slice_classes: tuple[str, ...] = ()
    slices: Mapping[str, int] = dataclasses.field(default_factory=dict)
    images: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    @property
    def blocked(self) -> bool:
        """Whether an error stands against the run."""
        return any(one.severity is Severity.ERROR for one in self.findings)

    @property
    def doubts(self) -> tuple[Finding, ...]:
        """What wants a tick."""
        return tuple(one for one in self.findings if one.severity is Severity.DOUBT)


def to_json(report: PreflightReport) -> dict[str, Any]:
    """Plain dicts and lists for `json.dumps`, with a number of their schema."""
    data = dataclasses.asdict(report)
    for plain, one in zip(data["findings"], report.findings, strict=True):
        plain["severity"] = one.severity.value
    return {"schema": SCHEMA, "blocked": report.blocked, **data}


def from_json(data: object) -> PreflightReport:
    """Read what `to_json` wrote, strictly.

    Raises:
        ValueError: another schema, or a missing, unknown or ill-typed field; the text is a clause that follows "because".
    """
    if not isinstance(data, dict):
        raise ValueError("it is not an object")
    if data.get("schema") != SCHEMA:
        raise ValueError(f"its schema is {data.get('schema')!r} and this program reads schema {SCHEMA}")
    body = {name: value for name, value in data.items() if name not in ("schema", "blocked")}
    return read_record(PreflightReport, body, "it", finite=False)


def to_lines(report: PreflightReport) -> tuple[str, ...]:
    """The report as plain text, a line each."""
    return tuple(_lines(report))


def _lines(report: PreflightReport) -> Iterator[str]:
    errors = sum(one.severity is Severity.ERROR for one in report.findings)
    verdict = f"{errors} blocking" if errors else "nothing blocks the run"
    yield f"{_of(report.studies, report.patients, report.unit)}: {verdict}, {len(report.doubts)} doubtful."
    for one in report.findings:
        named = f" [{_named(one.studies)}]" if one.studies else ""
        yield f"{one.severity.value.upper()}: {one.text}{named}"
    yield from _count_lines(report)
    for table in report.tables:
        yield from _table_lines(table)
    if report.shortcuts:
        yield (
            "How well such facts alone predict a class (AUC on patients not fitted to, 95 % interval; 0.5 or less: not at all):"
        )
    for found in report.shortcuts:
        yield f"  {found.label} by {found.fact}: {interval_text(found.auc, found.low, found.high)}"
    if report.widths:
        yield "What this many patients can show at best (95 % interval of the AUC):"
    for width in report.widths:
        yield (
            f"  {width.part}, {width.label}, {width.positives} patients with and {width.negatives} without: "
            f"{interval_text(width.auc, width.low, width.high)}"
        )
    if report.baseline:
        yield "The base model on these studies:"
    for metric in report.baseline:
        yield f"  {metric.name}: {interval_text(metric.value, metric.low, metric.high)} ({metric.n} {metric.unit}, {metric.data})"
    if report.estimate is not None:
        yield _estimate_line(report.estimate)


def _count_lines(report: PreflightReport) -> Iterator[str]:
    for part in dict.fromkeys(count.part for count in report.counts):
        found = [count for count in report.counts if count.part == part]
        shown = ", ".join(f"{one.label} {_of(one.studies, one.patients, report.unit)}" for one in found)
        yield f"{part}: {shown}"


def _table_lines(table: CrossTable) -> Iterator[str]:
    heading = (table.fact, *table.classes)
    rows = [heading, *((name, *map(str, counts)) for name, counts in zip(table.rows, table.counts, strict=True))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heading))]
    for row in rows:
        cells = (row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)))
        yield "  " + "  ".join(cells)


def _estimate_line(estimate: Estimate) -> str:
    minutes = max(1, round(estimate.seconds / 60))
    time = "a minute" if minutes == 1 else f"{minutes} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
    steps = "one timed step" if estimate.steps == 1 else f"{estimate.steps} timed steps"
    return (
        f"The run takes about {time}, {amount_text(estimate.memory)} of memory and {amount_text(estimate.disk)} of disk "
        f"(from {steps})."
    )


def interval_text(value: float, low: float | None, high: float | None) -> str:
    """`0.85 (0.78 to 0.92)`; without an interval the value alone."""
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f} ({low:.2f} to {high:.2f})"


def _of(studies: int, patients: int, unit: str) -> str:
    return f"{counted(studies, unit)} of {counted(patients, 'patient')}"


def _named(studies: tuple[str, ...]) -> str:
    more = len(studies) - _MOST_NAMED
    return ", ".join(studies[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
