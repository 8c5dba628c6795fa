"""The clinical question and the reader's comment."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QTextCursor
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QWidget

from ctviewer.ui.panels.common import Panel

_LEAST_PX = 44


class _FieldKeys(QObject):
    """Keys that are not the text field's own: Esc leaves it; undo belongs to the window's stack, which holds typing too.

    Signals:
        escaped: Esc was pressed.
    """

    escaped = Signal()

    def eventFilter(self, field: QObject, event: QEvent) -> bool:
        """Take these keys before the field sees them."""
        if not isinstance(event, QKeyEvent):
            return False
        keys = QKeySequence.StandardKey
        undo = event.matches(keys.Undo) or event.matches(keys.Redo)
        if undo:
            event.ignore()  # of a ShortcutOverride: the window's command gets the key
        elif event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
            return True
        return undo


class _Comment(QPlainTextEdit):
    """Several lines; Tab leaves it."""

    def sizeHint(self) -> QSize:
        """Two lines, more where there is room: a scrolled column gives its parts what they prefer."""
        return QSize(200, _LEAST_PX)

    def minimumSizeHint(self) -> QSize:
        """Two lines."""
        return QSize(80, _LEAST_PX)


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
        self._question = QLineEdit()
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
        self._keys = _FieldKeys(self)
        self._keys.escaped.connect(self.escape_pressed)
        for field in (self._question, self._comment):
            field.installEventFilter(self._keys)

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
