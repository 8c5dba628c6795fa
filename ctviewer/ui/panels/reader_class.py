"""What the reader says the study shows: the model's classes to choose from, a class of one's own, or nothing stated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCompleter, QToolButton, QVBoxLayout, QWidget

from ctviewer.ui import theme
from ctviewer.ui.panels.class_chips import OTHER, ClassChips, OwnClass
from ctviewer.ui.panels.common import ElidedLabel, plain_tip, role_label

NOT_STATED = "Not stated"
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
        self._chips = ClassChips(_WIDEST, Qt.FocusPolicy.TabFocus)
        self._field = OwnClass("Class in your own words")
        self._field.returnPressed.connect(self._on_typed)
        self._field.left.connect(self._close_field)
        self._origin = ElidedLabel("", "small")
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(theme.SPACE // 2)
        for part in (self._chips, self._field, self._origin):
            box.addWidget(part)
        self._view: ReaderClassView | None = None
        self.show_view(ReaderClassView(enabled=False))

    @property
    def buttons(self) -> dict[str, QToolButton]:
        """What can be clicked, by class; `NOT_STATED` and `OTHER` too."""
        return self._chips.buttons

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
        acts: list[tuple[str, Callable[[], object]]] = [
            (NOT_STATED, self.cleared.emit),
            *((name, partial(self.chosen.emit, name)) for name in choices),
            (OTHER, self._field.open),
        ]
        chips = [self._chips.chip(name, partial(self._on_chip, act)) for name, act in acts]
        title = role_label("Your reading:", "title")
        title.setMinimumHeight(chips[0].sizeHint().height())  # on one line with what follows
        self._chips.fill([title, *chips])

    def _on_chip(self, act: Callable[[], object]) -> None:
        """A click tells; what is checked is what the answer shows."""
        self._mark()
        act()

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
