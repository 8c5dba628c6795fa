"""What worker threads need of the system."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

_NICENESS = 10


def cores() -> int:
    """Processors that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def lower_thread_priority() -> None:
    """Let the window's thread go before this one when both want the processor.

    On Linux niceness belongs to a thread and is inherited by the threads it starts: call it before torch or a decoder
    starts its pool. Elsewhere it belongs to the whole process, window included, so nothing is done there.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError):  # a container may forbid it; it is a courtesy, not a need
        thread = threading.get_native_id()
        if os.getpriority(os.PRIO_PROCESS, thread) < _NICENESS:
            os.setpriority(os.PRIO_PROCESS, thread, _NICENESS)
