"""Who has the keyboard: a click into a panel leaves it with the image, so that arrows scroll whatever was clicked last."""

from __future__ import annotations

from itertools import chain, pairwise

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QWidget

_TEXT_FIELDS = (QLineEdit, QPlainTextEdit)


class KeepKeysOnImage(QObject):
    """Gives the focus back to the image when a click brought it into a panel; text fields keep it, and so does Tab.

    Args:
        image: where the keys belong.
        panels: columns beside it; parts that are added to them later are not watched.
    """

    def __init__(self, image: QWidget, *panels: QWidget) -> None:
        super().__init__(image)
        self._image = image
        for panel in panels:
            for part in (panel, *panel.findChildren(QWidget)):
                if part.focusPolicy() & Qt.FocusPolicy.ClickFocus and not isinstance(part, _TEXT_FIELDS):
                    part.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Watch only; the click itself is the panel's, and so it is answered first."""
        if isinstance(event, QFocusEvent) and event.gotFocus() and event.reason() is Qt.FocusReason.MouseFocusReason:
            QTimer.singleShot(0, self._image, self._image.setFocus)
        return False


def order_tabs(*widgets: QWidget) -> None:
    """Let Tab go through these and what is in them, one after the other; call it when all share one window."""
    parts = chain.from_iterable((widget, *widget.findChildren(QWidget)) for widget in widgets)
    for before, after in pairwise(part for part in parts if part.focusPolicy() & Qt.FocusPolicy.TabFocus):
        QWidget.setTabOrder(before, after)
