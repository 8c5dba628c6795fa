"""One quiet line above the image for what the program has to say. It never takes the focus and interrupts nothing."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from ctviewer.core.series import Severity
from ctviewer.ui.palette import severity_colour, severity_icon
from ctviewer.ui.panels.common import plain_tip, shortened
from ctviewer.ui.theme import icon

_LONGEST_WORD = 72  # a path without blanks cannot be wrapped: it would widen the window


def wrappable(text: str) -> str:
    """The text with the middle left out of words that are too long for a line; the end of a path stays."""
    return " ".join(shortened(word, _LONGEST_WORD) for word in text.split(" "))


class MessageBar(QWidget):
    """A sentence, up to two things to do about it, and a button that puts it away."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message_bar")
        self._severity = Severity.INFO
        self._said = ""
        self._icon = QLabel()
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._buttons: list[QToolButton] = []
        self._close = QToolButton()
        self._close.setAutoRaise(True)
        self._close.setText("×")
        self._close.setToolTip("Put this message away")
        self._close.setAccessibleName("Close the message")
        self._close.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._close.clicked.connect(self.clear)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(10, 5, 6, 5)
        self._row.addWidget(self._icon)
        self._row.addWidget(self._text, 1)
        self._row.addWidget(self._close)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.hide()

    @property
    def text(self) -> str:
        """What stands there now, "" when the bar is away."""
        return "" if self.isHidden() else self._said

    def say(
        self, text: str, severity: Severity = Severity.INFO, actions: tuple[tuple[str, Callable[[], object]], ...] = ()
    ) -> None:
        """Show a sentence, replacing the one before.

        Args:
            text: one sentence.
            severity: decides icon and edge colour.
            actions: label and what it does, for instance ("Open", ...).
        """
        self._drop_buttons()
        self._said = text
        self._text.setText(wrappable(text))
        self._text.setToolTip(plain_tip(text) if self._text.text() != text else "")
        self._text.setAccessibleName(text)
        self._severity = severity
        self._dress()
        for label, run in actions:
            button = QToolButton()
            button.setText(label)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(lambda _checked=False, act=run: act())
            self._row.insertWidget(self._row.count() - 1, button)
            self._buttons.append(button)
        self.show()

    def changeEvent(self, event: QEvent) -> None:
        """A message that stands while the theme changes follows it."""
        if event.type() == QEvent.Type.PaletteChange:
            self._dress()
        super().changeEvent(event)

    def _dress(self) -> None:
        """Icon and edge in the theme's colours; a style sheet set again would change the palette again, so not the same."""
        self._icon.setPixmap(icon(severity_icon(self._severity)).pixmap(18, 18))
        edge = severity_colour(self._severity).name()
        sheet = f"#message_bar {{ border-left: 3px solid {edge}; background: palette(alternate-base); }}"
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)

    def clear(self) -> None:
        """Put the message away."""
        self._drop_buttons()
        self.hide()

    def _drop_buttons(self) -> None:
        for button in self._buttons:
            self._row.removeWidget(button)
            button.hide()  # it goes when the event loop is back: later, where a dialog runs its own
            button.deleteLater()
        self._buttons.clear()
