"""The fine-tuning window: four pages in a row, their buttons, and what was left unfinished."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ctviewer.core.findings import RESEARCH_USE
from ctviewer.ui import theme
from ctviewer.ui.dialogs import stand_beside
from ctviewer.ui.finetune.closing import unfinished_text
from ctviewer.ui.finetune.pages import Page
from ctviewer.ui.finetune.services import UnfinishedRun
from ctviewer.ui.panels.common import ElidedLabel, role_label


class FineTuneDialog(QDialog):
    """Not modal: reading and analysing go on beside it. Closing it hides it; what it does goes on.

    Signals:
        next_pressed, back_pressed: of the page on show.
        resume_requested, remove_requested: folder of an unfinished run.
        shown: it came up: choices and unfinished runs are to be looked at anew.
    """

    next_pressed = Signal()
    back_pressed = Signal()
    resume_requested = Signal(object)
    remove_requested = Signal(object)
    shown = Signal()

    def __init__(self, pages: Sequence[Page], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("fine_tune_dialog")
        self.setWindowTitle("Fine-tune")
        stand_beside(self)
        self.resize(1000, 700)
        self._pages = tuple(pages)
        self._offered: UnfinishedRun | None = None
        self._question: QMessageBox | None = None
        self._headings = [role_label(f"{number}  {page.heading}", "step") for number, page in enumerate(pages, 1)]
        self._problem = role_label("", "danger", wrap=True)
        self._problem.hide()
        self._stack = QStackedWidget()
        for page in self._pages:
            self._stack.addWidget(page)
            page.ready_changed.connect(self._follow)
        self._back_text = ""
        self._offer = QWidget()
        self._offer_text = ElidedLabel()
        self._back, self._next = QPushButton("&Back"), QPushButton()
        self._close = QPushButton("Close")
        self._lay_out()
        self._back.clicked.connect(self.back_pressed)
        self._next.clicked.connect(self.next_pressed)
        self._close.clicked.connect(self.close)
        self.show_page(self._pages[0])

    @property
    def page(self) -> Page:
        """The page on show."""
        return self._pages[self._stack.currentIndex()]

    def show_page(self, page: Page, back: str = "") -> None:
        """Show a page.

        Args:
            page: one of those given.
            back: text of the button that leads back; "" for none.
        """
        changed = page is not self.page
        self._stack.setCurrentWidget(page)
        self._back_text = back
        if changed:
            self.set_problem("")
        for label, one in zip(self._headings, self._pages, strict=True):
            label.setProperty(
                "current", one is page
            )  # the theme's to show: a font of its own is lost where that changes
            label.style().unpolish(label)
            label.style().polish(label)
        self._follow()
        if changed and self.isVisible() and not page.isAncestorOf(self.focusWidget() or self._close):
            page.setFocus()  # no button of the page before keeps it

    def set_problem(self, text: str) -> None:
        """Something that was asked for could not be done; "" takes it away."""
        self._problem.setText(text)
        self._problem.setVisible(bool(text))

    def set_unfinished(self, runs: Sequence[UnfinishedRun]) -> None:
        """Offer the newest of the runs that can go on; shown on the first page alone."""
        self._offered = runs[0] if runs else None
        if runs:
            more = f" ({len(runs) - 1} more after it)" if len(runs) > 1 else ""
            self._offer_text.setText(f"{unfinished_text(runs[0])}{more}")
        self._follow()

    def showEvent(self, event: QShowEvent) -> None:
        """Look anew at what may have changed."""
        super().showEvent(event)
        self.shown.emit()

    def closeEvent(self, event: QCloseEvent) -> None:
        """A question that is open goes too: it means no."""
        self._drop_question()
        super().closeEvent(event)

    def _lay_out(self) -> None:
        steps = QHBoxLayout()
        steps.setSpacing(3 * theme.SPACE)
        for label in self._headings:
            steps.addWidget(label)
        steps.addStretch(1)
        offer = QHBoxLayout(self._offer)
        offer.setContentsMargins(0, 0, 0, 0)
        offer.addWidget(self._offer_text, 1)
        for text, slot in (("Res&ume", self._resume), ("Remove…", self._ask_remove)):
            button = QPushButton(text)
            button.setAutoDefault(False)
            button.clicked.connect(slot)
            offer.addWidget(button)
        buttons = QHBoxLayout()
        note = QLabel(RESEARCH_USE)
        note.setProperty("role", "small")
        buttons.addWidget(note, 1)
        for button in (self._back, self._next, self._close):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        box = QVBoxLayout(self)
        box.setSpacing(theme.SPACE)
        box.addLayout(steps)
        box.addWidget(self._offer)
        box.addWidget(self._stack, 1)
        box.addWidget(self._problem)
        box.addLayout(buttons)

    def _follow(self) -> None:
        """Buttons as the page on show wants them."""
        page = self.page
        self._offer.setVisible(self._offered is not None and page is self._pages[0])
        self._back.setVisible(bool(self._back_text))
        self._back.setText(self._back_text)
        self._next.setVisible(bool(page.next_text))
        self._next.setText(page.next_text)
        self._next.setEnabled(page.ready)

    def _resume(self) -> None:
        if self._offered is not None:
            self.resume_requested.emit(self._offered.folder)

    def _ask_remove(self) -> None:
        """Removing a run destroys work: ask."""
        run = self._offered
        if run is None:
            return
        self._drop_question()
        text = f"{unfinished_text(run)}\nRemove it with all its checkpoints?"
        box = self._question = QMessageBox(QMessageBox.Icon.Warning, "Remove a run", text, parent=self)
        box.setTextFormat(Qt.TextFormat.PlainText)
        lose = box.addButton("Re&move", QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton("&Keep", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.buttonClicked.connect(lambda button: self.remove_requested.emit(run.folder) if button is lose else None)
        box.finished.connect(self._drop_question)
        box.open()

    def _drop_question(self) -> None:
        question, self._question = self._question, None
        if question is not None:
            question.close()
            question.deleteLater()
