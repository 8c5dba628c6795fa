"""The numbers of pre-flight: studies by part, shortcuts, what this many patients can show, what the run takes."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from ctviewer.core.words import amount_text, counted
from ctviewer.training.preflight.report import (
    ALL_FACTS,
    CROSS_VALIDATION,
    OF_OUTLINES,
    OF_SLICES,
    SUSPICIOUS_AUC,
    CrossTable,
    PreflightReport,
    Shortcut,
    interval_text,
)
from ctviewer.ui.finetune.comparison_slices import brief_name
from ctviewer.ui.finetune.plots import IntervalPlot, Scale, ScaleAxis
from ctviewer.ui.finetune.widgets import Fold, clear, note, say
from ctviewer.ui.panels.common import DASH, ElidedLabel, Panel, role_label
from ctviewer.ui.theme import SPACE

_PARTS = {"train": "Training", "val": "Validation", "test": "Test", "cross-validation": "Cross-validation"}
_AMOUNTS = {OF_SLICES: "Slices by class", OF_OUTLINES: "Outlines large enough to be learned"}
_AUC = Scale(0.3, 1.0, SUSPICIOUS_AUC, (0.3, 0.5, 0.7, 0.9))
_WHY = (
    "How a study was made must not tell its class. Where it does (AUC above 0.7, the dashed line), a model may learn the "
    "scanner instead of the disease: its figures look good here, and it fails elsewhere."
)
_NONE_TOLD = "No fact of how the studies were made tells a class (all AUC at most 0.7)."
_NOT_TRIED = "Too few patients to try, or the studies do not differ in such facts."
_FOLDED = (
    " These parts are those of one split: this run judges by cross-validation instead, where each patient outside external "
    "sets is tested in turn, by models that did not learn from that patient."
)
_MOST_SHORTCUTS = 6
_NAMES_PX = 110  # of the names at the least, however many columns there are
_WIDTH_TEXT = "Even a good model can show no more with this many patients: the 95 % interval to expect of its AUC."
_NO_WIDTHS = (
    "How far figures of outlines can be off with this many patients is not reckoned before a run: its intervals say it."
)
_NOT_KNOWN = "Not known: no step was timed."
_NO_BASELINE = "The base model was not judged on these data."


def part_name(part: str) -> str:
    """For instance "Test" for "test"; an external set by its own name."""
    return _PARTS.get(part, part.replace("external:", "External: "))


class CountsPanel(Panel):
    """Studies (or scans) and patients by part and class; of slices also how many, and what is outlined on them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Who is learned from, who is judged by", parent)
        self._grid = _grid()
        self.body.addLayout(self._grid)
        self._told = note()
        self.body.addWidget(self._told)
        self._amounts = QVBoxLayout()
        self.body.addLayout(self._amounts)

    def set_report(self, report: PreflightReport) -> None:
        """Parts in columns, classes in rows."""
        clear(self._amounts)
        for table in report.tables:
            if table.fact in _AMOUNTS:
                self._amounts.addWidget(_AmountsView(table))
        clear(self._grid)
        parts = list(dict.fromkeys(one.part for one in report.counts))
        labels = list(dict.fromkeys(one.label for one in report.counts))
        found = {(one.part, one.label): one for one in report.counts}
        rows = [["", *map(part_name, parts)]]
        for label in labels:
            cells = [found.get((part, label)) for part in parts]
            rows.append([label, *(DASH if one is None else f"{one.studies} ({one.patients})" for one in cells)])
        if parts:
            _fill(self._grid, rows)
        else:
            self._grid.addWidget(role_label("The data cannot be split.", ""), 0, 0)
        torn = any(one.code == "patient-on-both-sides" for one in report.findings)
        apart = "" if torn else " No patient is in two parts."
        folded = any(one.code == CROSS_VALIDATION for one in report.findings)
        units = counted(2, report.unit).removeprefix("2 ").capitalize()
        say(self._told, f"{units}, and patients in brackets.{_FOLDED if folded else apart}" if parts else "")


