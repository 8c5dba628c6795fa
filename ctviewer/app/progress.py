"""How the command line shows a long job: one line of progress, and sentences on lines of their own, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from ctviewer.core.events import Done, Event, Message, Progress

_BAR = 28


class ProgressLine:
    """One line on standard error that is drawn anew; plain lines per stage where that is no terminal."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._stage = ""

    def show(self, progress: Progress) -> None:
        """Draw a progress."""
        if self._quiet:
            return
        new = progress.stage != self._stage
        if self._terminal:
            if new and self._stage:
                print(file=sys.stderr)
            share = progress.done / progress.total if progress.total else 0.0
            bar = "#" * round(_BAR * share)
            count = f"{progress.done}/{progress.total}" if progress.total else ""
            print(f"\r{progress.stage:28s} [{bar:{_BAR}s}] {count:>11s}", end="", file=sys.stderr, flush=True)
        elif new:
            print(progress.stage, file=sys.stderr)
        self._stage = progress.stage

    def say(self, text: str) -> None:
        """A sentence on a line of its own."""
        self.end()
        print(f"ctviewer: {text}", file=sys.stderr)

    def end(self) -> None:
        """Finish the line."""
        if self._stage and self._terminal and not self._quiet:
            print(file=sys.stderr)
        self._stage = ""


def drain(events: Iterator[Event], line: ProgressLine, other: Callable[[Event], None] = lambda _: None) -> Any:
    """Run a generator of events to its end; returns what its Done carries. Ctrl+C closes it on the way out."""
    value = None
    try:
        for event in events:
            if isinstance(event, Progress):
                line.show(event)
            elif isinstance(event, Message):
                line.say(event.text)
            elif isinstance(event, Done):
                value = event.value
            else:
                other(event)
    finally:
        line.end()
        close = getattr(events, "close", None)
        if close is not None:
            close()
    return value
