"""Jobs as the window sees them: signals on its own thread, an answer at once to cancel, no thread left at the end."""

from __future__ import annotations

import contextlib
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt, QThread, QTimer, Signal, Slot

from ctviewer.core.events import Event, Progress
from ctviewer.jobs.mailbox import Mailbox
from ctviewer.jobs.outcome import Cancelled, Outcome, Succeeded
from ctviewer.jobs.worker import work

_PROGRESS_EVERY = 0.04  # s: as often as a progress bar is worth painting
_REST = 0.004  # s between two rounds of deliveries, for the window's own events
_ROUND = 0.008  # s that one round may take


class Job(QObject):
    """One run of a generator. Signals come on the thread of its `JobRunner`, in order; `finished` comes once, last.

    It is deleted (by `deleteLater`) when its thread has ended; `name` and `outcome` (without its value) stay readable.

    Signals:
        event: each core `Event`, `Done` included; of Progress in a hurry only the newest.
        finished: `Succeeded`, `Cancelled` or `Failed`.
    """

    event = Signal(object)  # type: ignore[assignment]  # hides QObject.event(), which nobody calls from Python
    finished = Signal(object)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.outcome: Outcome | None = None

    def finish(self, outcome: Outcome) -> None:
        """For the runner alone: say how it ended, the first time only."""
        if self.outcome is None:
            self.outcome = outcome
            self.finished.emit(outcome)

    def let_go(self) -> None:
        """For the runner alone: drop slots and value. PySide keeps slots that refer to their own job for ever."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # nobody had connected
            for signal in (self.event, self.finished):
                with contextlib.suppress(RuntimeError):
                    signal.disconnect()
        if isinstance(self.outcome, Succeeded):
            self.outcome = Succeeded()  # the value went with the signal; a volume must not live as long as this object


@dataclass(eq=False)
class _Running:
    """A job, its thread, and when its progress was last shown. Kept until the thread has ended."""

    job: Job
    mailbox: Mailbox
    thread: threading.Thread
    progress_at: float = 0.0


class _Bell(QObject):
    """Wakes the window's thread from any other, once for any number of rings until it is answered."""

    rung = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._lock = threading.Lock()
        self._ringing = False

    def ring(self) -> None:
        with self._lock:
            if self._ringing:
                return
            self._ringing = True
        with contextlib.suppress(RuntimeError):  # the runner is gone; its mailboxes are closed
            self.rung.emit()

    def answer(self) -> None:
        with self._lock:
            self._ringing = False


def _close_all(running: list[_Running]) -> None:
    for each in running:
        each.mailbox.close()


