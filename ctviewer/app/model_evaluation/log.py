"""The log of all runs: lines of JSON, one for each look and each finished run. Nothing of patients but figures of the sets.

It is part of the repository, so that everybody sees how often P001 and normal001 were looked at, and with which models.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ctviewer
from ctviewer.core.errors import StorageError
from ctviewer.core.files import reason

LOOK, RUN = "look", "run"


@dataclass(frozen=True)
class Log:
    """A file that lines are added to, and never taken from.

    Attributes:
        path: of the file; it need not exist.
        commit: of the program's repository, "" where it is not known.
    """

    path: Path
    commit: str

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add a line: when, by which program, and `entry`.

        Raises:
            StorageError: it cannot be written; nothing may be looked at then.
        """
        made = datetime.now(UTC).isoformat(timespec="seconds")
        whole = {"time": made, "program": f"ctviewer {ctviewer.__version__}", "commit": self.commit, **entry}
        line = json.dumps(whole, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(f"{self.path} could not be written: {reason(error)}.") from error

    def looks(self) -> int:
        """How often the patients were looked at until now."""
        return sum(entry.get("event") == LOOK for entry in self._entries())

    def _entries(self) -> Iterator[dict[str, Any]]:
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"{self.path} could not be read: {reason(error)}.") from error
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:  # of a run that the power cut short
                continue
            if isinstance(entry, dict):
                yield entry
