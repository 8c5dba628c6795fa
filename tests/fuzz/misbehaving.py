"""Processes that do what a viewer must not, so that it is known that the fuzzer sees it."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection

from fuzz.trial import Verdict


def crash(pipe: Connection) -> None:
    """Dies at every second case, as native code does."""
    pipe.send(None)
    while (case := pipe.recv()) is not None:
        if case.number % 2:
            os.abort()
        pipe.send(Verdict("equal"))


def hang(pipe: Connection) -> None:
    """Never comes back from every second case."""
    pipe.send(None)
    while (case := pipe.recv()) is not None:
        if case.number % 2:
            time.sleep(60)
        pipe.send(Verdict("equal"))
