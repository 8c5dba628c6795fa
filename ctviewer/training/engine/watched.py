"""Long work that counts slices, told as progress about once a second."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TypeVar

from ctviewer.core.events import Event, Progress

T = TypeVar("T")
HEARTBEAT = 1.0  # seconds


def watching(work: Generator[int, None, T], stage: str, total: int = 0) -> Generator[Event, None, T]:
    """Do the work and say now and then how far it is.

    Args:
        work: yields a number of slices that are done.
        stage: in words.
        total: slices in all; 0 where nobody knows.
    """
    passed, spoke = 0, time.monotonic()
    while True:
        try:
            passed += next(work)
        except StopIteration as end:
            value: T = end.value
            return value
        if time.monotonic() - spoke >= HEARTBEAT:
            spoke = time.monotonic()
            yield Progress(stage, min(passed, total) if total else passed, total)
