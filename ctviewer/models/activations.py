"""Which bundle is used for each task, and which ones were before: a small JSON file that only grows.

{"study_classifier": "lung 1.1.0", "history": [{"task": ..., "key": ..., "sha256": ..., "time": ..., "act": ...}, ...]}

The flat part is all that older versions of the program wrote and read; where the two differ, it counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ctviewer.core.errors import StorageError
from ctviewer.core.files import reason, write_bytes
from ctviewer.core.locks import open_lock, take
from ctviewer.core.records import read_record

FOUND, ACTIVATED, ROLLED_BACK = "found", "activated", "rolled back"
_HISTORY = "history"
_WAIT_SECONDS = 5.0


@dataclass(frozen=True)
class Activation:
    """One change of what is used.

    Attributes:
        task: of the bundle.
        key: "name version".
        sha256: of its weights; "" where only the key is known.
        time: ISO 8601, UTC.
        act: `FOUND` (in use before the first choice), `ACTIVATED` or `ROLLED_BACK` (gone back to).
    """

    task: str
    key: str
    sha256: str = ""
    time: str = ""
    act: str = ACTIVATED


@dataclass(frozen=True)
class Record:
    """What the file says.

    Attributes:
        choices: task to key.
        history: oldest first.
        damaged: whether there is a file that cannot be read.
    """

    choices: dict[str, str]
    history: tuple[Activation, ...] = ()
    damaged: bool = False

    def stack(self, task: str) -> list[Activation]:
        """What rolling back goes through: the one in use is the last."""
        stack: list[Activation] = []
        for one in self.history:
            if one.task == task:
                if one.act == ROLLED_BACK:
                    del stack[-2:]
                stack.append(one)
        chosen = self.choices.get(task)
        if chosen is not None and (not stack or stack[-1].key != chosen):
            stack.append(Activation(task, chosen))
        return stack


class ActivationFile:
    """Reads and changes it.

    Args:
        path: need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Record:
        """What is known; a file that cannot be read is told as damaged, and nothing is known then."""
        try:
            data = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return Record({})
        except (OSError, ValueError, RecursionError):
            return Record({}, damaged=True)
        if not isinstance(data, dict):
            return Record({}, damaged=True)
        history = data.get(_HISTORY, [])
        choices = {task: key for task, key in data.items() if isinstance(key, str)}
        try:
            known = tuple(read_record(Activation, one) for one in history)
        except (ValueError, TypeError):
            return Record(choices, damaged=True)
        return Record(choices, known, damaged=any(not isinstance(v, str) for k, v in data.items() if k != _HISTORY))

    def add(self, record: Record, *acts: Activation) -> None:
        """Write what `record` says and the acts after it, the last of which is in use now.

        Only under `changing`, with what was read there.

        Raises:
            StorageError: it cannot be written.
        """
        if record.damaged:
            self._keep_damaged()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        told = [asdict(one) for one in record.history] + [{**asdict(one), "time": one.time or now} for one in acts]
        data: dict[str, Any] = {**record.choices, acts[-1].task: acts[-1].key, _HISTORY: told}
        write_bytes(self.path, (json.dumps(data, indent=2) + "\n").encode())

    @contextlib.contextmanager
    def changing(self) -> Iterator[Record]:
        """Hold the file against other processes, and give what it says.

        Raises:
            StorageError: its folder cannot be written, or another process does not let go of it.
        """
        lock = self.path.with_name(f".{self.path.name}.lock")
        handle = _acquire(lock)
        try:
            yield self.read()
        finally:
            os.close(handle)

    def _keep_damaged(self) -> None:
        """Nothing is overwritten: what cannot be read is kept beside."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise StorageError(f"{self.path} could not be read: {reason(error)}.") from error
        digest = hashlib.sha256(data).hexdigest()[:8]
        write_bytes(self.path.with_name(f"{self.path.stem}-damaged-{digest}{self.path.suffix}"), data)


def _acquire(lock: Path) -> int:
    """Wait for the lock; what to close when it is not needed any more."""
    deadline = time.monotonic() + _WAIT_SECONDS
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = open_lock(lock)
    except OSError as error:
        raise StorageError(f"{lock.parent} could not be written: {reason(error)}.") from error
    while not _taken(handle):
        if time.monotonic() > deadline:
            os.close(handle)
            raise StorageError(f"{lock.parent} is being changed by another process; try again.")
        time.sleep(0.01)
    return handle


def _taken(handle: int) -> bool:
    """A file system that knows no locks is no reason to refuse: two people seldom click in one millisecond."""
    try:
        return take(handle)
    except OSError:
        return True
