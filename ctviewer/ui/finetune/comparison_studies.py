"""Studies to which the two versions give different answers; a click opens one in the viewer."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QTreeWidget, QTreeWidgetItem, QWidget

from ctviewer.core.words import counted
from ctviewer.training.comparison import CORRECTED, LOST, STILL_WRONG, Changed
from ctviewer.ui import theme
from ctviewer.ui.finetune.widgets import note, say
from ctviewer.ui.panels.common import DASH, Panel, is_enter, plain_tip

_HEADINGS = ("", "Study", "True class", "Answer, old → new", "Finding")
_SHARES = (0.19, 0.22, 0.17, 0.27, 0.15)  # of the width
_WORDS = {LOST: "✕ lost", CORRECTED: "✓ corrected", STILL_WRONG: "still wrong"}
_TIPS = {
    LOST: "The old version was right, the new one is not",
    CORRECTED: "The new version is right, the old one was not",
    STILL_WRONG: "Both are wrong, each in its own way",
}
_TITLES = {"study": "Studies that changed side", "slice": "Slices that changed side"}
_OPENED = {"study": "a study", "slice": "the study of a slice"}
_STUDY = 1
_ROWS_SHOWN = 8
_MOST = 2000  # rows


class _Tree(QTreeWidget):
    """A flat table; Enter counts as a click."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter clicks, the rest is the table's."""
        item = self.currentItem()
        if is_enter(event) and item is not None:
            self.itemClicked.emit(item, _STUDY)
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Columns keep their shares: names of studies are long, and what tells them apart is at their end."""
        super().resizeEvent(event)
        for column, share in enumerate(_SHARES[:-1]):
            self.setColumnWidth(column, int(share * self.viewport().width()))


class ChangedPanel(Panel):
    """Which changed side, those that got lost first.

    Signals:
        study_requested: id of the study that was clicked.
    """

    study_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_TITLES["study"], parent)
        self._changed: tuple[Changed, ...] = ()
        self._unit = "study"
        self._told = note()
        self.table = _Tree()
        self.table.setAccessibleName("Studies that changed side")
        self.table.setHeaderLabels(_HEADINGS)
        self.table.setRootIsDecorated(False)
        self.table.setUniformRowHeights(True)
        self.table.setAllColumnsShowFocus(True)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        head = self.table.header()
        head.setStretchLastSection(True)
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.table.itemClicked.connect(
            lambda item, _column: self.study_requested.emit(item.data(0, Qt.ItemDataRole.UserRole))
        )
        self.body.addWidget(self._told)
        self.body.addWidget(self.table)

    def changeEvent(self, event: QEvent) -> None:
        """Colours of rows are those of the theme that they were made in."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.set_changed(self._changed, self._unit)

    def set_changed(self, changed: Sequence[Changed], unit: str = "study") -> None:
        """Show these; a unit is what each of them is: a study, or a slice of one."""
        self._changed, self._unit = tuple(changed), unit
        self.set_title(_TITLES[unit])
        self.table.clear()
        for one in changed[:_MOST]:
            self.table.addTopLevelItem(_row(one))
        self.table.setVisible(bool(changed))
        shown = min(len(changed), _ROWS_SHOWN)
        row = self.table.sizeHintForRow(0) if changed else 0
        self.table.setFixedHeight(shown * row + self.table.header().sizeHint().height() + 2 * self.table.frameWidth())
        say(self._told, changed_text(changed, unit))


def changed_text(changed: Sequence[Changed], unit: str = "study") -> str:
    """How many, and how."""
    if not changed:
        return f"Both versions give the same answer for every {unit}."
    counts = [(sum(one.outcome == outcome for one in changed), words) for outcome, words in _COUNTED]
    told = ", ".join(f"{count} {words}" for count, words in counts if count)
    cut = f" The first {_MOST} are shown." if len(changed) > _MOST else ""
    return f"{counted(len(changed), unit)}: {told}. A click opens {_OPENED[unit]} in the viewer.{cut}"


_COUNTED = ((LOST, "lost"), (CORRECTED, "corrected"), (STILL_WRONG, "wrong in both, in another way"))


def _finding(one: Changed) -> str:
    """Probability of any finding by both; what is not known is a dash."""
    if one.old_finding is None or one.new_finding is None:
        return DASH
    return f"{100 * one.old_finding:.0f} → {100 * one.new_finding:.0f} %"


def _row(one: Changed) -> QTreeWidgetItem:
    truth, old, new = (", ".join(names) or "none" for names in (one.truth, one.old, one.new))
    cells = (
        _WORDS[one.outcome],
        f"{one.study}, {one.slice}" if one.slice else one.study,
        truth,
        f"{old} → {new}",
        _finding(one),
    )
    item = QTreeWidgetItem(list(cells))
    item.setData(0, Qt.ItemDataRole.UserRole, one.study)
    item.setToolTip(0, _TIPS[one.outcome])
    for column in range(1, len(cells)):
        item.setToolTip(column, plain_tip(cells[column]))
    c = theme.colours()
    item.setForeground(_STUDY, QBrush(QColor(c.focus)))
    if one.outcome == LOST:
        item.setForeground(0, QBrush(QColor(c.warning)))
    elif one.outcome == STILL_WRONG:
        item.setForeground(0, QBrush(QColor(c.muted)))
    return item
