"""Sets of labelled slices of one kind: added, taken away, each looked at."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ctviewer.training.config import SliceSet
from ctviewer.ui.finetune.set_row import SetRow
from ctviewer.ui.finetune.widgets import note
from ctviewer.ui.panels.common import Panel
from ctviewer.ui.presenters.looking import FoundClass
from ctviewer.ui.presenters.looking_sets import IMAGES, LESIONS, FoundSet
from ctviewer.ui.theme import SPACE

_TITLES = {LESIONS: "Slices with outlined lesions", IMAGES: "Slices with a class"}
_WHY = {
    LESIONS: "From these it learns to outline. At least one set is needed.",
    IMAGES: "From these it learns the class of a slice. Without any, the model outlines lesions alone.",
}
_ADD_FINDINGS = {
    LESIONS: "Add the &findings corrected in this viewer",
    IMAGES: "Add t&he slices reviewed in this viewer",
}
_NEED = "Add a set of slices with outlined lesions."


class SetsPanel(Panel):
    """The sets of one kind.

    Args:
        kind: `LESIONS` or `IMAGES`.

    Signals:
        changed: a set, or what is known of it, is another.
        look_requested: key of a set, the set, and its kind.
        findings_requested: key of the set that is the findings corrected in the viewer, and its kind: it is to be looked at.
        forgotten: key of a set that is gone.
    """

    changed = Signal()
    look_requested = Signal(object, object, str)
    findings_requested = Signal(object, str)
    forgotten = Signal(object)

    def __init__(self, kind: str, parent: QWidget | None = None) -> None:
        super().__init__(_TITLES[kind], parent)
        self.kind = kind
        self._rows: dict[tuple[str, int], SetRow] = {}
        self._numbers = count(1)
        self._findings: Path | None = None
        self._list = QVBoxLayout()
        self._list.setSpacing(SPACE)
        self.add = QPushButton("&Add a set…" if kind == LESIONS else "Add a se&t…")
        self.add_findings = QPushButton(_ADD_FINDINGS[kind])
        buttons = QHBoxLayout()
        for button in (self.add, self.add_findings):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        buttons.addStretch(1)
        self.add_findings.hide()
        self.body.addWidget(note(_WHY[kind]))
        self.body.addLayout(self._list)
        self.body.addLayout(buttons)
        self.add.clicked.connect(self._on_add)
        self.add_findings.clicked.connect(lambda: self._add_row(findings=self._findings).look())

    # What the page and the presenter say

    def set_findings(self, findings: Path | None) -> None:
        """What stands for the findings corrected in the viewer; they may be others by now."""
        self._findings = findings
        for row in self._rows.values():
            if row.findings:
                row.look()
        self._follow()

    def set_sets(self, sets: Sequence[SliceSet]) -> None:
        """Show what an earlier run was told."""
        for key in tuple(self._rows):
            self._drop(key)
        for one in sets:
            ours = self._findings is not None and one.folder.startswith(str(self._findings))
            row = self._add_row(findings=self._findings if ours else None)
            if ours:
                row.look()
            else:
                row.set_set(one)
        self.changed.emit()

    def set_found(self, key: object, found: FoundSet | None, problem: str) -> None:
        """What a look at a set found; one of another panel, or that is gone meanwhile, is passed over."""
        row = next((row for known, row in self._rows.items() if known == key), None)
        if row is not None:
            row.set_found(found, problem)

    def take(self, path: Path) -> None:
        """What was dropped: the first set without a folder takes it, else a new one."""
        own = [row for row in self._rows.values() if not row.findings]
        fitting = [row for row in own if not row.folder.text] or (own[-1:] if not path.is_dir() else [])
        (fitting[0] if fitting else self._add_row()).take(path)

    # What the page asks

    @property
    def rows(self) -> tuple[SetRow, ...]:
        """In their order."""
        return tuple(self._rows.values())

    @property
    def sets(self) -> tuple[SliceSet, ...]:
        """As the configuration has them."""
        return tuple(row.value for row in self._rows.values())

    @property
    def outlined(self) -> tuple[str, ...]:
        """What all sets outline, each once."""
        found = (row.found for row in self._rows.values())
        return tuple(dict.fromkeys(name for one in found if one is not None for name in one.outlined))

    @property
    def classes(self) -> tuple[FoundClass, ...]:
        """Classes of slices of all sets; scans and patients are added up."""
        total: dict[str, FoundClass] = {}
        for row in self._rows.values():
            for one in row.found.classes if row.found is not None else ():
                was = total.get(one.name, FoundClass(one.name, 0, 0))
                total[one.name] = FoundClass(one.name, was.studies + one.studies, was.patients + one.patients)
        return tuple(total[name] for name in sorted(total))

    @property
    def problem(self) -> str:
        """Why training cannot go on with these; "" where it can."""
        if not self._rows:
            return _NEED if self.kind == LESIONS else ""
        return next((row.problem for row in self._rows.values() if row.problem), "")

    # Inside

    def _on_add(self) -> None:
        row = self._add_row()
        row.format.setFocus()

    def _add_row(self, findings: Path | None = None) -> SetRow:
        key = (self.kind, next(self._numbers))
        row = self._rows[key] = SetRow(self.kind, findings)
        row.changed.connect(self.changed)
        row.removed.connect(lambda: self._on_removed(key))
        row.look_wanted.connect(lambda: self._ask(key))
        self._list.addWidget(row)
        self._follow()
        self.changed.emit()
        return row

    def _ask(self, key: tuple[str, int]) -> None:
        row = self._rows[key]
        if row.findings:
            self.findings_requested.emit(key, self.kind)
        else:
            self.look_requested.emit(key, row.value, self.kind)

    def _on_removed(self, key: tuple[str, int]) -> None:
        self._drop(key)
        self.add.setFocus()
        self.changed.emit()

    def _drop(self, key: tuple[str, int]) -> None:
        row = self._rows.pop(key)
        self._list.removeWidget(row)
        row.hide()
        row.deleteLater()
        self.forgotten.emit(key)
        self._follow()

    def _follow(self) -> None:
        """Numbers, and whether the findings can be added: once."""
        for number, row in enumerate(self._rows.values(), 1):
            row.set_number(number)
        there = any(row.findings for row in self._rows.values())
        self.add_findings.setVisible(self._findings is not None and not there)
