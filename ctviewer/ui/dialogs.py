"""Small dialogs: models and their cards, keys, about. None opens by itself."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QListWidget,
    QMessageBox,
    QSplitter,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from ctviewer import __version__
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.ui.services import ModelCard, Services
from ctviewer.ui.session import Session

_MOUSE = (
    ("Wheel", "previous / next slice"),
    ("Left drag", "window: right is wider, up is brighter; or the tool chosen"),
    ("Middle drag", "pan"),
    ("Right drag", "zoom"),
    ("Ctrl + wheel", "zoom at the cursor"),
    ("Double click", "the image alone, and back"),
    ("Heat strip", "click or drag goes to that slice"),
)


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
    grid.setHorizontalSpacing(18)
    native = QKeySequence.SequenceFormat.NativeText
    rows = [
        (", ".join(k.toString(native) for k in a.shortcuts()), a.text().replace("&", "").removesuffix("…"))
        for a in actions.values()
        if a.shortcuts()
    ]
    half = (len(rows) + len(_MOUSE) + 1) // 2
    for number, (key, meaning) in enumerate((*_MOUSE, *rows)):
        column = 2 * (number // half)
        name = QLabel(f"<b>{key}</b>")
        grid.addWidget(name, number % half, column)
        grid.addWidget(QLabel(meaning), number % half, column + 1)
    box.addLayout(grid)
    _finish(dialog, box)


def show_histogram(parent: QWidget, session: Session) -> None:
    """Histogram and window of the slice on screen."""
    from ctviewer.ui.histogram import HistogramDialog  # pyqtgraph takes its time: when it is asked for

    HistogramDialog(session, parent).show()


def show_models(parent: QWidget, services: Services) -> None:
    """The installed models with their cards, and bundles that cannot be used with the reason."""
    cards, problems = services.models()
    dialog, box = _dialog(parent, "Models")
    dialog.resize(860, 560)
    names, card = QListWidget(), QTextBrowser()
    card.setOpenLinks(False)
    for one in cards:
        names.addItem(f"{'● ' if one.active else ''}{one.title}\n{one.version} · {one.licence}")
    names.currentRowChanged.connect(lambda row: card.setMarkdown(_card_text(cards[row]) if row >= 0 else ""))
    splitter = QSplitter()
    splitter.addWidget(names)
    splitter.addWidget(card)
    splitter.setSizes([250, 610])
    box.addWidget(splitter, 1)
    for problem in problems:
        label = QLabel(problem)
        label.setWordWrap(True)
        label.setProperty("role", "danger")
        box.addWidget(label)
    if cards:
        names.setCurrentRow(0)
    else:
        card.setPlainText("No model is installed.")
    _finish(dialog, box)


def _card_text(model: ModelCard) -> str:
    used = f"**Used for its task ({model.task}).** " if model.active else f"Task: {model.task}. "
    return f"{used}Trained on: {model.trained_on}. Licence: {model.licence}.\n\n{model.card}"


def close_anyway(parent: QWidget) -> bool:
    """Ask whether to close although the last changes could not be saved."""
    box = QMessageBox(QMessageBox.Icon.Warning, "Not saved", "Your last changes could not be saved.", parent=parent)
    lose = box.addButton("&Close and lose them", QMessageBox.ButtonRole.DestructiveRole)
    keep = box.addButton("&Keep open", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(keep)
    box.exec()
    return box.clickedButton() is lose