class JobRunner(QObject):
    """Starts jobs, each on a thread of its own, and delivers what they say to the thread that it lives on.

    Keep it until the program ends and call `shutdown` before dropping it. All methods belong to its own thread.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._running: list[_Running] = []
        self._shut = False
        self._last_round = 0.0
        self._bell = _Bell(self)
        self._bell.rung.connect(self._on_bell, Qt.ConnectionType.QueuedConnection)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._deliver)
        running = self._running  # not self: it is gone by then
        self.destroyed.connect(lambda: _close_all(running))

    def start(self, name: str, factory: Callable[[], Iterator[Event]], *, background: bool = False) -> Job:
        """Start a job. Connect to its signals before returning to the event loop: none comes earlier.

        Args:
            name: for the log, the same for every patient.
            factory: called on the job's thread; gives the generator.
            background: whether the thread, and the pools that it starts, give way to the window.

        Raises:
            RuntimeError: after `shutdown`, or from another thread.
        """
        self._check_thread()
        if self._shut:
            raise RuntimeError("no job starts after shutdown")
        mailbox = Mailbox(self._bell.ring)
        # a daemon: a read that hangs on a dead network drive must not keep the closed program alive
        thread = threading.Thread(target=work, args=(name, factory, mailbox, background), name=name, daemon=True)
        job = Job(name)
        self._running.append(_Running(job, mailbox, thread))
        thread.start()
        return job

    def cancel(self, job: Job) -> None:
        """End a job now: `finished(Cancelled())` is emitted before this returns and nothing of the job follows it.

        Its generator is closed at its next step, on its own thread. A job that has ended stays as it is.
        """
        self._check_thread()
        for running in self._running:
            if running.job is job:
                running.mailbox.close()
                job.finish(Cancelled())

    def pause(self, job: Job) -> None:
        """Hold a job at its next step."""
        self._pause(job, True)

    def resume(self, job: Job) -> None:
        """Let a paused job go on."""
        self._pause(job, False)

    @property
    def active(self) -> tuple[Job, ...]:
        """Jobs that have not finished."""
        return tuple(r.job for r in self._running if r.job.outcome is None)

    def shutdown(self, timeout: float = 10.0) -> bool:
        """Cancel all jobs and wait for their threads; nothing starts after it.

        Args:
            timeout: seconds to wait in all.

        Returns:
            Whether every thread has ended.
        """
        self._check_thread()
        self._shut = True
        for running in list(self._running):
            self.cancel(running.job)
        deadline = time.monotonic() + timeout
        for running in list(self._running):
            running.thread.join(max(0.0, deadline - time.monotonic()))
        self._timer.stop()
        self._reap()
        return not self._running

    def _pause(self, job: Job, paused: bool) -> None:
        self._check_thread()
        for running in self._running:
            if running.job is job:
                running.mailbox.pause(paused)

    def _check_thread(self) -> None:
        if QThread.currentThread() is not self.thread():
            raise RuntimeError("a job runner is used from its own thread only")

    @Slot()
    def _on_bell(self) -> None:
        """Deliver, but leave the window time for its own events between two rounds."""
        rest = self._last_round + _REST - time.monotonic()
        if rest > 0:
            self._deliver_in(rest)
        else:
            self._deliver()

    def _deliver_in(self, seconds: float) -> None:
        milliseconds = max(1, round(seconds * 1000))
        if not self._timer.isActive() or self._timer.remainingTime() > milliseconds:
            self._timer.start(milliseconds)

    @Slot()
    def _deliver(self) -> None:
        """One round of deliveries. Slots may cancel jobs, start jobs or run an event loop of their own meanwhile."""
        self._bell.answer()  # first: what comes from now on rings again
        deadline = time.monotonic() + _ROUND
        waits = [wait for running in list(self._running) if (wait := self._deliver_from(running, deadline)) is not None]
        self._last_round = time.monotonic()
        self._reap()
        if waits and not self._shut:
            self._deliver_in(min(waits))

    def _deliver_from(self, running: _Running, deadline: float) -> float | None:
        """Emit what one job has said.

        Returns:
            Seconds until it should be looked at again; None where it will ring.
        """
        job, mailbox = running.job, running.mailbox
        while job.outcome is None:
            if time.monotonic() > deadline:
                return _REST
            outcome = mailbox.outcome  # before looking for events: none comes after it
            head = mailbox.peek()
            if head is None:
                if outcome is not None:
                    job.finish(outcome)
                return None
            if isinstance(head, Progress) and outcome is None:
                early = running.progress_at + _PROGRESS_EVERY - time.monotonic()
                if early > 0 and mailbox.lone:
                    return early
                running.progress_at = time.monotonic()
            event = mailbox.take()
            if event is not None:
                self._deliver_in(_REST)  # should a slot run an event loop of its own, the rest comes there
                job.event.emit(event)
        return None

    def _reap(self) -> None:
        """Let go of jobs whose worker has said its last word; its thread is out of our code by then."""
        for running in [r for r in self._running if r.job.outcome is not None and r.mailbox.outcome is not None]:
            running.thread.join()
            self._running.remove(running)
            running.job.let_go()
            running.job.deleteLater()
