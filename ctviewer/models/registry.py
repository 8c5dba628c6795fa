"""The installed bundles, and which of them is active for each task."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ctviewer.core.errors import BundleError
from ctviewer.core.files import write_bytes
from ctviewer.models.bundle import METADATA, Bundle, load_bundle


class Registry:
    """Finds bundles in folders, and keeps the reader's choice in a small JSON file.

    Args:
        folders: each is searched for bundle folders, one level deep; folders that do not exist are passed over.
        active_file: where the choice is kept; need not exist.
    """

    def __init__(self, folders: Sequence[Path], active_file: Path) -> None:
        self._folders = tuple(folders)
        self._active_file = active_file

    def scan(self) -> tuple[tuple[Bundle, ...], tuple[str, ...]]:
        """The intact bundles by task, name and version, and one sentence for each that cannot be used.

        Where two folders hold the same name and version, the earlier folder's counts.
        """
        found: dict[str, Bundle] = {}
        problems: list[str] = []
        for folder in self._folders:
            for path in sorted(folder.glob(f"[!.]*/{METADATA}")):
                try:
                    bundle = load_bundle(path.parent)
                except BundleError as error:
                    problems.append(str(error))
                else:
                    found.setdefault(bundle.key, bundle)
        return tuple(sorted(found.values(), key=_order)), tuple(problems)

    def active(self, task: str) -> Bundle | None:
        """The bundle used for a task: the reader's choice, else the newest version installed; None without any.

        Raises:
            BundleError: the reader's choice is not installed any more, or is damaged: never replaced silently.
        """
        bundles, problems = self.scan()
        mine = [b for b in bundles if b.metadata.task == task]
        choice = self._choices().get(task)
        if choice is not None:
            for bundle in mine:
                if bundle.key == choice:
                    return bundle
            raise BundleError(" ".join([f"The active model {choice} is not installed or is damaged.", *problems]))
        if not mine and problems:
            raise BundleError(" ".join(problems))
        return max(mine, key=_order, default=None)

    def activate(self, bundle: Bundle) -> None:
        """Make a bundle the one used for its task.

        Raises:
            StorageError: the choice cannot be written.
        """
        choices = {**self._choices(), bundle.metadata.task: bundle.key}
        write_bytes(self._active_file, json.dumps(choices, indent=2).encode())

    def _choices(self) -> dict[str, str]:
        """Task to bundle key. An unreadable file counts as no choice: the shipped models still work."""
        try:
            data = json.loads(self._active_file.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(data, dict):
            return {}
        return {str(task): key for task, key in data.items() if isinstance(key, str)}


def _order(bundle: Bundle) -> tuple[str, tuple[int, ...], str]:
    m = bundle.metadata
    return m.task, tuple(int(part) for part in m.version.split(".")), m.name
