"""The clinical question and the reader's comment."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QTextCursor
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QWidget

from ctviewer.ui.panels.common import Panel

_LEAST_PX = 44


def _is_undo(event: QEvent) -> bool:
    """Undo and redo belong to the window's one stack, which holds what is typed here too."""
    keys = QKeySequence.StandardKey
    return isinstance(event, QKeyEvent) and (event.matches(keys.Undo) or event.matches(keys.Redo))


class _Question(QLineEdit):
    """One line; Esc leaves it.

    Signals:
        escaped: Esc was pressed.
    """

    escaped = Signal()

    def event(self, event: QEvent) -> bool:
        """Leave undo and redo to the window."""
        if event.type() == QEvent.Type.ShortcutOverride and _is_undo(event):
            event.ignore()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc leaves, undo is the window's, the rest is the field's."""
        if event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
        elif _is_undo(event):
            event.ignore()
        else:
            super().keyPressEvent(event)


class _Comment(QPlainTextEdit):
    """Several lines; Tab and Esc leave it.

    Signals:
        escaped: Esc was pressed.
    """

    escaped = Signal()

    def sizeHint(self) -> QSize:
        """Two lines, more where there is room: a scrolled column gives its parts what they prefer."""
        return QSize(200, _LEAST_PX)

    def minimumSizeHint(self) -> QSize:
        """Two lines."""
        return QSize(80, _LEAST_PX)

    def event(self, event: QEvent) -> bool:
        """Leave undo and redo to the window."""
        if event.type() == QEvent.Type.ShortcutOverride and _is_undo(event):
            event.ignore()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc leaves, undo is the window's, the rest is the field's."""
        if event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
        elif _is_undo(event):
            event.ignore()
        else:
            super().keyPressEvent(event)


class CommentPanel(Panel):
    """Two text fields. What the reader types is told at once; when it is saved is the presenter's affair.

    Signals:
        question_edited: the whole clinical question.
        comment_edited: the whole comment.
        escape_pressed: the focus shall go back to the image.
    """

    question_edited = Signal(str)
    comment_edited = Signal(str)
    escape_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Question and comment", parent)
        self._question = _Question()
        self._question.setPlaceholderText("Clinical question")
        self._question.setAccessibleName("Clinical question")
        self._comment = _Comment()
        self._comment.setPlaceholderText("Comment; it goes into the report")
        self._comment.setAccessibleName("Comment")
        self._comment.setTabChangesFocus(True)
        self._comment.setUndoRedoEnabled(False)
        self.body.addWidget(self._question)
        self.body.addWidget(self._comment, 1)
        self._question.textEdited.connect(self.question_edited)
        self._comment.textChanged.connect(self._comment_changed)
        self._question.escaped.connect(self.escape_pressed)
        self._comment.escaped.connect(self.escape_pressed)

    def set_question(self, text: str) -> None:
        """Show a question; the cursor stays where the text is the same. Emits nothing."""
        if text != self._question.text():
            self._question.setText(text)

    def set_comment(self, text: str) -> None:
        """Show a comment; the cursor stays where the text is the same. Emits nothing."""
        if text != self._comment.toPlainText():
            self._comment.blockSignals(True)
            self._comment.setPlainText(text)
            self._comment.moveCursor(QTextCursor.MoveOperation.End)
            self._comment.blockSignals(False)

    def set_editable(self, editable: bool) -> None:
        """Whether there is a series that words can belong to."""
        self._question.setEnabled(editable)
        self._comment.setEnabled(editable)

    def _comment_changed(self) -> None:
        self.comment_edited.emit(self._comment.toPlainText())
