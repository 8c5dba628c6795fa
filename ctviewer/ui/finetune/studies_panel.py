"""Where the studies and their classes come from, and what is there."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from ctviewer.core.words import counted, enumerated
from ctviewer.training.config import DataConfig
from ctviewer.ui.finetune.services import ReadStudies, TrainingChoices
from ctviewer.ui.finetune.widgets import (
    ChoiceList,
    PathField,
    ShareBar,
    ask_file,
    ask_folder,
    clear,
    note,
    say,
)
from ctviewer.ui.panels.common import ElidedLabel, Panel, role_label
from ctviewer.ui.presenters.looking import FoundClass, FoundStudies
from ctviewer.ui.theme import SPACE

FOLDER, READ = "folder", "read"
_FOLDER_TEXT = "Each study is a sub-folder, an archive or a file; labels.csv names its patient and its class. Nothing is written there."
_NONE_READ = "None yet: open a study and state its class beside the result, and it is listed here."
_MOST_CLASSES = 8
_PARTS = {"train": "training", "train-only": "training only", "val": "validation", "test": "test"}


class StudiesPanel(Panel):
    """A folder with its table, or the studies read in the viewer.

    Signals:
        changed: what is chosen, or known of it, is another.
        look_requested: folder and table (None for its labels.csv).
        read_requested: the table of the studies read in the viewer is wanted.
    """

    changed = Signal()
    look_requested = Signal(object, object)
    read_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Studies", parent)
        self._read: ReadStudies | None = None
        self._table: Path | None = None  # of the studies read
        self._found: FoundStudies | None = None
        self._problem = ""
        self._looking = False
        choices = (
            (FOLDER, "A &folder of studies with labels", _FOLDER_TEXT),
            (READ, "Studies &read in this viewer", _NONE_READ),
        )
        self.source = ChoiceList("Where the studies come from", choices)
        self.source.choose(FOLDER)
        self.folder = PathField("Folder of studies", ask_folder)
        self.folder.field.setPlaceholderText("Drop a folder here, or choose one")
        self.labels = PathField(
            "Table of labels", ask_file("Table of labels", "Tables (*.csv *.tsv *.txt);;All files (*)")
        )
        self.labels.field.setPlaceholderText("labels.csv of the folder")
        self._summary = ElidedLabel()
        self._hints = note()
        self._error = note("", "danger")
        self._classes = QGridLayout()
        self._lay_out()
        self.source.chosen.connect(self._on_source)
        self.folder.chosen.connect(lambda _path: self._look())
        self.labels.chosen.connect(lambda _path: self._look())
        self._refresh()

    def _lay_out(self) -> None:
        fields = QGridLayout()
        fields.setSpacing(SPACE // 2)
        for row, (text, field) in enumerate((("F&older", self.folder), ("&Labels", self.labels))):
            label = QLabel(text)
            label.setBuddy(field.field)
            fields.addWidget(label, row, 0)
            fields.addWidget(field, row, 1)
        self.source.insert_below(FOLDER, fields)
        self._classes.setHorizontalSpacing(2 * SPACE)
        self._classes.setVerticalSpacing(2)
        self._classes.setColumnStretch(0, 3)
        self._classes.setColumnStretch(3, 2)
        self.body.addWidget(self.source)
        self.body.addWidget(self._summary)
        self.body.addLayout(self._classes)
        self.body.addWidget(self._hints)
        self.body.addWidget(self._error)

    # What the page and the presenter say

    def set_choices(self, choices: TrainingChoices) -> None:
        """How many studies were read in the viewer, and by whom their classes are."""
        self._read = choices.read or (ReadStudies(own=choices.read_studies) if choices.read_studies else None)
        self.source.button(READ).setEnabled(self._read is not None)
        self.source.explain(READ, _NONE_READ if self._read is None else read_text(self._read))
        if self.source.value == READ:
            self.read_requested.emit()  # they may be others by now
        self._refresh()

    def set_found(self, folder: Path, found: FoundStudies | None, problem: str) -> None:
        """What a look at the folder found; an answer about another folder is dropped."""
        if folder != Path(self.folder.text):
            return
        self._found, self._problem, self._looking = found, problem, False
        self._refresh()
        self.changed.emit()

    def set_table(self, table: Path) -> None:
        """The studies read in the viewer are in this table."""
        self._table = table
        self.source.choose(READ)
        self._refresh()
        self.changed.emit()

    def set_data(self, data: DataConfig) -> None:
        """Show what an earlier run was told."""
        if data.folder:
            self.source.choose(FOLDER)
            self.folder.set_text(data.folder)
            self.labels.set_text(data.labels)
            self._look()
        elif data.labels:
            self.set_table(Path(data.labels))

    def take(self, path: Path) -> None:
        """What was dropped: a folder of studies, or a table of labels."""
        self.source.choose(FOLDER)
        if path.is_dir():
            self.labels.set_text("")
            self.folder.set_text(str(path))
        else:
            self.labels.set_text(str(path))
        self._look()

    # What the page asks

    @property
    def folder_and_labels(self) -> tuple[str, str]:
        """As `DataConfig` takes them."""
        if self.source.value == READ:
            return "", "" if self._table is None else str(self._table)
        return self.folder.text, self.labels.text

    @property
    def classes(self) -> tuple[FoundClass, ...]:
        """Of what is chosen, as far as they are known."""
        if self.source.value == READ:
            counts = {} if self._read is None else self._read.classes
            return tuple(FoundClass(name, n, 0) for name, n in sorted(counts.items()))
        return () if self._found is None else self._found.classes

    @property
    def several(self) -> bool:
        """Whether a study may have several classes."""
        return self.source.value == FOLDER and self._found is not None and self._found.several

    @property
    def problem(self) -> str:
        """Why training cannot go on with this; "" where it can."""
        if self.source.value == READ:
            return "" if self._table is not None else "The studies read in the viewer are being listed."
        if not self.folder.text:
            return "Choose a folder of studies."
        if self._looking:
            return "The folder is being looked at."
        return "The folder cannot be used." if self._found is None else ""

    # Inside

    def _on_source(self, key: str) -> None:
        if key == READ and self._table is None:
            self.read_requested.emit()
        self._refresh()
        self.changed.emit()

    def _look(self) -> None:
        self._found, self._problem = None, ""
        self.source.choose(FOLDER)
        self._looking = bool(self.folder.text)
        if self._looking:
            labels = Path(self.labels.text) if self.labels.text else None
            self.look_requested.emit(Path(self.folder.text), labels)
        self._refresh()
        self.changed.emit()

    def _refresh(self) -> None:
        of_folder = self.source.value == FOLDER
        found = self._found if of_folder else None
        say(self._error, self._problem if of_folder else "")
        say(self._hints, "" if found is None else " ".join(hints(found)))
        say(
            self._summary,
            _summary_of(found) if found else "Looking at the folder…" if self._looking and of_folder else "",
        )
        self._fill(self.classes)

    def _fill(self, classes: tuple[FoundClass, ...]) -> None:
        clear(self._classes)
        total = sum(one.studies for one in classes) or 1
        for row, one in enumerate(classes[:_MOST_CLASSES]):
            name = ElidedLabel(one.name)
            self._classes.addWidget(name, row, 0)
            self._classes.addWidget(ShareBar(one.studies / total), row, 3)
            for column, text in enumerate((counted(one.studies, "study"), counted(one.patients, "patient")), 1):
                label = role_label(text if column == 1 or one.patients else "", "small")
                label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self._classes.addWidget(label, row, column)
        if len(classes) > _MOST_CLASSES:
            more = role_label(f"and {len(classes) - _MOST_CLASSES} more classes", "small")
            self._classes.addWidget(more, _MOST_CLASSES, 0)


def _summary_of(found: FoundStudies) -> str:
    return f"{counted(found.studies, 'study')} of {counted(found.patients, 'patient')}"


def _part(split: str) -> str:
    kind, _, name = split.partition(":")
    return f"{_PARTS.get(kind, kind)} ({name})" if name else _PARTS.get(kind, kind)


def hints(found: FoundStudies) -> tuple[str, ...]:
    """What the table shares out, and what does not fit between it and the folder, a sentence each."""
    parts = sorted((one for one in found.splits if one[0]), key=lambda one: (*_PARTS, one[0]).index(one[0]))
    said = [f"The table gives {enumerated([f'{n} {_part(split)}' for split, n in parts])}."] if parts else []
    if found.absent:
        said.append(f"{counted(found.absent, 'study')} of the table {_is(found.absent)} not in the folder.")
    if found.unlisted:
        what = "1 item" if found.unlisted == 1 else f"{found.unlisted} items"
        said.append(f"{what} of the folder {_is(found.unlisted)} not in the table and will not be used.")
    return tuple(said)


def read_text(read: ReadStudies) -> str:
    """How many were read, and by whom their classes are."""
    own = f"{read.own} with a class of your own" if read.own else ""
    accepted = [f"{n} accepted from {model}" for model, n in sorted(read.accepted.items())]
    of = f" of {counted(read.patients, 'patient')}" if read.patients else ""
    text = f"{counted(read.studies, 'study')}{of}: {enumerated([own, *accepted] if own else accepted)}."
    return f"{text} What was accepted from a model is never used to judge that model." if accepted else text


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
