"""The list of models and the rest of the window: what is chosen there holds at once, wherever models are named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from ctviewer.ui.dialogs import stand_beside
from ctviewer.ui.finetune.widgets import note, say
from ctviewer.ui.models_dialog import ModelsDialog
from ctviewer.ui.presenters.models import ModelsPresenter

if TYPE_CHECKING:
    from ctviewer.ui.finetune.comparison_page import ComparisonPage
    from ctviewer.ui.finetune.services import FinishedRun

_SIZE = (1080, 720)


class ModelsBinder(QObject):
    """Makes the dialogs when they are asked for.

    Signals:
        study_requested: path of a study that is to be opened.
    """

    study_requested = Signal(object)

    def __init__(self, models: ModelsPresenter, window: QWidget) -> None:
        super().__init__(window)
        self._models, self._window = models, window
        self._dialog: ModelsDialog | None = None
        self._comparison: QDialog | None = None
        self._page: ComparisonPage | None = None
        self._compared = ""
        self._failure: QLabel | None = None  # in the comparison; the list has its own
        models.changed.connect(self.refresh)
        models.failed.connect(self._tell)

    @property
    def dialog(self) -> ModelsDialog | None:
        """The list, once it was asked for."""
        return self._dialog

    @property
    def page(self) -> ComparisonPage | None:
        """The comparison, once one was asked for."""
        return self._page

    def show_dialog(self) -> None:
        """Bring the list up, as things are now."""
        if self._dialog is None:
            dialog = self._dialog = ModelsDialog(self._models.result_for, self._window)
            dialog.activate_requested.connect(self._models.activate)
            dialog.roll_back_requested.connect(self._models.roll_back)
            dialog.compare_requested.connect(self._compare)
            self._models.failed.connect(dialog.set_failure)
        self.refresh()
        self._dialog.show()
        self._dialog.raise_()
        self._dialog.activateWindow()

    def refresh(self) -> None:
        """Another model is in use, or another one installed."""
        if self._dialog is not None:
            self._dialog.set_models(*self._models.listing(), self._models.before)
        if self._page is not None and self._comparison is not None and self._comparison.isVisible():
            result = self._models.result_for(self._compared)
            if result is not None:
                self._page.set_result(result)

    def shut_down(self) -> None:
        """For the end of the main window."""
        for dialog in (self._comparison, self._dialog):
            if dialog is not None:
                dialog.close()

    def _compare(self, key: str) -> None:
        result = self._models.result_for(key)
        if result is None:
            return
        self._compared = key
        self._tell("")
        page = self._page or self._make_comparison()
        page.set_result(result)
        assert self._comparison is not None  # made with its page
        self._comparison.setWindowTitle(f"{key} against {result.parent}" if result.parent else key)
        self._comparison.show()
        self._comparison.raise_()

    def _tell(self, text: str) -> None:
        """Why something could not be done, where it was asked for."""
        if self._failure is not None:
            say(self._failure, text)

    def _make_comparison(self) -> ComparisonPage:
        from ctviewer.ui.finetune.comparison_page import ComparisonPage

        page, dialog = ComparisonPage(), QDialog(self._window)
        stand_beside(dialog)
        dialog.resize(*_SIZE)
        closing = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        closing.rejected.connect(dialog.close)
        box = QVBoxLayout(dialog)
        box.addWidget(page, 1)
        self._failure = note("", "danger")
        box.addWidget(self._failure)
        box.addWidget(closing)
        page.activate_requested.connect(lambda: self._models.activate(self._compared))
        page.roll_back_requested.connect(self._roll_back)
        page.keep_requested.connect(dialog.close)
        page.study_requested.connect(self._open_study)
        self._page, self._comparison = page, dialog
        return page

    def _roll_back(self) -> None:
        cards, _problems = self._models.listing()
        task = next((card.task for card in cards if card.key == self._compared), "")
        if task:
            self._models.roll_back(task)

    def _open_study(self, study: str) -> None:
        self._tell("")
        result: FinishedRun | None = self._models.result_for(self._compared)
        place: Path | None = None if result is None else self._models.place_of(result, study)
        if place is not None:
            self.study_requested.emit(place)
