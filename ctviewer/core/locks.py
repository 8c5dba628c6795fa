"""Locks between processes on a file: the system itself drops them when a process dies, however it dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def open_lock(path: Path) -> int:
    """A handle of the file to lock, which is made where it is absent; `os.close` gives the lock back.

    The file stays: removing it would part those who wait for it.

    Raises:
        OSError: it cannot be opened.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)


if sys.platform == "win32":
    import msvcrt

    def take(handle: int) -> bool:
        """Try to take the lock without waiting; whether that worked."""
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def take(handle: int) -> bool:
        """Try to take the lock without waiting; whether that worked.

        Raises:
            OSError: the file system knows no locks.
        """
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
