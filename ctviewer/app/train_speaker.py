"""How a training run speaks: as lines for a person, or as JSON lines of events for the window; and what its folder keeps of it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO

from ctviewer.core.errors import StorageError
from ctviewer.core.events import Event, Message, Progress
from ctviewer.core.words import counted, duration_text
from ctviewer.training.event_lines import to_line
from ctviewer.training.events import (
    Checked,
    EpochDone,
    Paused,
    RunBegun,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunPlaced,
    StepDone,
)
from ctviewer.training.run_record import append_events

_NOT_KEPT = (Progress, Checked, RunPlaced)  # of the moment, or in a file of its own


class Speaker:
    """Says events; once `folder` is set it keeps them too.

    Args:
        show: says one.
        lost: called where nobody hears it any more (the window died, the terminal was closed).
    """

    def __init__(self, show: Callable[[Event], None], lost: Callable[[], None] = lambda: None) -> None:
        self._show, self._lost = show, lost
        self.folder: Path | None = None
        self.names: tuple[str, ...] = ()  # of studies: they may be patients' and are not kept
        self._deaf = self._failed = False

    def say_failed(self, event: RunFailed) -> None:
        """Say why it failed, once, as far as that can still be said."""
        if not self._failed:
            self._failed = True
            with contextlib.suppress(StorageError):
                self.say(event)

    def say(self, event: Event) -> None:
        """Keep an event, then say it.

        Raises:
            StorageError: the folder of the run cannot be written.
        """
        if self.folder is not None and not isinstance(event, _NOT_KEPT):
            append_events(self.folder, (self._nameless(event),))
        if self._deaf:
            return
        try:
            self._show(event)
        except (OSError, ValueError):  # ValueError: the stream is closed
            self._deaf = True
            _hush()
            self._lost()

    def _nameless(self, event: Event) -> Event:
        """What may be kept of a sentence."""
        if not isinstance(event, Message | RunFailed):
            return event
        return dataclasses.replace(event, text=without_names(event.text, self.names))


def without_names(text: str, names: Iterable[str]) -> str:
    """A sentence without the names of studies; very short ones are taken for such behind the word alone."""
    for name in sorted(names, key=len, reverse=True):
        if name in text:
            before = "" if len(name) > 2 else r"(?<=study )"
            text = re.sub(rf"{before}(?<!\w){re.escape(name)}(?!\w)", "…", text)
    return text


def _hush() -> None:
    """Let what is still in the buffers of a stream that nobody hears go nowhere, else Python complains of it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def nothing(_event: Event) -> None:
    """Of the processes of a run the first alone speaks."""


def json_lines(event: Event) -> None:
    """One line of JSON on standard output."""
    print(to_line(event), flush=True)


class Console:
    """Lines for a person, on standard error; the line of progress is drawn anew in a terminal.

    Args:
        quiet: no progress.
        stream: where to; standard error by default.
    """

    def __init__(self, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._quiet, self._terminal = quiet, self._stream.isatty()
        self._drawn, self._stage, self._folds = 0, "", 1

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, StepDone):
            self._redraw(self._step_text(event))
        elif not isinstance(event, Checked):
            if isinstance(event, RunBegun):
                self._folds = event.folds
            for line in _sentences(event, self._folds):
                self.line(line)

    def line(self, text: str) -> None:
        """A sentence on a line of its own."""
        if self._drawn:
            self._print("\r" + " " * self._drawn + "\r", end="")
            self._drawn = 0
        self._stage = ""
        self._print(f"ctviewer: {text}\n", end="")

    def _progress(self, event: Progress) -> None:
        new = event.stage != self._stage
        count = f" {event.done}/{event.total}" if event.total else ""
        if self._terminal:
            self._redraw(f"{event.stage}{count}")
        elif new and not self._quiet:
            self._print(f"{event.stage}\n", end="")
        self._stage = event.stage

    def _step_text(self, event: StepDone) -> str:
        fold = f"fold {event.fold + 1} of {self._folds}, " if self._folds > 1 else ""
        left = "" if event.seconds_left is None else f", {duration_text(event.seconds_left)} left"
        return f"{fold}epoch {event.epoch}, step {event.step} of {event.steps}, loss {event.loss:.4f}{left}"

    def _redraw(self, text: str) -> None:
        if not self._terminal or self._quiet:
            return
        self._print("\r" + text.ljust(self._drawn), end="")
        self._drawn = len(text)

    def _print(self, text: str, end: str) -> None:
        print(text, end=end, file=self._stream, flush=True)


def _sentences(event: Event, folds: int) -> tuple[str, ...]:
    """What a person is told of an event; nothing where it is not worth a line."""
    if isinstance(event, Message):
        return (event.text,)
    if isinstance(event, RunPlaced):
        return (f"The run is kept in {event.folder}",)
    if isinstance(event, RunBegun):
        from_step = f", going on from step {event.resumed}" if event.resumed else ""
        times = f"; {folds} trainings, the last one on all" if folds > 1 else ""
        return (
            f"Training on {counted(event.train, event.unit)}, choosing by {event.validation}, judging by {event.test}{times}; "
            f"{event.steps} steps on {event.device} in {event.precision}{from_step}.",
        )
    if isinstance(event, EpochDone):
        return (_epoch_text(event, folds),)
    if isinstance(event, Paused):
        return (f"Paused at step {event.step}.",)
    if isinstance(event, RunCancelled):
        return ("Cancelled. Nothing of this run was kept.",)
    if isinstance(event, RunFinished):
        how = "Stopped; the best state so far was kept" if event.stopped else "Finished"
        figures = (f"  {name}: {value:.3f}" for name, value in event.metrics.items())
        return (f"{how}: {event.key}, in {event.bundle}; its card there, README.md, gives the intervals.", *figures)
    return ()


def _epoch_text(event: EpochDone, folds: int) -> str:
    fold = f"fold {event.fold + 1} of {folds}, " if folds > 1 else ""
    judged = "" if event.validation_loss != event.validation_loss else f", validation loss {event.validation_loss:.4f}"
    figures = "".join(f", {name} {value:.3f}" for name, value in event.metrics.items())
    best = " (best so far)" if event.best else ""
    text = f"{fold}epoch {event.epoch} of {event.epochs}: loss {event.loss:.4f}{judged}{figures}{best}"
    return text[0].upper() + text[1:]
