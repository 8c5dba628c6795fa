"""One process at a time in the folder of a run: a lock that the system itself drops when the process dies, however it dies."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.files import reason
from ctviewer.core.locks import open_lock, take

LOCK = "lock"
_TRIES, _WAIT = 10, 0.05  # somebody may just be looking whether it is held


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Have the folder for this process alone.

    Raises:
        InputError: another process has it.
        StorageError: the folder cannot be written.
    """
    handle = _open(folder)
    try:
        for _ in range(_TRIES):
            if _taken(handle):
                break
            time.sleep(_WAIT)
        else:
            raise InputError(f"The run in {folder} is going on in another process.")
        yield
    finally:
        os.close(handle)  # gives the lock back; the file stays, for removing it would part those who wait for it


def is_held(folder: Path) -> bool:
    """Whether a process works on the run right now."""
    if not (folder / LOCK).exists():
        return False
    try:
        handle = _open(folder)
    except StorageError:
        return False
    try:
        return not _taken(handle)
    finally:
        os.close(handle)


def _open(folder: Path) -> int:
    try:
        return open_lock(folder / LOCK)
    except OSError as error:
        raise StorageError(f"{folder} cannot be used for a run: {reason(error)}.") from error


def _taken(handle: int) -> bool:
    try:
        return take(handle)
    except OSError as error:
        raise StorageError(f"The file system cannot lock the folder of the run: {reason(error)}.") from error
