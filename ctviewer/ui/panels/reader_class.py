"""What the reader says the study shows: the model's classes to choose from, a class of one's own, or nothing stated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCompleter, QLineEdit, QToolButton, QVBoxLayout, QWidget

from ctviewer.core.label import LONGEST_CLASS
from ctviewer.ui import theme
from ctviewer.ui.panels.common import ElidedLabel, plain_tip, role_label
from ctviewer.ui.panels.flow import FlowLayout

NOT_STATED, OTHER = "Not stated", "Other…"
_TIPS = {NOT_STATED: "Take the class back", OTHER: "A class that is not among these, in your own words"}
_WIDEST = 190  # px of a class's name; the tool tip has all of it


@dataclass(frozen=True)
class ReaderClassView:
    """All that the control shows.

    Attributes:
        choices: classes that can be chosen, those stated among them, in order.
        stated: what the reader stated; empty for nothing.
        answer: what the model says and can be accepted; empty where there is nothing to accept.
        origin: where the stated class comes from, a sentence; "" where nothing is stated.
        known: all classes that the reader has stated before: they complete what is typed.
        enabled: whether there is a reading that can keep it.
    """

    choices: tuple[str, ...] = ()
    stated: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    origin: str = ""
    known: tuple[str, ...] = ()
    enabled: bool = True


class _OwnClass(QLineEdit):
    """A class in the reader's words; Enter states it, Esc leaves."""

    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc is this field's while it is there."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)


class ReaderClass(QWidget):
    """The reader's word on the study, beside the model's.

    Signals:
        chosen: a class was clicked.
        cleared: nothing shall be stated any more.
        typed: a class in the reader's own words.
        left: the field for it is closed; the focus is free.
    """

    left = Signal()
    chosen = Signal(str)
    cleared = Signal()
    typed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Your reading")
        self._chips = QWidget()
        self._flow = FlowLayout(self._chips)
        self._field = _OwnClass()
        self._field.setPlaceholderText("Class in your words, then Enter")
        self._field.setAccessibleName("Class in your own words")
        self._field.setMaxLength(LONGEST_CLASS)
        self._field.returnPressed.connect(self._on_typed)
        self._field.left.connect(self._close_field)
        self._origin = ElidedLabel("", "small")
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(theme.SPACE // 2)
        for part in (self._chips, self._field, self._origin):
            box.addWidget(part)
        self._view: ReaderClassView | None = None
        self._field.hide()
        self.show_view(ReaderClassView(enabled=False))

    @property
    def buttons(self) -> dict[str, QToolButton]:
        """What can be clicked, by class; `NOT_STATED` and `OTHER` too."""
        found = (self._flow.itemAt(i) for i in range(self._flow.count()))
        widgets = (item.widget() for item in found if item is not None)
        return {str(w.property("choice")): w for w in widgets if isinstance(w, QToolButton)}

    def show_view(self, view: ReaderClassView) -> None:
        """Show all; what is being typed stays."""
        if view == self._view:
            return
        before, self._view = self._view, view
        if before is None or before.choices != view.choices:
            self._make_chips(view.choices)
        self._mark()
        self._origin.setText(view.origin)
        self._origin.setVisible(bool(view.origin))
        if before is None or before.known != view.known:
            completer = QCompleter(list(view.known), self._field)
            completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
            self._field.setCompleter(completer)
        self.setEnabled(view.enabled)
        if not view.enabled:
            self._close_field()

    def _mark(self) -> None:
        """Check what is stated, and give the model's answer the model's colour: one click accepts it."""
        view = self._view
        assert view is not None  # it is set before chips are
        for name, chip in self.buttons.items():
            chip.setChecked(name in view.stated or (name == NOT_STATED and not view.stated))
            answer = len(view.answer) == 1 and name in view.answer
            chip.setToolTip(
                plain_tip(f"{name}: what the model says; A accepts it" if answer else _TIPS.get(name, name))
            )
            if chip.property("answer") != answer:
                chip.setProperty("answer", answer)
                chip.style().unpolish(chip)
                chip.style().polish(chip)

    def _make_chips(self, choices: tuple[str, ...]) -> None:
        while (item := self._flow.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        title, nothing = role_label("Your reading:", "title"), self._chip(NOT_STATED, self.cleared.emit)
        title.setMinimumHeight(nothing.sizeHint().height())  # on one line with what follows
        self._flow.addWidget(title)
        self._flow.addWidget(nothing)
        for name in choices:
            self._flow.addWidget(self._chip(name, partial(self.chosen.emit, name)))
        other = self._chip(OTHER, self._open_field)
        other.setCheckable(False)
        self._flow.addWidget(other)
        for chip in (title, *self.buttons.values()):
            chip.show()  # Qt would wait for the event loop, and the column would flicker
        self._chips.updateGeometry()

    def _chip(self, name: str, act: Callable[[], object]) -> QToolButton:
        chip = QToolButton()
        chip.setProperty("role", "chip")
        chip.setProperty("choice", name)
        chip.setCheckable(True)
        chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        chip.setFont(theme.small_font(chip.font()))
        text = chip.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, _WIDEST)
        chip.setText(text.replace("&", "&&"))
        chip.setAccessibleName(name)
        chip.clicked.connect(lambda _checked=False: self._on_chip(act))
        return chip

    def _on_chip(self, act: Callable[[], object]) -> None:
        """A click tells; what is checked is what the answer shows."""
        self._mark()
        act()

    def _open_field(self) -> None:
        self._field.clear()
        self._field.show()
        self._field.setFocus()

    def _close_field(self) -> None:
        if not self._field.isHidden():
            had_focus = self._field.hasFocus()
            self._field.hide()
            self._field.clear()
            if had_focus:  # Qt would hand it on to the button that analyses
                self.left.emit()

    def _on_typed(self) -> None:
        text = self._field.text()
        self._close_field()
        if text.strip().casefold() == NOT_STATED.casefold():
            self.cleared.emit()
        elif text.strip():
            self.typed.emit(text)
