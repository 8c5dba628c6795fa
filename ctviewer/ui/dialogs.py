"""Small dialogs: keys, about, histogram. None opens by itself."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from ctviewer import __version__
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.ui.session import Session

_MOUSE = (
    ("Wheel", "previous / next slice"),
    ("Left drag", "window (right: wider, up: brighter) or tool"),
    ("Middle drag", "pan"),
    ("Right drag", "zoom"),
    ("Ctrl + wheel", "zoom at the cursor"),
    ("Double click", "the image alone, and back"),
    ("Right click", "menu of the finding there"),
    ("Brush + Shift", "paints over other findings too"),
    ("Shift + wheel", "size of the brush"),
    ("Ctrl + click", "with the brush: another finding"),
    ("Heat strip", "click or drag goes to that slice"),
)


_KEY_COLUMNS = 3  # all of them fit a screen of 1280 x 800


def stand_beside(dialog: QDialog) -> None:
    """Let a dialog lie behind its main window too: what is opened from it is seen. It still ends with that window."""
    dialog.setWindowFlags(Qt.WindowType.Window)
    dialog.winId()  # the window of the system is there from here on, and has a parent
    handle = dialog.windowHandle()
    if handle is not None:
        handle.setTransientParent(None)  # type: ignore[arg-type]  # the stub leaves out that there may be none


def _dialog(parent: QWidget, title: str) -> tuple[QDialog, QVBoxLayout]:
    dialog = QDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return dialog, QVBoxLayout(dialog)


def _finish(dialog: QDialog, box: QVBoxLayout) -> None:
    note = QLabel(RESEARCH_USE)
    note.setProperty("role", "small")
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    box.addWidget(note)
    box.addWidget(buttons)
    dialog.show()  # not modal: reading goes on beside it


def show_about(parent: QWidget) -> None:
    """What this program is and is not."""
    dialog, box = _dialog(parent, "About ctviewer")
    text = QLabel(
        f"<h3>ctviewer {__version__}</h3><p>CT viewer with slice attention and lesion findings.</p>"
        "<p><b>For research use, not a medical device.</b> Not for primary diagnosis; the display is not calibrated to "
        "GSDF.</p><p>Nothing is sent from this machine and nothing is downloaded.</p>"
        "<p>Apache License 2.0. Model bundles carry their own licences (Model, Models…). Font: Inter, SIL Open Font "
        "License 1.1.</p>"
    )
    text.setWordWrap(True)
    text.setMinimumWidth(420)
    text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    box.addWidget(text)
    _finish(dialog, box)


def show_keys(parent: QWidget, actions: dict[str, QAction]) -> None:
    """All keys, as they are now, and the mouse."""
    dialog, box = _dialog(parent, "Keys and mouse")
    grid = QGridLayout()
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(4)
    native = QKeySequence.SequenceFormat.NativeText
    rows = [
        (", ".join(k.toString(native) for k in a.shortcuts()), a.text().replace("&", "").removesuffix("…"))
        for a in actions.values()
        if a.shortcuts()
    ]
    deep = -(-(len(rows) + len(_MOUSE)) // _KEY_COLUMNS)
    for number, (key, meaning) in enumerate((*_MOUSE, *rows)):
        column = 2 * (number // deep)
        name = QLabel(f"<b>{key}</b>")
        grid.addWidget(name, number % deep, column)
        grid.addWidget(QLabel(meaning), number % deep, column + 1)
    box.addLayout(grid)
    _finish(dialog, box)


def show_histogram(parent: QWidget, session: Session) -> None:
    """Histogram and window of the slice on screen."""
    from ctviewer.ui.histogram import HistogramDialog  # pyqtgraph takes its time: when it is asked for

    HistogramDialog(session, parent).show()


def close_anyway(parent: QWidget) -> bool:
    """Ask whether to close although the last changes could not be saved."""
    box = QMessageBox(QMessageBox.Icon.Warning, "Not saved", "Your last changes could not be saved.", parent=parent)
    lose = box.addButton("&Close and lose them", QMessageBox.ButtonRole.DestructiveRole)
    keep = box.addButton("&Keep open", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(keep)
    box.exec()
    return box.clickedButton() is lose
