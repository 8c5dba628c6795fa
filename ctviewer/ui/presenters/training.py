"""Fine-tuning beside the reader: pre-flight and training in a child process, wishes obeyed, deaths told in words."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from ctviewer.core.errors import CtviewerError, InputError
from ctviewer.core.events import Event, Message, Progress
from ctviewer.jobs.child import Child, ChildCommand, ChildEnd
from ctviewer.training.control import Wish
from ctviewer.training.event_lines import from_line
from ctviewer.training.events import (
    Checked,
    Paused,
    RunBegun,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunPlaced,
    Saved,
    StepDone,
)
from ctviewer.ui.finetune.ends import (
    BEFORE_LEARNING,
    BEFORE_LEARNING_KEPT,
    NOTHING_KEPT,
    SavedState,
    failed_text,
    finished_text,
    paused_text,
    resuming_text,
)
from ctviewer.ui.finetune.history import RunHistory
from ctviewer.ui.finetune.services import TrainingServices, UnfinishedRun
from ctviewer.ui.finetune.state import STEERABLE, Phase, TrainingState

if TYPE_CHECKING:
    from ctviewer.training.config import RunConfig

_logger = logging.getLogger(__name__)
_SHOW_EVERY_MS = 100
_CANCEL_WITHIN_MS = 20_000  # then the process is ended: nothing of it is wanted
_OBEYING = {
    Wish.PAUSE: (Phase.PAUSING, "Pausing after this chunk of slices…"),
    Wish.STOP: (Phase.STOPPING, "Stopping after this chunk of slices; the best state so far is made a model…"),
    Wish.CANCEL: (Phase.CANCELLING, "Cancelling after this chunk of slices; nothing is kept…"),
}


class TrainingPresenter(QObject):
    """Owns the child process, one at a time, and what it said.

    Args:
        clock: gives the time now, for texts.
    """

    changed = Signal(object)  # TrainingState
    progressed = Signal(object)  # Progress | None
    curves_changed = Signal()  # `history` has more; at most ten times a second
    said = Signal(str)  # one sentence that ends nothing
    failed = Signal(str)  # something asked for could not be done
    ended = Signal()  # no process runs any more
    models_changed = Signal()  # another model is used from now on

    def __init__(
        self,
        services: TrainingServices,
        parent: QObject | None = None,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        super().__init__(parent)
        self._services, self._clock = services, clock
        self._child: Child | None = None
        self._last: Event | None = None  # the event that says how the run ended
        self._saved: SavedState | None = None
        self.state = TrainingState()
        self.history = RunHistory()
        self._show_timer = QTimer(self, singleShot=True, interval=_SHOW_EVERY_MS)
        self._show_timer.timeout.connect(self.curves_changed)
        self._patience = QTimer(self, singleShot=True, interval=_CANCEL_WITHIN_MS)
        self._patience.timeout.connect(self._end_child)

    # what is asked for

    def check(self, config: RunConfig) -> None:
        """Do pre-flight; CHECKED follows with the report, or IDLE with the reason why there is none."""
        if self._child is not None:
            return
        if command := self._command(lambda: self._services.check(config)):
            self._set(TrainingState(Phase.CHECKING, config=config))
            self.progressed.emit(Progress("Starting", 0, 0))
            self._start(command)

    def leave_check(self) -> None:
        """Go back from pre-flight, or from a run that has ended, to the choice of data."""
        if self.state.phase is Phase.CHECKING:
            self._drop_child()
        if not self.state.active:
            self.progressed.emit(None)
            self._set(TrainingState(config=self.state.config))

    def train(self) -> None:
        """Begin the run that was checked."""
        state = self.state
        if state.phase is not Phase.CHECKED or state.config is None or state.report is None or state.report.blocked:
            return
        config = state.config
        if command := self._command(lambda: self._services.begin(config)):
            self._begin(command, None, config, "Starting…")

    def resume(self, folder: Path) -> None:
        """Go on with a run that was paused, or whose process died."""
        if self._child is not None:
            return
        try:
            config, command = self._services.config_of(folder), self._services.resume(folder)
            said = list(self._services.said(folder))
        except CtviewerError as error:
            self._cannot_resume(folder, str(error))
            return
        self._begin(command, folder, config, "Reading what was kept…")
        for event in said:
            self.history.add(event)
            if isinstance(event, Saved):
                self._saved = SavedState(event.fold, event.step)
        self.curves_changed.emit()

    def _cannot_resume(self, folder: Path, text: str) -> None:
        """Say why; a run that is at hand and gone on disk is not offered any more."""
        if self.state.folder == folder and self.state.resumable and not self._can_go_on():
            self._set(replace(self.state, phase=Phase.FAILED, text=text, resumable=False))
        else:
            self.failed.emit(text)

    def pause(self) -> None:
        """Write a checkpoint and end the process."""
        self._wish(Wish.PAUSE)

    def stop(self) -> None:
        """End training now and make a model of the best state so far."""
        self._wish(Wish.STOP)

    def cancel(self) -> None:
        """End it and keep nothing; possible as long as the process lives, and afterwards too."""
        if self._child is not None and self.state.active:
            if self.state.phase is not Phase.CANCELLING:
                self._wish(Wish.CANCEL)
                self._patience.start()
        elif self.state.resumable and self.state.folder is not None:
            self.discard(self.state.folder)

    def discard(self, folder: Path) -> None:
        """Remove a run that does not go on, with its checkpoints."""
        try:
            self._services.discard(folder)
        except CtviewerError as error:
            self.failed.emit(str(error))
            return
        if self.state.folder == folder:
            self._set(replace(self.state, phase=Phase.CANCELLED, text="The run was removed.", resumable=False))

    def unfinished(self) -> tuple[UnfinishedRun, ...]:
        """Runs that can be resumed, the one at hand left out."""
        return tuple(run for run in self._services.unfinished() if run.folder != self.state.folder)

    def activate(self) -> None:
        """Use the model that was made."""
        result = self.state.result
        if result is not None:
            self._change_active(lambda: self._services.activate(result.key))

    def roll_back(self) -> None:
        """Use the model again that was in use before for the same task."""
        result = self.state.result
        if result is not None:
            self._change_active(lambda: self._services.roll_back(result.key))

    def look_anew(self) -> None:
        """Another model may be in use by now, chosen elsewhere."""
        if self.state.result is not None:
            with contextlib.suppress(CtviewerError):  # told where it is asked for
                result = self._services.result_of(self.state.result.folder, self.state.result.key)
                self._set(replace(self.state, result=result))

    def shut_down(self) -> None:
        """End the process at once; for the end of the program. A run can be resumed from its last checkpoint."""
        self._patience.stop()
        self._show_timer.stop()
        self._drop_child()

    # the process

    def _command(self, make: Callable[[], ChildCommand]) -> ChildCommand | None:
        try:
            return make()
        except CtviewerError as error:
            self.failed.emit(str(error))
            return None

    def _begin(self, command: ChildCommand, folder: Path | None, config: RunConfig, text: str) -> None:
        self.history, self._saved = RunHistory(), None
        self._set(TrainingState(Phase.STARTING, text, config, self.state.report, folder))
        self.curves_changed.emit()
        self._start(command)

    def _start(self, command: ChildCommand) -> None:
        self._last = None
        child = self._child = Child(self)
        child.line.connect(self._on_line)
        child.finished.connect(self._on_end)
        child.start(command)

    def _wish(self, wish: Wish) -> None:
        """Tell the process; the window says at once that it was heard."""
        steerable = self.state.phase in STEERABLE or (wish is Wish.CANCEL and self.state.active)
        if self._child is None or not steerable:
            return
        phase, text = _OBEYING[wish]
        self._set(replace(self.state, phase=phase, text=text))
        self._child.send(wish.value)

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.kill()

    def _drop_child(self) -> None:
        """End the process and hear nothing more of it."""
        child, self._child = self._child, None
        if child is not None:
            child.line.disconnect(self._on_line)
            child.finished.disconnect(self._on_end)
            child.shut_down()
            child.deleteLater()
            self.ended.emit()

    # what it says

    def _on_line(self, text: str) -> None:
        try:
            event = from_line(text)
        except InputError:  # a library printed something; it may name a file
            _logger.info("a line of the training process was passed over")
            return
        if isinstance(event, Progress):
            self.progressed.emit(event)
        elif isinstance(event, Message):
            self.said.emit(event.text)
        elif isinstance(event, Checked):
            self._on_report(event)
        elif isinstance(event, RunPlaced):
            self._set(replace(self.state, folder=Path(event.folder)))
        elif isinstance(event, Saved):
            self._saved = SavedState(event.fold, event.step, f"{self._clock():%H:%M}")
        elif isinstance(event, Paused | RunCancelled | RunFinished | RunFailed):
            self._last = event
        else:
            self._on_learning(event)

    def _on_report(self, event: Checked) -> None:
        from ctviewer.training.preflight.report import from_json

        try:
            self._set(replace(self.state, report=from_json(event.report)))
        except ValueError:
            _logger.warning("the report of pre-flight could not be understood")

    def _on_learning(self, event: Event) -> None:
        if self.history.add(event) and not self._show_timer.isActive():
            self._show_timer.start()
        if isinstance(event, RunBegun | StepDone) and self.state.phase is Phase.STARTING:
            self.progressed.emit(None)
            self._set(replace(self.state, phase=Phase.RUNNING, text="Training. The viewer can be used meanwhile."))

    # how it ends

    def _on_end(self, end: ChildEnd) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.deleteLater()
        self._patience.stop()
        self._show_timer.stop()
        self.curves_changed.emit()
        self.progressed.emit(None)
        if self.state.phase is Phase.CHECKING:
            self._end_check(end)
        else:
            self._end_run(end)
        self.ended.emit()

    def _end_check(self, end: ChildEnd) -> None:
        if self.state.report is not None:
            self._set(replace(self.state, phase=Phase.CHECKED))
            return
        text = failed_text("Pre-flight could not be done.", end, self._last)
        again = " Go back to try again." if end.code is None else ""
        self._set(replace(self.state, phase=Phase.IDLE, text=f"{text}{again}"))

    def _end_run(self, end: ChildEnd) -> None:
        last = self._last
        if isinstance(last, RunFinished):
            self._finish(last)
        elif isinstance(last, Paused):
            text = paused_text(last, self.history, self._saved)
            self._set(replace(self.state, phase=Phase.PAUSED, text=text, resumable=True))
        elif isinstance(last, RunCancelled) and self.state.phase in (Phase.PAUSING, Phase.STOPPING):
            self._ended_before()
        elif isinstance(last, RunCancelled):
            self._set(replace(self.state, phase=Phase.CANCELLED, text=NOTHING_KEPT))
        elif self.state.phase is Phase.CANCELLING:
            self._cancelled_by_force()
        elif end.code == 0 and self.state.phase in (Phase.PAUSING, Phase.STOPPING) and self.history.step is None:
            self._ended_before()
        else:
            self._fail(end)

    def _finish(self, last: RunFinished) -> None:
        state, text = self.state, finished_text(last)
        try:
            result = self._services.result_of(state.folder, last.key) if state.folder is not None else None
        except CtviewerError as error:
            result, text = None, f"{text} {error}"
        self._set(replace(state, phase=Phase.FINISHED, text=text, result=result))

    def _ended_before(self) -> None:
        """It was to end before it had learned anything."""
        if self._can_go_on():
            self._set(replace(self.state, phase=Phase.PAUSED, text=BEFORE_LEARNING_KEPT, resumable=True))
        else:
            self._set(replace(self.state, phase=Phase.CANCELLED, text=BEFORE_LEARNING))

    def _can_go_on(self) -> bool:
        folder = self.state.folder
        with contextlib.suppress(CtviewerError):  # told where unfinished runs are listed
            return folder is not None and any(run.folder == folder for run in self._services.unfinished())
        return False

    def _cancelled_by_force(self) -> None:
        """The process was ended, or died, before it said that it removed the run: it is removed here."""
        folder, text = self.state.folder, NOTHING_KEPT
        if folder is not None:
            try:
                self._services.discard(folder)
            except CtviewerError as error:
                text = f"Cancelled. {error}"
        self._set(replace(self.state, phase=Phase.CANCELLED, text=text))

    def _fail(self, end: ChildEnd) -> None:
        last = self._last
        resumable = self._can_go_on() and not (isinstance(last, RunFailed) and not last.resumable)
        text = failed_text("The training process ended.", end, last)
        text += f" {resuming_text(self._saved, self.history)}" if resumable else ""
        self._set(replace(self.state, phase=Phase.FAILED, text=text, resumable=resumable))

    def _change_active(self, change: Callable[[], object]) -> None:
        state = self.state
        if state.result is None:
            return
        try:
            change()
            result = self._services.result_of(state.result.folder, state.result.key)
        except CtviewerError as error:
            self.failed.emit(str(error))
            return
        self._set(replace(state, result=result))
        self.models_changed.emit()

    def _set(self, state: TrainingState) -> None:
        self.state = state
        self.changed.emit(state)
