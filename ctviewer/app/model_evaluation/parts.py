"""What each part of the evaluation gets, and what it gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctviewer.app.progress import ProgressLine
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import Metric

LESIONS, PATIENTS, SCOPE, PHANTOMS = "lesions", "patients", "scope", "phantoms"
CALIBRATION, ATTENTION = "calibration", "attention"
YE, TER_SARKISOV = "ye", "ter-sarkisov"
PARTS = (SCOPE, CALIBRATION, ATTENTION, PHANTOMS, PATIENTS, LESIONS, YE, TER_SARKISOV)
"""In the order in which they are done: what takes minutes before what takes hours."""

BESIDE = ""
"""Stands for a bundle where figures are of none: baselines, and what others published."""


@dataclass(frozen=True)
class Setting:
    """What all parts work with.

    Attributes:
        bundles: those to be judged.
        data: the folder of test data; need not exist.
        out: for what is made on the way and for the page.
        line: where progress goes.
        device: "cpu", "cuda" or "auto".
        log: where `patients` says that it looks, before it does.
        effort: share of the generated studies; below 1 in tests alone.
    """

    bundles: tuple[Bundle, ...]
    data: Path
    out: Path
    line: ProgressLine
    device: str = "cpu"
    log: Callable[[Mapping[str, Any]], None] = lambda _entry: None
    effort: float = 1.0

    def of(self, task: str) -> tuple[Bundle, ...]:
        """Those of one task."""
        return tuple(bundle for bundle in self.bundles if bundle.metadata.task == task)


@dataclass(frozen=True)
class Table:
    """Texts in rows; the first cell names the row."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Part:
    """What one part found.

    Attributes:
        name: of `PARTS`.
        title: for the page.
        figures: by the bundle's key; under `BESIDE` what they are compared with.
        notes: what a reader must know beside them.
        tables: rows that are no figures.
        skipped: why nothing was done; "" where something was.
        card_notes: sentences that go beside the figures on a data set (`Metric.data`) in every card.
        code: exit code of what was run; 0 where all went well.
    """

    name: str
    title: str
    figures: Mapping[str, Sequence[Metric]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    tables: Sequence[Table] = ()
    skipped: str = ""
    card_notes: Mapping[str, str] = field(default_factory=dict)
    code: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON; nothing in it differs between two runs on the same things."""
        figures = {key: [dataclasses.asdict(one) for one in metrics] for key, metrics in self.figures.items()}
        tables = [dataclasses.asdict(table) for table in self.tables]
        return {"title": self.title, "skipped": self.skipped, "figures": figures, "notes": list(self.notes),
                "tables": tables}  # fmt: skip


def rounded(one: Metric) -> Metric:
    """To four decimals: what is left does not differ between machines."""
    low, high = (None if end is None else round(end, 4) for end in (one.low, one.high))
    return dataclasses.replace(one, value=round(one.value, 4), low=low, high=high)


def figure(name: str, value: float, n: int, unit: str, data: str) -> Metric:
    """A figure without an interval.

    Args:
        name: what it is.
        value: is rounded.
        n: how many of `unit`.
        unit: "patient", "series".
        data: what it was measured on.
    """
    return rounded(Metric(name, float(value), None, None, n, unit, data))
