"""The installed bundles, and which of them is active for each task."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ctviewer.core.errors import BundleError, StorageError
from ctviewer.core.files import reason, write_bytes
from ctviewer.models.bundle import METADATA, Bundle, load_bundle
from ctviewer.models.metadata import is_version, version_numbers

ACTIVE = "active.json"


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


def taken_versions(name: str, folders: Iterable[Path]) -> set[tuple[int, int, int]]:
    """Versions that a new bundle of this name must not have: all that are, or leave a trace, in folders of bundles.

    Damaged bundles count, folders that are called like one, parents that are gone, and what was active once.

    Raises:
        StorageError: a folder cannot be read.
    """
    keys: set[str] = set()
    for folder in folders:
        try:
            found = sorted(folder.iterdir()) if folder.exists() else []
        except OSError as error:
            raise StorageError(f"{folder} could not be read: {reason(error)}.") from error
        for path in found:
            keys.add(" ".join(path.name.casefold().rsplit("-", 1)))
            keys |= _keys_in(path / METADATA)
        keys |= _keys_in(folder / ACTIVE)
    versions = (key.removeprefix(f"{name} ") for key in keys if key.startswith(f"{name} "))
    return {version_numbers(version) for version in versions if is_version(version)}


def _keys_in(path: Path) -> set[str]:
    """All that looks like "name version" in a JSON file, read without trust: it may be damaged."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    named = re.search(r'"name": *"([^"]*)"', text), re.search(r'"version": *"([^"]*)"', text)
    own = {" ".join(found[1] for found in named if found)} if all(named) else set()
    return own | set(re.findall(r'"([a-z0-9][a-z0-9-]* [0-9.]+)"', text))
