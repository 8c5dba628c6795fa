"""The question in the message bar, and the dialog behind it."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from ctviewer.core.series import Severity
from ctviewer.ui.interpretation_dialog import InterpretationDialog
from ctviewer.ui.message_bar import MessageBar
from ctviewer.ui.presenters.asking import AskingPresenter


class AskingBinder(QObject):
    """Shows what the presenter asks; nothing of it takes the focus from the image."""

    def __init__(self, asking: AskingPresenter, messages: MessageBar, action: QAction, parent: QWidget) -> None:
        super().__init__(parent)
        self._asking, self._messages, self._window = asking, messages, parent
        self._question = ""
        self._dialog: InterpretationDialog | None = None
        asking.asked.connect(self._ask)
        asking.answerable.connect(action.setEnabled)
        asking.failed.connect(lambda text: messages.say(text, Severity.DANGER))
        action.setEnabled(False)

    def show_dialog(self) -> None:
        """Let the reader state what the open series leaves open, or state it anew."""
        question = self._asking.question()
        if question is None:
            return
        if self._dialog is not None:
            self._dialog.close()
        self._dialog = InterpretationDialog(question, self._window)
        self._dialog.stated.connect(self._asking.state)
        self._dialog.finished.connect(self._forget)
        self._dialog.show()

    def _ask(self, text: str) -> None:
        """Ask about the series just chosen; the question and the dialog of the one before go."""
        if self._dialog is not None:
            self._dialog.close()
        if text:
            actions = (("They are Hounsfield units", self._asking.state_hounsfield), ("Say more…", self.show_dialog))
            self._messages.say(text, Severity.WARNING, actions)
        elif self._question and self._messages.text == self._question:
            self._messages.clear()
        self._question = text

    def _forget(self) -> None:
        dialog, self._dialog = self._dialog, None
        if dialog is not None:
            dialog.deleteLater()
