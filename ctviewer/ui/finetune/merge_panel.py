"""What the classes of labelled slices are learned as, and which class of slices means that nothing was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QGridLayout, QWidget

from ctviewer.core.words import counted
from ctviewer.datasets.class_names import negative_of
from ctviewer.ui.finetune.negative_box import NegativeBox
from ctviewer.ui.finetune.widgets import add_row, clear, compact_combo, note, say
from ctviewer.ui.panels.common import ElidedLabel, Panel, role_label
from ctviewer.ui.presenters.looking import FoundClass
from ctviewer.ui.theme import SPACE

_WHY = (
    "Classes that are learned as one must have one name: choose it, or type another. What is outlined and not learned counts "
    "as background; slices of a class that is not learned are left out."
)
_NOT = "not learned"
_NOTHING = "The classes are listed here once a set is chosen."


class MergePanel(Panel):
    """Names of outlines and of classes of slices.

    Signals:
        changed: something else is said.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Classes, and what they are learned as", parent)
        self._outlined: tuple[str, ...] = ()
        self._classes: tuple[FoundClass, ...] = ()
        self._merge: dict[str, str] = {}
        self.boxes: dict[str, QComboBox] = {}
        self.negative = NegativeBox(negative_of)
        self._none, self._why = note(_NOTHING), note(_WHY)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(2 * SPACE)
        self._grid.setVerticalSpacing(SPACE // 2)
        self._grid.setColumnStretch(0, 1)
        self._grid.setColumnStretch(1, 1)
        self._form = QFormLayout()
        self._form.setHorizontalSpacing(SPACE)
        add_row(self._form, "Class &without a finding", self.negative)
        self._problem = note("", "warning")
        for widget in (self._none, self._why):
            self.body.addWidget(widget)
        self.body.addLayout(self._grid)
        self.body.addLayout(self._form)
        self.body.addWidget(self._problem)
        self.negative.activated.connect(lambda _row: self.changed.emit())
        self._fill()

    # What the page says

    def set_found(self, outlined: Sequence[str], classes: Sequence[FoundClass]) -> None:
        """Classes of the sets; what was said of their names stays."""
        if (tuple(outlined), tuple(classes)) != (self._outlined, self._classes):
            self._outlined, self._classes = tuple(outlined), tuple(classes)
            self._fill()

    def set_base(self, negative: str) -> None:
        """The class of slices that means "no finding" to the base model; "" for none."""
        self.negative.set_base(negative)

    def set_stated(self, merge: Mapping[str, str], negative: str) -> None:
        """Show what an earlier run was told."""
        self._merge = dict(merge)
        self.negative.state(negative)
        self._fill()

    # What the page asks

    @property
    def merge(self) -> dict[str, str]:
        """As `ModelConfig.merge`; of classes that there are."""
        known = (*self._outlined, *(one.name for one in self._classes))
        return {name: into for name, into in self._merge.items() if name in known and into != name}

    @property
    def outlines(self) -> tuple[str, ...]:
        """Classes of outlines as they are learned."""
        named = (self._merge.get(name, name) for name in self._outlined)
        return tuple(dict.fromkeys(filter(None, named)))

    @property
    def learned(self) -> tuple[str, ...]:
        """Classes of slices as they are learned."""
        named = (self._merge.get(one.name, one.name) for one in self._classes)
        return tuple(dict.fromkeys(filter(None, named)))

    @property
    def negative_class(self) -> str:
        """Class name; "" leaves it to the base model, or to the names."""
        return self.negative.stated

    @property
    def problem(self) -> str:
        """Why this cannot be; "" where it can."""
        merge = self.merge
        for name, into in merge.items():
            if into and merge.get(into, into) != into:
                last = merge[into] or "nothing"
                return f"{name} is learned as {into}, which is itself learned as {last}: choose the last for both."
        if len(self._classes) > 1 and len(self.learned) < 2:  # of one alone the check says whether slices have another
            return "Slices are learned as one class: there is nothing to tell apart."
        return ""

    # Inside

    def _fill(self) -> None:
        clear(self._grid)
        self.boxes = {}
        groups = (
            ("Outlined", [(name, "") for name in self._outlined]),
            ("Of slices", [(one.name, counted(one.studies, "scan")) for one in self._classes]),
        )
        row = 0
        for title, names in groups:
            if names:
                self._grid.addWidget(role_label(title, "small"), row, 0)
                self._grid.addWidget(role_label("learned as", "small"), row, 1)
            for name, told in names:
                row += 1
                self._grid.addWidget(ElidedLabel(f"{name}, {told}" if told else name), row, 0)
                self._grid.addWidget(self._box(name, [one for one, _ in names]), row, 1)
            row += bool(names)
        there = bool(self._outlined or self._classes)
        self._none.setVisible(not there)
        self._why.setVisible(there)
        self._form.setRowVisible(self.negative, bool(self._classes))
        self._follow()

    def _box(self, name: str, names: Sequence[str]) -> QComboBox:
        box = self.boxes[name] = QComboBox()
        box.setEditable(True)
        box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        compact_combo(box)
        box.setAccessibleName(f"{name} is learned as")
        for one in names:
            box.addItem(one, one)
        box.addItem(_NOT, "")
        said = self._merge.get(name, name)
        box.setCurrentIndex(box.findData(said))
        if box.currentIndex() < 0:
            box.setEditText(said)
        box.activated.connect(lambda _row: self._say(name))
        line = box.lineEdit()
        assert line is not None  # it is editable
        line.editingFinished.connect(lambda: self._say(name))
        return box

    def _say(self, name: str) -> None:
        box = self.boxes.get(name)
        if box is None:  # its class went while it was left
            return
        text = box.currentText().strip() or name
        at = box.findText(text)
        said = str(box.itemData(at)) if at >= 0 else text
        if said == self._merge.get(name, name):
            return
        self._merge[name] = said
        self._follow()
        self.changed.emit()

    def _follow(self) -> None:
        self.negative.set_names(self.learned)
        say(self._problem, self.problem)
