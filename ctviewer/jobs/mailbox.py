"""What lies between a worker thread and the window: events in order, few enough for the window to keep up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from ctviewer.core.events import Event, Progress
from ctviewer.jobs.outcome import Outcome

_MOST_WAITING = 512  # then the worker waits for the window: memory stays bounded


class Closed(Exception):  # noqa: N818 - a signal to the worker, not an error
    """Nobody reads this mailbox any more: the job was cancelled."""


class Mailbox:
    """Events of one job on their way to the window's thread.

    Progress that follows unread Progress of the same stage takes its place, so that a flood of it costs one event.

    Args:
        ring: called on the worker's thread when there is something to fetch; must not block.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._changed = threading.Condition()
        self._events: deque[Event] = deque()
        self._outcome: Outcome | None = None
        self._closed = False
        self._paused = False

    # the worker's side

    def put(self, event: Event) -> None:
        """Leave an event; waits while the job is paused or the window is far behind.

        Raises:
            Closed: the job was cancelled.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._events) < _MOST_WAITING)
            if self._closed:
                raise Closed
            last = self._events[-1] if self._events else None
            replaces = isinstance(event, Progress) and isinstance(last, Progress) and event.stage == last.stage
            if replaces:
                self._events[-1] = event
            else:
                self._events.append(event)
        if not replaces:
            self._ring()
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._paused)
            if self._closed:
                raise Closed

    def end(self, outcome: Outcome) -> None:
        """The worker's last word: it touches nothing of the job after it."""
        with self._changed:
            self._outcome = outcome
        self._ring()

    @property
    def closed(self) -> bool:
        """Whether the job was cancelled."""
        return self._closed

    # the window's side; none of it waits

    def peek(self) -> Event | None:
        """The oldest event, left where it is."""
        with self._changed:
            return self._events[0] if self._events else None

    def take(self) -> Event | None:
        """The oldest event."""
        with self._changed:
            if not self._events:
                return None
            event = self._events.popleft()
            self._changed.notify_all()
            return event

    @property
    def lone(self) -> bool:
        """Whether exactly one event waits: nothing is held up by leaving it for a moment."""
        return len(self._events) == 1

    @property
    def outcome(self) -> Outcome | None:
        """How the worker ended; None while it works."""
        return self._outcome

    def close(self) -> None:
        """Drop what waits and stop the worker at its next step."""
        with self._changed:
            self._closed = True
            self._events.clear()
            self._changed.notify_all()

    def pause(self, paused: bool) -> None:
        """Hold the worker at its next step, or let it go on."""
        with self._changed:
            self._paused = paused
            self._changed.notify_all()
