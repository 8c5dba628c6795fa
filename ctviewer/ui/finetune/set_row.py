"""One set of labelled slices: its format, where it is, and what it does not say itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ctviewer.core.errors import InputError
from ctviewer.core.words import counted, enumerated
from ctviewer.datasets.stating import asks_recovery, read_statement
from ctviewer.training.config import SliceSet
from ctviewer.training.splits import EXTERNAL
from ctviewer.ui.finetune.set_formats import FORMATS, format_of
from ctviewer.ui.finetune.widgets import Fold, PathField, add_row, ask_file, ask_folder, choose, combo_of, note, say
from ctviewer.ui.panels.common import role_label
from ctviewer.ui.presenters.looking_sets import IMAGES, LESIONS, FoundSet
from ctviewer.ui.theme import SPACE

_PARTS = (
    ("", "as the set says, else shared out"),
    ("train", "training"),
    ("train-only", "training only, never to judge by"),
    ("val", "validation"),
    ("test", "test"),
    (EXTERNAL, "an external set, judged by itself"),
)
_COMPLETE = (("", "as the format says"), ("yes", "yes, all of them"), ("no", "no: what is unmarked is unknown"))
_VALUES = "of pictures: window=-600/1500 …"
_WRITTEN = (
    "written anew as a set when the data are checked. Slices that you judged beside a model's findings are learned from and "
    "never judge a model."
)
_FINDINGS = {
    LESIONS: f"What you accepted, corrected and drew, and the slices that you reviewed completely: {_WRITTEN}",
    IMAGES: "Slices with a finding have the class that you stated for the study, those that you reviewed completely without one "
    f"the class without a finding: {_WRITTEN}",
}
_LISTS = "Lists (*.txt *.csv *.tsv);;All files (*)"
_NUMBERS = "slices are counted by the check"


class SetRow(QWidget):
    """A set as the reader describes it, and what a look at it found.

    Args:
        kind: what it is for: `LESIONS` or `IMAGES`.
        findings: what stands for the findings corrected in the viewer, where it is these; else None.

    Signals:
        changed: something of it is another.
        look_wanted: it is to be looked at, anew.
        removed: it is to go.
    """

    changed = Signal()
    look_wanted = Signal()
    removed = Signal()

    def __init__(self, kind: str, findings: Path | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kind, self._findings = kind, findings
        self._found: FoundSet | None = None
        self._fault, self._looking, self._name = "", False, ""
        self.format = combo_of("", [(one.key, one.title) for one in FORMATS[kind]])
        self.folder = PathField("Folder of the set", ask_folder)
        self.folder.field.setPlaceholderText("Drop a folder here, or choose one")
        self.table = PathField("List of the set", ask_file("List of the set", _LISTS))
        self.part, self.complete = combo_of("", _PARTS), combo_of("", _COMPLETE)
        self.values = QLineEdit()
        self.values.setPlaceholderText(_VALUES)
        self.own = QCheckBox("Patients of equal name in other sets are other people")
        self.remove = QPushButton("Remove")
        self.remove.setAutoDefault(False)
        self._title = role_label("", "title")
        self._told, self._summary, self._classes = note(), note("", ""), note()
        self._error = note("", "danger")
        self._form, self._rest = _form(), _form()
        self._lay_out()
        self._connect()
        self._refresh()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self._title, 1)
        head.addWidget(self.remove)
        for text, field in (("Format", self.format), ("Folder", self.folder), ("List", self.table)):
            add_row(self._form, text, field)
        add_row(self._rest, "Part", self.part)
        if self.kind == LESIONS:
            add_row(self._rest, "All lesions are marked", self.complete)
        add_row(self._rest, "Values", self.values)
        self._rest.addRow(self.own)
        holder = QWidget()
        holder.setLayout(self._rest)
        self.more = Fold("What the set does not say", holder)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, SPACE)
        box.setSpacing(SPACE // 2)
        box.addLayout(head)
        box.addLayout(self._form)
        for widget in (self._told, self._summary, self._classes, self._error, self.more):
            box.addWidget(widget)
        for field in (self.format, self.folder):
            self._form.setRowVisible(field, self._findings is None)
        self.more.setVisible(self._findings is None)

    def _connect(self) -> None:
        self.format.activated.connect(lambda _row: self._on_format())
        self.complete.activated.connect(lambda _row: self._look())
        for path in (self.folder, self.table):
            path.chosen.connect(lambda _path: self._look())
        self.values.editingFinished.connect(self._on_values)
        self.part.activated.connect(lambda _row: self.changed.emit())
        self.own.toggled.connect(lambda _on: self.changed.emit())
        self.remove.clicked.connect(self.removed)

    # What the panel says

    def set_number(self, number: int) -> None:
        """Its place among the sets of its kind, from 1: what pre-flight calls it."""
        what = "Findings corrected in this viewer" if self._findings is not None else f"Set {number}"
        self._title.setText(what)
        self.setAccessibleName(f"{self.kind}[{number}]")
        self.remove.setAccessibleName(f"Remove {what}")

    def set_set(self, one: SliceSet) -> None:
        """Show what an earlier run was told; a look at it is asked for."""
        choose(self.format, one.format)
        self.folder.set_text(one.folder)
        self.table.set_text(one.table)
        choose(self.part, EXTERNAL if one.split.startswith(EXTERNAL) else one.split)
        self._name = one.split.removeprefix(EXTERNAL) if one.split.startswith(EXTERNAL) else ""
        choose(self.complete, one.complete)
        self.values.setText(one.values)
        self.own.setChecked(one.own_patients)
        self._look()

    def take(self, path: Path) -> None:
        """What was dropped: the folder of the set, or its list."""
        (self.folder if path.is_dir() else self.table).set_text(str(path))
        self._look()

    def look(self) -> None:
        """Ask for a look, where there is something to look at."""
        self._look()

    def set_found(self, found: FoundSet | None, problem: str) -> None:
        """What a look found."""
        self._found, self._fault, self._looking = found, problem, False
        self._refresh()
        self.changed.emit()

    # What the panel asks

    @property
    def findings(self) -> bool:
        """Whether it is the findings corrected in the viewer."""
        return self._findings is not None

    @property
    def found(self) -> FoundSet | None:
        """What is known of it."""
        return self._found

    @property
    def value(self) -> SliceSet:
        """As the configuration has it."""
        if self._findings is not None:
            return SliceSet("studies", str(self._findings))
        one = SliceSet(str(self.format.currentData()), self.folder.text, own_patients=self.own.isChecked())
        part = str(self.part.currentData())
        return replace(
            one,
            table=self.table.text if format_of(self.kind, one.format).table else "",
            split=f"{EXTERNAL}{self._name or Path(one.folder).name}" if part == EXTERNAL else part,
            complete=str(self.complete.currentData()),
            values=self.values.text().strip(),
        )

    @property
    def problem(self) -> str:
        """Why training cannot go on with it; "" where it can."""
        what = self._title.text()
        if self._findings is None and not self.folder.text:
            return f"{what} of the {self.kind}: choose its folder."
        if self._looking:
            return f"{what} of the {self.kind} is being looked at."
        return f"{what} of the {self.kind} cannot be used." if self._found is None else ""

    # Inside

    def _on_format(self) -> None:
        """A list of one format is none of another."""
        self.table.set_text("")
        self._look()

    def _on_values(self) -> None:
        if self._values_fault() or self._found is None or self.values.isModified():
            self.values.setModified(False)
            self._look()

    def _values_fault(self) -> str:
        if asks_recovery(str(self.format.currentData()), self.values.text()):
            return ""
        try:
            read_statement(self.values.text().strip())
        except InputError as error:
            return str(error)
        return ""

    def _look(self) -> None:
        self._found, self._fault = None, self._values_fault()
        self._looking = not self._fault and (self._findings is not None or bool(self.folder.text))
        self._refresh()
        self.changed.emit()
        if self._looking:
            self.look_wanted.emit()

    def _refresh(self) -> None:
        chosen = format_of(self.kind, str(self.format.currentData()))
        self._form.setRowVisible(self.table, self._findings is None and bool(chosen.table))
        self.table.field.setPlaceholderText(chosen.table)
        say(self._told, _FINDINGS[self.kind] if self._findings is not None else chosen.told)
        found = self._found
        say(self._summary, "Looking at the set…" if self._looking else "" if found is None else summary_of(found))
        say(self._classes, "" if found is None else classes_of(found))
        say(self._error, self._fault)


def summary_of(found: FoundSet) -> str:
    """How much there is: "400 slices in 12 scans of 10 patients"."""
    scans, patients = counted(found.scans, "scan"), counted(found.patients, "patient")
    of = f"{scans} of {patients}" if found.patients_known else f"{scans}, patients unknown"
    text = f"{of}; {_NUMBERS}." if found.slices is None else f"{counted(found.slices, 'slice')} in {of}."
    return f"{text} {found.told}".rstrip()


def classes_of(found: FoundSet) -> str:
    """What is outlined, or which classes slices have, and what the set shares out itself."""
    told = [f"Outlines {enumerated(found.outlined)}."] if found.outlined else []
    told += [f"{', '.join(f'{one.name} ({_amount(one.studies)})' for one in found.classes)}."] if found.classes else []
    given = [f"{_amount(n)} to {dict(_PARTS).get(part, part)}" for part, n in found.splits if part]
    told += [f"It gives {enumerated(given)}."] if given else []
    return " ".join(told)


def _amount(scans: int) -> str:
    return counted(scans, "scan")


def _form() -> QFormLayout:
    form = QFormLayout()
    form.setHorizontalSpacing(SPACE)
    form.setVerticalSpacing(SPACE // 2)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form
