"""Under the findings while they are edited: what the brush does, its size, and the classes to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from ctviewer.core.label import class_name
from ctviewer.ui import theme
from ctviewer.ui.panels.class_chips import OTHER, ClassChips, OwnClass
from ctviewer.ui.panels.common import ElidedLabel, plain_tip, role_label

_WIDEST = 150  # px of a class's name; the tool tip has all of it
HELP = "Shift paints over other findings. Shift and wheel change the size. Ctrl and click select another finding."


@dataclass(frozen=True)
class EditBarView:
    """All that the bar shows.

    Attributes:
        title: what the tool does now ("Brush: finding 3").
        size: the brush's size in words ("4.9 mm").
        choices: classes.
        label: the class in force; "" for none.
    """

    title: str
    size: str
    choices: tuple[str, ...]
    label: str


class EditBar(QWidget):
    """Shown while a tool is in the hand.

    Signals:
        class_chosen: a class was clicked or typed.
        size_requested: steps by which the brush shall grow.
        done: the tool shall be put away.
        left: the field for a class is closed; the focus is free.
    """

    class_chosen = Signal(str)
    size_requested = Signal(int)
    done = Signal()
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Editing findings")
        self._view: EditBarView | None = None
        self._title = ElidedLabel("", "small")
        self._size = role_label("", "small")
        self._note = role_label("", "warning", wrap=True)
        self._chips = ClassChips(_WIDEST, Qt.FocusPolicy.NoFocus)
        self._field = OwnClass("Class of the finding in your own words")
        self._field.returnPressed.connect(self._on_typed)
        self._field.left.connect(self._close_field)
        row = QHBoxLayout()
        row.setSpacing(theme.SPACE // 2)
        row.addWidget(self._title, 1)
        row.addWidget(self._size)
        row.addWidget(self._button("−", "Smaller brush ([)", partial(self.size_requested.emit, -1)))
        row.addWidget(self._button("+", "Larger brush (])", partial(self.size_requested.emit, 1)))
        row.addWidget(self._button("Done", "Put the tool away (Esc)", self.done.emit))
        box = QVBoxLayout(self)
        box.setContentsMargins(theme.SPACE, theme.SPACE // 2, theme.SPACE // 2, theme.SPACE // 2)
        box.setSpacing(theme.SPACE // 2)
        box.addLayout(row)
        box.addWidget(self._chips)
        box.addWidget(self._field)
        box.addWidget(self._note)
        self._title.setToolTip(HELP)
        self._note.hide()
        self.hide()

    @property
    def buttons(self) -> dict[str, QToolButton]:
        """The classes that can be clicked, by name; `OTHER` too."""
        return self._chips.buttons

    @property
    def title(self) -> str:
        """What the tool does now."""
        return self._title.text()

    def show_view(self, view: EditBarView | None) -> None:
        """Show all; None puts the bar away."""
        before, self._view = self._view, view
        if view is None:
            self._close_field()
            self.say("")
            self.hide()
            return
        if before is None or before.choices != view.choices:
            self._make_chips(view.choices)
        self._title.setText(view.title)
        self._title.set_details(HELP)
        self._size.setText(view.size)
        for name, chip in self.buttons.items():
            chip.setChecked(name == view.label)
        self.show()

    @property
    def note(self) -> str:
        """What the last stroke left to tell; "" for nothing."""
        return "" if self._note.isHidden() else self._note.text()

    def say(self, text: str) -> None:
        """What the reader has to know of the last stroke: beside the image, which does not move for it; "" for nothing."""
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def _make_chips(self, choices: tuple[str, ...]) -> None:
        chips = [self._chips.chip(name, partial(self._on_chip, name)) for name in (*choices, OTHER)]
        for name, chip in zip(choices, chips, strict=False):
            chip.setToolTip(plain_tip(f"{name} (L takes the next class)"))
        self._chips.fill([*chips])

    def _button(self, text: str, tip: str, act: object) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(lambda _checked=False: act())  # type: ignore[operator]  # a bound signal or a partial
        return button

    def _on_chip(self, name: str) -> None:
        """A click tells; what is checked is what the answer shows."""
        for other, chip in self.buttons.items():
            chip.setChecked(self._view is not None and other == self._view.label)
        if name == OTHER:
            self._field.open()
        else:
            self.class_chosen.emit(name)

    def _close_field(self) -> None:
        if not self._field.isHidden():
            self._field.hide()
            self._field.clear()
            self.left.emit()

    def _on_typed(self) -> None:
        name = class_name(self._field.text(), self._view.choices if self._view is not None else ())
        self._close_field()
        if name:
            self.class_chosen.emit(name)
