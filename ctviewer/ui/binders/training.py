"""Fine-tuning and the rest of the window: its dialog, the sign in the status line, the offer to resume, closing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QToolButton

from ctviewer.core.errors import CtviewerError
from ctviewer.core.events import Progress
from ctviewer.core.series import Severity
from ctviewer.core.words import duration_text
from ctviewer.jobs import JobRunner
from ctviewer.ui.finetune import closing
from ctviewer.ui.finetune.preflight_findings import verdict
from ctviewer.ui.finetune.services import UnfinishedRun
from ctviewer.ui.finetune.state import Phase, TrainingState, fold_text
from ctviewer.ui.message_bar import MessageBar
from ctviewer.ui.presenters.training import TrainingPresenter
from ctviewer.ui.services import Services

if TYPE_CHECKING:
    from ctviewer.ui.finetune.desk import FineTuneDesk
    from ctviewer.ui.main_window import MainWindow

_OFFER_AFTER_MS = 2000  # the reader has seen the window, and what it had to say
_TOLD = (Phase.PAUSED, Phase.FINISHED, Phase.FAILED)
_OFFERED = ("paused", "interrupted")


class TrainingBinder(QObject):
    """Nothing of it takes the focus from the image unless it is asked for."""

    def __init__(
        self, training: TrainingPresenter, services: Services, jobs: JobRunner, messages: MessageBar, window: MainWindow
    ) -> None:
        super().__init__(window)
        self._training, self._services, self._jobs = training, services, jobs
        self._messages, self._window = messages, window
        self._desk: FineTuneDesk | None = None
        self._closing = self._asking = False
        self._phase = Phase.IDLE
        self._sign = QToolButton()
        self._sign.setAutoRaise(True)
        self._sign.setToolTip("Open the fine-tuning window")
        self._sign.clicked.connect(self.show_dialog)
        self._sign.hide()
        window.statusBar().addPermanentWidget(self._sign)
        self._offer = QTimer(self, singleShot=True, interval=_OFFER_AFTER_MS)
        self._offer.timeout.connect(self._offer_runs)
        training.changed.connect(self._on_changed)
        training.curves_changed.connect(self._show_sign)
        training.progressed.connect(self._show_progress)
        training.failed.connect(self._on_failed)
        training.ended.connect(self._on_ended)
        self._offer.start()

    @property
    def dialog(self) -> FineTuneDesk | None:
        """The dialog, once it was asked for."""
        return self._desk

    def show_dialog(self) -> None:
        """Bring the dialog up where it stands."""
        if self._desk is None:
            from ctviewer.ui.finetune.desk import FineTuneDesk  # pyqtgraph takes its time: when it is asked for

            self._desk = FineTuneDesk(self._training, self._services, self._jobs, self._window)
            self._desk.study_requested.connect(self._window.show_path)
        self._desk.bring_up()

    def may_close(self) -> bool:
        """Whether the window may close now; asks where a run goes on. It is closed later where the run is paused first."""
        if not self._training.state.active:
            return True
        if self._asking:  # Ctrl+C of a terminal, while the question stands
            return False
        self._asking = True
        answer = closing.ask_again(self._window) if self._closing else closing.ask(self._window)
        self._asking = False
        if not self._training.state.active:  # it ended while the question stood
            return answer is not closing.Answer.GO_ON
        if answer is closing.Answer.AT_ONCE:
            return True
        if answer is closing.Answer.GO_ON:
            if self._closing:
                self._messages.clear()  # it said that the window will close
            self._closing = False
            return False
        self._closing = True
        if answer is closing.Answer.PAUSE:
            self._training.pause()
        elif answer is closing.Answer.CANCEL:
            self._training.cancel()
        self._messages.say("The window closes as soon as the training has ended.", Severity.INFO)
        return False

    def shut_down(self) -> None:
        """End what runs; for the end of the window."""
        self._offer.stop()
        self._training.shut_down()
        if self._desk is not None:
            self._desk.shut_down()

    # the status line

    def _on_changed(self, state: TrainingState) -> None:
        before, self._phase = self._phase, state.phase
        self._show_sign()
        hidden = self._desk is None or not self._desk.dialog.isVisible()
        text = _ending(before, state)
        if text and hidden and not self._closing:
            severity = Severity.WARNING if state.phase in (Phase.FAILED, Phase.IDLE) else Severity.INFO
            self._messages.say(text, severity, (("Show", self.show_dialog),))

    def _show_sign(self) -> None:
        state = self._training.state
        busy = state.active or state.phase is Phase.CHECKING
        self._sign.setVisible(busy)
        if busy:
            self._say(self._sign_text(state))

    def _show_progress(self, progress: Progress | None) -> None:
        if progress is not None and self._training.state.phase in (Phase.CHECKING, Phase.STARTING):
            count = f" {progress.done} of {progress.total}" if progress.total else ""
            self._say(f"Fine-tuning: {progress.stage}{count}")

    def _sign_text(self, state: TrainingState) -> str:
        history = self._training.history
        step, folds = history.step, history.begun.folds if history.begun is not None else 1
        if state.phase is not Phase.RUNNING or step is None:
            words = {Phase.CHECKING: "checking the data", Phase.STARTING: "starting", Phase.RUNNING: "training"}
            return f"Fine-tuning: {words.get(state.phase, state.phase.value)}…"
        parts = [fold_text(step.fold, folds)] if folds > 1 else []
        parts.append(f"step {step.step} of {step.steps}")
        if step.seconds_left is not None:
            parts.append(f"{duration_text(step.seconds_left)} left")
        return f"Training: {', '.join(parts)}"

    def _say(self, text: str) -> None:
        self._sign.setText(text)
        self._sign.setAccessibleName(f"{text}. Open the fine-tuning window")

    def _on_failed(self, text: str) -> None:
        """The dialog says it itself where it is on show."""
        if self._desk is None or not self._desk.dialog.isVisible():
            self._messages.say(text, Severity.WARNING)

    def _on_ended(self) -> None:
        if self._closing:
            self._closing = False
            QTimer.singleShot(0, self._window, self._window.close)

    # resuming

    def _offer_runs(self) -> None:
        """Once after the start, quietly, and when nothing else is being said."""
        state = self._training.state
        if state.phase is not Phase.IDLE or (self._desk is not None and self._desk.dialog.isVisible()):
            return
        if self._messages.isVisible():
            self._offer.start()
            return
        try:
            runs = [run for run in self._training.unfinished() if run.state in _OFFERED]
        except CtviewerError:  # told when fine-tuning is asked for
            return
        if runs:
            self._messages.say(
                closing.unfinished_text(runs[0]),
                Severity.INFO,
                (("Resume", partial(self._resume, runs[0])), ("Not now", self._messages.clear)),
            )

    def _resume(self, run: UnfinishedRun) -> None:
        self._messages.clear()
        self._training.resume(run.folder)
        self.show_dialog()


def _ending(before: Phase, state: TrainingState) -> str:
    """What is told where the dialog is closed: how a run or a check ended; "" for nothing new."""
    if state.phase in _TOLD:
        return f"Training: {state.text}"
    if before is not Phase.CHECKING:
        return ""
    if state.phase is Phase.CHECKED and state.report is not None:
        return f"The data for training were checked. {verdict(state.report, len(state.report.doubts))[1]}"
    return state.text if state.phase is Phase.IDLE else ""
