"""The fine-tuning window put together: its pages, what they ask for, and what the presenter answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from ctviewer.core.errors import CtviewerError
from ctviewer.core.events import Progress
from ctviewer.jobs import JobRunner
from ctviewer.ui.finetune.comparison_page import ComparisonPage
from ctviewer.ui.finetune.data_page import DataPage
from ctviewer.ui.finetune.dialog import FineTuneDialog
from ctviewer.ui.finetune.pages import Page
from ctviewer.ui.finetune.preflight_page import PreflightPage
from ctviewer.ui.finetune.run_page import RunPage
from ctviewer.ui.finetune.state import Phase, TrainingState
from ctviewer.ui.presenters.looking import FolderLooker
from ctviewer.ui.presenters.looking_sets import SetLooker
from ctviewer.ui.presenters.training import TrainingPresenter
from ctviewer.ui.services import Services

if TYPE_CHECKING:
    from ctviewer.training.config import RunConfig

_BACK, _NEW = "&Back", "Ne&w run"


class FineTuneDesk(QObject):
    """Shows the page that fits the state; passes on what the pages ask for.

    Signals:
        study_requested: path of a study that is to be opened in the viewer.
    """

    study_requested = Signal(object)

    def __init__(self, training: TrainingPresenter, services: Services, jobs: JobRunner, parent: QWidget) -> None:
        super().__init__(parent)
        self._training, self._services, self._will_open = training, services.training, services.will_open
        self._phase = Phase.IDLE
        self.data, self.preflight, self.run, self.comparison = DataPage(), PreflightPage(), RunPage(), ComparisonPage()
        self._looker = FolderLooker(jobs, services.will_open, self)
        self._sets = SetLooker(jobs, services.will_open, self)
        self.dialog = FineTuneDialog((self.data, self.preflight, self.run, self.comparison), parent)
        self._bind_pages()
        self._bind_presenter()
        self._on_changed(training.state)
        self.run.set_history(training.history)

    def bring_up(self) -> None:
        """Show the window, in front of others."""
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def shut_down(self) -> None:
        """For the end of the main window."""
        self._looker.stop()
        self._sets.stop()
        self.dialog.close()

    def _bind_pages(self) -> None:
        training, dialog = self._training, self.dialog
        dialog.next_pressed.connect(self._on_next)
        dialog.back_pressed.connect(self._on_back)
        dialog.resume_requested.connect(training.resume)
        dialog.remove_requested.connect(self._remove)
        dialog.shown.connect(self._look_anew)
        self.data.look_requested.connect(self._looker.look)
        self.data.read_studies_requested.connect(self._use_read_studies)
        self._looker.found.connect(self.data.set_found)
        self.data.set_look_requested.connect(self._sets.look)
        self.data.findings_look_requested.connect(
            lambda key, kind: self._sets.begin(key, lambda: self._services.look_at_findings(kind))
        )
        self.data.set_forgotten.connect(self._sets.forget)
        self._sets.found.connect(self.data.set_found_set)
        self.preflight.study_requested.connect(self._open_study)
        self.run.pause_requested.connect(training.pause)
        self.run.stop_requested.connect(training.stop)
        self.run.cancel_requested.connect(training.cancel)
        self.run.resume_requested.connect(self._resume)
        self.comparison.activate_requested.connect(training.activate)
        self.comparison.roll_back_requested.connect(training.roll_back)
        self.comparison.keep_requested.connect(dialog.close)
        self.comparison.study_requested.connect(self._open_study)

    def _bind_presenter(self) -> None:
        training = self._training
        training.changed.connect(self._on_changed)
        training.progressed.connect(self._on_progress)
        training.curves_changed.connect(lambda: self.run.set_history(training.history))
        training.said.connect(self.run.add_message)
        training.failed.connect(self.dialog.set_problem)

    # what the pages ask for

    def _on_next(self) -> None:
        page = self.dialog.page
        self.dialog.set_problem("")
        if page is self.data:
            self.data.set_problem("")
            config = self.data.config()
            sets = (one.folder for one in (*config.lesions, *config.images))
            for place in filter(None, (config.data.folder or config.data.labels, *sets)):
                self._will_open(Path(place))
            self._training.check(config)
        elif page is self.preflight:
            self._training.train()
        elif page is self.run:
            self._show(self.comparison)

    def _on_back(self) -> None:
        if self.dialog.page is self.comparison:
            self._show(self.run)
        else:
            self._training.leave_check()
            self._look_anew()

    def _resume(self) -> None:
        folder = self._training.state.folder
        if folder is not None:
            self._training.resume(folder)

    def _remove(self, folder: Path) -> None:
        self._training.discard(folder)
        self._look_anew()

    def _look_anew(self) -> None:
        """Models, studies read and unfinished runs may be others by now."""
        try:
            self.data.set_choices(self._services.choices())
            self.dialog.set_unfinished(self._training.unfinished() if self._training.state.phase is Phase.IDLE else ())
        except CtviewerError as error:
            self.dialog.set_problem(str(error))

    def _use_read_studies(self) -> None:
        try:
            self.data.set_read_studies(self._services.read_studies_table())
        except CtviewerError as error:
            self.data.set_problem(str(error))

    def _open_study(self, study: str) -> None:
        config: RunConfig | None = self._training.state.config
        if config is None:
            return
        try:
            self.study_requested.emit(self._services.place_of(config, study))
        except CtviewerError as error:
            self.dialog.set_problem(str(error))

    # what the presenter says

    def _on_changed(self, state: TrainingState) -> None:
        before, self._phase = self._phase, state.phase
        self.run.set_state(state)
        if state.phase is Phase.IDLE:
            if state.text:
                self._say_why(before, state.text)
            else:
                self._show(self.data)
        elif state.phase is Phase.CHECKING:
            self._show(self.preflight)
        elif state.phase is Phase.CHECKED and before is not Phase.CHECKED and state.report is not None:
            self.preflight.set_progress(None)
            self.preflight.set_report(state.report)
        elif state.phase is Phase.FINISHED and state.result is not None:
            self.comparison.set_result(state.result)
            self._show(self.comparison)
        elif state.phase not in (Phase.CHECKING, Phase.CHECKED):
            if state.phase is Phase.STARTING and state.config is not None and not self.data.ready:
                self.data.set_config(state.config)  # a run that goes on: what it was told can be changed for a new one
            self._show(self.run)

    def _say_why(self, before: Phase, text: str) -> None:
        """Pre-flight could not be done."""
        self.preflight.set_progress(None)
        self.preflight.set_problem(text)
        if before is not Phase.CHECKING:
            self._show(self.data)

    def _on_progress(self, progress: Progress | None) -> None:
        if self._phase is Phase.CHECKING:
            self.preflight.set_progress(progress)
        else:
            self.run.set_progress(progress)

    def _show(self, page: Page) -> None:
        ended = not self._training.state.active
        back = "" if page is self.data else _BACK if page is not self.run else _NEW if ended else ""
        self.dialog.show_page(page, back)
