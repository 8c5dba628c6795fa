"""Events that long jobs yield. A job is a generator; each yield is where it reports, pauses or stops."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """Anything a job yields."""


@dataclass(frozen=True)
class Progress(Event):
    """How far a stage of a job is.

    Attributes:
        stage: what is being done, in words fit for the window ("Classifying slices").
        done: steps finished.
        total: steps in all, or 0 where nobody knows.
    """

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Message(Event):
    """One sentence for the reader that ends nothing (a fall-back to the CPU, a file left out)."""

    text: str


@dataclass(frozen=True)
class Done(Event):
    """The last event of a job that ended well; value is what it made."""

    value: Any = None


def last(events: Iterator[Event]) -> Generator[Event, None, Any]:
    """A job within a job: pass its events on, and give what its `Done` holds."""
    for event in events:
        if isinstance(event, Done):
            return event.value
        yield event
    raise AssertionError("a job that ends well ends with Done")
