"""Classes to choose from as small buttons in lines, and a field for one in the reader's own words."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QToolButton, QWidget

from ctviewer.core.label import LONGEST_CLASS
from ctviewer.ui import theme
from ctviewer.ui.panels.flow import FlowLayout

OTHER = "Other…"


class OwnClass(QLineEdit):
    """A class in the reader's words: Enter takes it, Esc leaves. Hidden until it is opened.

    Args:
        name: for screen readers.

    Signals:
        left: Esc was pressed.
    """

    left = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setPlaceholderText("Class in your words, then Enter")
        self.setAccessibleName(name)
        self.setMaxLength(LONGEST_CLASS)
        self.hide()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc is this field's while it is there."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def open(self) -> None:
        """Show it, empty, with the focus."""
        self.clear()
        self.show()
        self.setFocus()


class ClassChips(QWidget):
    """Buttons of classes, with whatever else stands among them.

    Args:
        widest: of a class's name, in px; longer ones are elided.
        focus: how a button takes the focus.
    """

    def __init__(self, widest: int, focus: Qt.FocusPolicy) -> None:
        super().__init__()
        self._widest, self._focus = widest, focus
        self._flow = FlowLayout(self)

    @property
    def buttons(self) -> dict[str, QToolButton]:
        """By class."""
        found = (self._flow.itemAt(i) for i in range(self._flow.count()))
        widgets = (item.widget() for item in found if item is not None)
        return {str(w.property("choice")): w for w in widgets if isinstance(w, QToolButton)}

    def chip(self, name: str, act: Callable[[], object]) -> QToolButton:
        """A button that is not shown yet.

        Args:
            name: the class.
            act: on a click.
        """
        chip = QToolButton()
        chip.setProperty("role", "chip")
        chip.setProperty("choice", name)
        chip.setCheckable(name != OTHER)
        chip.setFocusPolicy(self._focus)
        chip.setFont(theme.small_font(chip.font()))
        text = chip.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, self._widest)
        chip.setText(text.replace("&", "&&"))
        chip.setAccessibleName(name)
        chip.clicked.connect(lambda _checked=False: act())
        return chip

    def fill(self, parts: list[QWidget]) -> None:
        """Show these, in order, and nothing else."""
        while (item := self._flow.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for part in parts:
            self._flow.addWidget(part)
        for part in parts:
            part.show()  # Qt would wait for the event loop, and the column would flicker
        self.updateGeometry()
