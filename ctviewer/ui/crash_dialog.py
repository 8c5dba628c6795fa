"""The dialog for an error that nobody caught, and the bridge that brings its report to the window's thread."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QApplication, QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from ctviewer.core.findings import RESEARCH_USE

SENTENCE = (
    "Something went wrong inside the program. Your work so far is saved; you can continue, or quit and start again."
)
PRIVACY = "The report below holds versions and lines of code, no patient data. Nothing is sent anywhere."


class CrashDialog(QDialog):
    """Shows one report. Not modal: the reader may go on without answering it.

    Signals:
        quit_requested: the reader wants to end the program.
    """

    quit_requested = Signal()

    def __init__(self, report: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("ctviewer: an internal error")
        self.setModal(False)
        self.resize(680, 420)
        self._text = QPlainTextEdit(report)
        self._text.setReadOnly(True)
        self._text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._text.setAccessibleName("Error report")
        layout = QVBoxLayout(self)
        layout.addWidget(_label(SENTENCE))
        layout.addWidget(_label(PRIVACY, role="small"))
        layout.addWidget(self._text, 1)
        layout.addWidget(_label(RESEARCH_USE, role="faint"))
        layout.addWidget(self._buttons())

    def _buttons(self) -> QDialogButtonBox:
        box = QDialogButtonBox()
        self.copy_button = box.addButton("&Copy report", QDialogButtonBox.ButtonRole.ActionRole)
        self.quit_button = box.addButton("&Quit", QDialogButtonBox.ButtonRole.DestructiveRole)
        self.continue_button = box.addButton("C&ontinue", QDialogButtonBox.ButtonRole.AcceptRole)
        self.continue_button.setDefault(True)
        self.copy_button.clicked.connect(self._copy)
        self.quit_button.clicked.connect(self._quit)
        self.continue_button.clicked.connect(self.accept)
        return box

    @property
    def report(self) -> str:
        """The text that is shown and copied."""
        return self._text.toPlainText()

    def add(self, report: str) -> None:
        """Add one more report below the first instead of opening a second dialog."""
        self._text.appendPlainText("\n" + report)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.report)
        self.copy_button.setText("Copied")

    def _quit(self) -> None:
        self.reject()
        self.quit_requested.emit()


class CrashReporter(QObject):
    """Takes reports on any thread and shows them on the window's. Give `report` to `set_crash_handler`.

    Signals:
        quit_requested: the reader wants to end the program.
    """

    quit_requested = Signal()
    _arrived = Signal(str)
    _MOST = 5  # reports shown of one burst: an error in painting comes with every frame

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.dialog: CrashDialog | None = None
        self._shown = 0
        self._arrived.connect(self._show, Qt.ConnectionType.QueuedConnection)  # never inside a paint event

    def report(self, text: str) -> None:
        """Show a report soon; callable from any thread."""
        self._arrived.emit(text)

    def _show(self, text: str) -> None:
        if self.dialog is not None:
            self._shown += 1
            if self._shown <= self._MOST:
                self.dialog.add(text)
            return
        self._shown = 1
        self.dialog = CrashDialog(text, QApplication.activeWindow())
        self.dialog.quit_requested.connect(self.quit_requested)
        self.dialog.finished.connect(self._closed)
        self.dialog.show()

    def _closed(self) -> None:
        if self.dialog is not None:
            self.dialog.deleteLater()
        self.dialog = None


def _label(text: str, role: str = "") -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    if role:
        label.setProperty("role", role)
    return label
