"""The installed bundles, which of them is active for each task, and the way back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ctviewer.core.errors import BundleError, InputError, StorageError
from ctviewer.core.files import reason
from ctviewer.core.words import enumerated
from ctviewer.models.activations import ACTIVATED, FOUND, ROLLED_BACK, Activation, ActivationFile, Record
from ctviewer.models.bundle import METADATA, Bundle, load_bundle
from ctviewer.models.metadata import is_version, version_numbers

ACTIVE = "active.json"


class Registry:
    """Finds bundles in folders, and keeps the reader's choices in a small JSON file.

    Args:
        folders: each is searched for bundle folders, one level deep; folders that do not exist are passed over.
        active_file: where the choices are kept; need not exist.
    """

    def __init__(self, folders: Sequence[Path], active_file: Path) -> None:
        self._folders = tuple(folders)
        self._file = ActivationFile(active_file)

    def scan(self) -> tuple[tuple[Bundle, ...], tuple[str, ...]]:
        """The intact bundles by task, version and name, and one sentence for each thing that cannot be used.

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
        if self._file.read().damaged:
            problems.append(
                f"{self._file.path} is damaged, so that it is not known which models were chosen; activate one again."
            )
        return tuple(sorted(found.values(), key=_order)), tuple(problems)

    def active(self, task: str) -> Bundle | None:
        """The bundle used for a task: the reader's choice, else the one that is used without any (`default`).

        Raises:
            BundleError: the reader's choice is not installed any more, is damaged, or is not what was chosen: never
                replaced silently.
        """
        stack = self._file.read().stack(task)
        if not stack:
            return self.default(task)
        bundles, problems = self.scan()
        return _chosen(stack[-1], bundles, problems, "The active model")

    def default(self, task: str) -> Bundle | None:
        """The bundle used for a task where nobody has chosen: one that says it is meant for that, the newest of several.

        Where none says so it is the newest at all, of those whose licence restricts nothing if there are such: nobody is
        bound unasked. What a training run made is used when somebody has activated it, and never before.

        Raises:
            BundleError: there is none that can be used, and some are damaged.
        """
        bundles, problems = self.scan()
        usual = [b for b in bundles if b.metadata.task == task and b.metadata.run is None]
        if not usual and problems:
            raise BundleError(" ".join(problems))
        return max(usual, key=_preferred, default=None)

    def history(self, task: str) -> tuple[Activation, ...]:
        """All that was ever activated for a task and gone back to, oldest first."""
        return tuple(one for one in self._file.read().history if one.task == task)

    def before(self, task: str) -> Activation | None:
        """What `roll_back` goes back to; None where there is nothing."""
        stack = self._file.read().stack(task)
        return stack[-2] if len(stack) > 1 else None

    def activate(self, bundle: Bundle) -> None:
        """Make a bundle the one used for its task. What was used before stays in the history.

        Raises:
            StorageError: the choice cannot be written.
        """
        task = bundle.metadata.task
        with self._file.changing() as record:
            stack, acts = record.stack(task), [_act(bundle, ACTIVATED)]
            if stack and stack[-1].key == bundle.key and stack[-1].sha256 in ("", bundle.metadata.weights_sha256):
                return
            if not stack and (found := self._newest(task)) is not None and found.key != bundle.key:
                acts.insert(0, _act(found, FOUND))
            self._file.add(record, *_unrecorded(stack, record), *acts)

    def roll_back(self, task: str) -> Bundle:
        """Go back to what was used for a task before the one in use; again, and it is the one before that.

        Returns:
            The bundle that is used now.

        Raises:
            InputError: there is nothing to go back to.
            BundleError: what was used before is gone, damaged or another one now; nothing is changed.
            StorageError: the choice cannot be written.
        """
        with self._file.changing() as record:
            stack = record.stack(task)
            if len(stack) < 2:
                raise InputError("There is no earlier model to go back to.")
            bundles, problems = self.scan()
            bundle = _chosen(stack[-2], bundles, problems, "The model that was used before,", others=task)
            self._file.add(record, *_unrecorded(stack, record), _act(bundle, ROLLED_BACK))
        return bundle

    def _newest(self, task: str) -> Bundle | None:
        try:
            return self.active(task)
        except BundleError:
            return None


def children(bundle: Bundle, bundles: Iterable[Bundle]) -> tuple[Bundle, ...]:
    """Those among `bundles` that were made from `bundle`: by name, version and, where it is known, weights."""
    m = bundle.metadata
    made = (one for one in bundles if one.metadata.parent == bundle.key)
    return tuple(
        one for one in made if one.metadata.run is None or one.metadata.run.parent_sha256 in ("", m.weights_sha256)
    )


def taken_versions(name: str, folders: Iterable[Path]) -> set[tuple[int, int, int]]:
    """Versions that a new bundle of this name must not have: all that are, or leave a trace, in folders of bundles.

    Damaged bundles count, folders that are called like one, parents that are gone, and what was active once.

    Raises:
        StorageError: a folder cannot be read.
    """
    keys: set[str] = set()
    for folder in dict.fromkeys(folders):
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


def _act(bundle: Bundle, act: str) -> Activation:
    return Activation(bundle.metadata.task, bundle.key, bundle.metadata.weights_sha256, act=act)


def _unrecorded(stack: Sequence[Activation], record: Record) -> Sequence[Activation]:
    """What is in use by the word of an older version of the program, which kept no history."""
    return [one for one in stack[-1:] if one not in record.history]


def _chosen(one: Activation, bundles: Sequence[Bundle], problems: Sequence[str], what: str, others: str = "") -> Bundle:
    """The installed bundle that was meant.

    Raises:
        BundleError: there is none, or it holds other weights than it did.
    """
    found = next((b for b in bundles if b.key == one.key and b.metadata.task == one.task), None)
    if found is not None and one.sha256 in ("", found.metadata.weights_sha256):
        return found
    fault = "is not installed or is damaged" if found is None else "is not what it was: its weights are others"
    told = [f"{what} {one.key} {fault}.", *problems]
    if others:
        usable = [b.key for b in bundles if b.metadata.task == others]
        told.append(
            f"Nothing was changed; {enumerated(usable)} can be activated." if usable else "Nothing was changed."
        )
    raise BundleError(" ".join(told))


def _preferred(bundle: Bundle) -> tuple[bool, bool, tuple[str, tuple[int, ...], str]]:
    m = bundle.metadata
    return m.default, not m.restriction, _order(bundle)


def _order(bundle: Bundle) -> tuple[str, tuple[int, ...], str]:
    m = bundle.metadata
    return m.task, version_numbers(m.version), m.name
