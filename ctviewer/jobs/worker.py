"""What runs on a job's own thread. It knows no Qt object: none may ever be freed there."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator

from ctviewer.core.errors import CtviewerError
from ctviewer.core.events import Done, Event
from ctviewer.core.threads import lower_thread_priority
from ctviewer.jobs.mailbox import Closed, Mailbox
from ctviewer.jobs.outcome import Cancelled, Failed, Outcome, Succeeded

logger = logging.getLogger(__name__)


def work(name: str, factory: Callable[[], Iterator[Event]], mailbox: Mailbox, background: bool) -> None:
    """Drive a generator to its end, to the job's cancellation, or to its error; always leaves an outcome."""
    outcome: Outcome = Cancelled()
    try:
        if background:
            lower_thread_priority()
        if not mailbox.closed:
            outcome = Succeeded(_drive(factory, mailbox))
    except Closed:
        pass
    except BaseException as error:  # noqa: BLE001 - the thread's boundary: nothing may be lost here
        if not isinstance(error, CtviewerError):
            _log(name, error)
        _forget_frames(error)
        outcome = Failed(error)
    finally:
        mailbox.end(outcome)


def _drive(factory: Callable[[], Iterator[Event]], mailbox: Mailbox) -> object:
    """Run the generator; its `finally` blocks run here, on this thread, however it ends.

    Returns:
        The value of its last `Done`.
    """
    value = None
    steps = factory()
    try:
        for event in steps:
            if isinstance(event, Done):
                value = event.value
            mailbox.put(event)
    finally:
        close = getattr(steps, "close", None)
        if close is not None:
            close()
    return value


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what it came from."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and all(current is not known for known in chain):
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain


def _log(name: str, error: BaseException) -> None:
    """Log types and places, never messages: they may hold paths, names or values of a patient."""
    lines = []
    for link in _chain(error):
        lines.append(f"{type(link).__module__}.{type(link).__qualname__}")
        lines += [f"  {f.filename}:{f.lineno} in {f.name}" for f in traceback.extract_tb(link.__traceback__)]
    logger.error("The job %r failed:\n%s", name, "\n".join(lines))


def _forget_frames(error: BaseException) -> None:
    """Drop tracebacks: their frames keep volumes and models alive, in a GPU's memory too."""
    for link in _chain(error):
        link.__traceback__ = None