class _AmountsView(QWidget):
    """How much of each class the parts hold: parts in columns, as above."""

    def __init__(self, table: CrossTable) -> None:
        super().__init__()
        box = QVBoxLayout(self)
        box.setContentsMargins(0, SPACE // 2, 0, 0)
        box.setSpacing(2)
        box.addWidget(role_label(_AMOUNTS[table.fact], "title"))
        grid = _grid()
        columns = zip(table.classes, zip(*table.counts, strict=True), strict=True)
        _fill(grid, [["", *map(part_name, table.rows)], *([name, *map(str, counts)] for name, counts in columns)])
        box.addLayout(grid)


class ShortcutsPanel(Panel):
    """Whether facts that have nothing to do with a disease tell its class, and the tables behind it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Shortcuts: can a class be told without looking at the lungs?", parent)
        self._told = note(_WHY)
        self._grid, self._rest, self._tables = _grid(), _grid(), QVBoxLayout()
        self.rest, self.tables = (
            Fold("All of them", _holder(self._rest)),
            Fold("Class against each fact", _holder(self._tables)),
        )
        self.body.addWidget(self._told)
        self.body.addLayout(self._grid)
        self.body.addWidget(self.rest)
        self.body.addWidget(self.tables)

    def set_report(self, report: PreflightReport) -> None:
        """The strongest first."""
        found = sorted(report.shortcuts, key=lambda one: -one.auc)
        first, rest = found[:_MOST_SHORTCUTS], found[_MOST_SHORTCUTS:]
        clear(self._grid)
        clear(self._rest)
        _shortcut_rows(self._grid, first)
        _shortcut_rows(self._rest, rest)
        self.rest.setVisible(bool(rest))
        self.rest.button.setText(f"{len(rest)} more")
        suspicious = any(one.auc > SUSPICIOUS_AUC for one in found)
        say(self._told, _WHY if suspicious else _NONE_TOLD if found else _NOT_TRIED)
        clear(self._tables)
        facts = [table for table in report.tables if table.fact not in _AMOUNTS]
        self.tables.setVisible(bool(facts))
        for table in facts:
            self._tables.addWidget(_CrossTableView(table))


class _CrossTableView(QWidget):
    def __init__(self, table: CrossTable) -> None:
        super().__init__()
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, SPACE)
        box.setSpacing(2)
        box.addWidget(role_label(table.fact.capitalize(), "title"))
        grid = _grid()
        rows = [["", *table.classes]]
        rows += [[name, *map(str, counts)] for name, counts in zip(table.rows, table.counts, strict=True)]
        _fill(grid, rows)
        box.addLayout(grid)


def _shortcut_rows(grid: QGridLayout, found: Sequence[Shortcut]) -> None:
    for row, one in enumerate(found):
        fact = "all facts together" if one.fact == ALL_FACTS else one.fact
        told = interval_text(one.auc, one.low, one.high)
        strong = one.auc > SUSPICIOUS_AUC
        grid.addWidget(ElidedLabel(one.label), row, 0)
        grid.addWidget(ElidedLabel(f"by {fact}", "small"), row, 1)
        number = role_label(told, "warning" if strong else "small")
        grid.addWidget(number, row, 2)
        words = f"{one.label} by {fact}: AUC {told}, {one.patients} patients"
        grid.addWidget(IntervalPlot(_AUC, one.auc, one.low, one.high, not strong, words, warns=True), row, 3)
    if found:
        grid.addWidget(ScaleAxis(_AUC), len(found), 3)
    for column, stretch in ((0, 2), (1, 2), (3, 3)):
        grid.setColumnStretch(column, stretch)


class WidthsPanel(Panel):
    """The interval that this many patients can give, and what the base model reaches on them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("What this many patients can show", parent)
        self._grid, self._base = _grid(), _grid()
        self._why = note(_WIDTH_TEXT)
        self.body.addWidget(self._why)
        self.body.addLayout(self._grid)
        self.body.addWidget(role_label("The base model on the local hold-out", "title"))
        self._none = note(_NO_BASELINE)
        self.body.addWidget(self._none)
        self.body.addLayout(self._base)

    def set_report(self, report: PreflightReport) -> None:
        """Intervals by part and class, then the base's figures."""
        clear(self._grid)
        clear(self._base)
        aucs = sorted({one.auc for one in report.widths})
        rows: dict[tuple[str, str, int, int], dict[float, str]] = {}
        for one in report.widths:
            key = (one.part, one.label, one.positives, one.negatives)
            rows.setdefault(key, {})[one.auc] = f"{one.low:.2f} to {one.high:.2f}"
        if rows:
            head = ["", "patients", *(f"at AUC {auc:g}" for auc in aucs)]
            body = [
                [f"{label}, {part_name(part).lower()}", f"{yes} / {no}", *(found.get(auc, DASH) for auc in aucs)]
                for (part, label, yes, no), found in rows.items()
            ]
            _fill(self._grid, [head, *body])
        say(self._why, _WIDTH_TEXT if report.widths or report.unit == "study" else _NO_WIDTHS)
        self._none.setVisible(not report.baseline)
        if report.baseline:
            named = brief_name if report.unit != "study" else str
            figures = [[named(one.name), interval_text(one.value, one.low, one.high)] for one in report.baseline]
            _fill(self._base, [["", "value (95 % interval)"], *figures])


class EstimatePanel(Panel):
    """What the run takes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("What the run takes", parent)
        self._grid = _grid()
        self._told = note()
        self.body.addLayout(self._grid)
        self.body.addWidget(self._told)

    def set_report(self, report: PreflightReport) -> None:
        """Time, memory and disk."""
        clear(self._grid)
        found = report.estimate
        if found is None:
            say(self._told, _NOT_KNOWN)
            return
        rows = (
            ("Time", f"about {time_text(found.seconds)}"),
            ("Memory", amount_text(found.memory)),
            ("Disk", amount_text(found.disk) if found.disk else "next to nothing"),
        )
        for row, (name, text) in enumerate(rows):
            self._grid.addWidget(role_label(name, "small"), row, 0)
            self._grid.addWidget(QLabel(text), row, 1)
        self._grid.setColumnStretch(1, 1)
        say(
            self._told,
            f"Reckoned from {counted(found.steps, 'timed step')} of this computer. It may be paused at any time.",
        )


def time_text(seconds: float) -> str:
    """For instance "3 minutes", "2 hours", "3 days"."""
    minutes = max(1, round(seconds / 60))
    if minutes < 120:
        return "1 minute" if minutes == 1 else f"{minutes} minutes"
    hours = minutes / 60
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"


def _grid() -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(2 * SPACE)
    grid.setVerticalSpacing(2)
    return grid


def _holder(layout: QGridLayout | QVBoxLayout) -> QWidget:
    widget = QWidget()
    layout.setContentsMargins(0, 0, 0, 0)
    widget.setLayout(layout)
    return widget


def _fill(grid: QGridLayout, rows: Sequence[Sequence[str]]) -> None:
    """A heading and rows: names to the left, numbers to the right."""
    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    for row, cells in enumerate(rows):
        for column, text in enumerate(cells):
            label = ElidedLabel(text) if column == 0 else role_label(text, "" if row else "small", wrap=not row)
            if column:
                label.setAlignment(right)
            grid.addWidget(label, row, column)
    grid.setColumnStretch(0, 1)
    grid.setColumnMinimumWidth(0, _NAMES_PX)
