"""How often each hold-out was looked at. A hold-out that models are chosen by again and again tells less each time.

A folder per hold-out, named by the contents of its studies, and in it one small file per look: adding one needs no
lock, a crash leaves the look or nothing, and two processes never write the same file. Nobody is named.

<sha256>/studies.json            short digests of the studies' contents
<sha256>/<kind>-<key>.json       a look; what it holds is for people, its name is what counts
learned/<weights>.json           short digests of the studies (of labelled slices, of each image too) that a version learned
                                 from or was chosen by, and its parent
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from ctviewer.core.errors import StorageError
from ctviewer.core.files import reason, write_bytes

TRAINING, EVALUATION, COMPARISON = "training", "evaluation", "comparison"
KINDS = (TRAINING, EVALUATION, COMPARISON)
FOLDER = "holdouts"

_STUDIES, _LEARNED = "studies.json", "learned"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LOOK = re.compile(rf"({'|'.join(KINDS)})-([0-9a-f]{{32}})\.json")
_SHARED = 0.5


def holdout_sha256(contents: Iterable[str]) -> str:
    """What stands for a set of studies, whatever their order and names.

    Args:
        contents: SHA-256 of the pixels of each study.

    Returns:
        SHA-256 (hex); "" where there is no study, or the content of one is not known ("").
    """
    found = sorted(set(contents))
    if not found or not found[0]:
        return ""
    return hashlib.sha256(b"ctviewer hold-out\0" + "\n".join(found).encode()).hexdigest()


class Ledger:
    """Counts looks.

    Args:
        folder: made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def beside(cls, bundles: Path) -> Ledger:
        """The one that belongs to a folder of bundles."""
        return cls(bundles.parent / FOLDER)

    def look(self, contents: Iterable[str], kind: str, *, model: str, once: str = "") -> None:
        """Count a look.

        Args:
            contents: SHA-256 of the pixels of each study; nothing is counted where one is not known.
            kind: one of `KINDS`.
            model: "name version" of what was looked at, for people.
            once: looks of one kind with the same text count once: a run that is resumed has looked once.

        Raises:
            StorageError: it cannot be written.
        """
        assert kind in KINDS
        contents = sorted(set(contents))
        if not (sha256 := holdout_sha256(contents)):
            return
        place = self._folder / sha256
        if not (place / _STUDIES).exists():
            write_bytes(place / _STUDIES, json.dumps([_short(one) for one in contents]).encode())
        told = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "kind": kind, "model": model}
        write_bytes(place / f"{kind}-{_key(once) or os.urandom(16).hex()}.json", (json.dumps(told) + "\n").encode())

    def looks(self, contents: Iterable[str], *, without: str = "") -> dict[str, int]:
        """How often these studies were looked at, by kind; kinds that never happened are left out.

        Looks at another hold-out count too where at least half of the smaller of the two is shared: one study more or
        less makes no new hold-out.

        Args:
            contents: as for `look`; unknown ones count for nothing.
            without: looks that were counted `once` under this text are left out.

        Raises:
            StorageError: the folder cannot be read.
        """
        contents = {one for one in contents if one}
        key, found = _key(without), dict.fromkeys(KINDS, 0)
        try:
            for place in self._sharing(contents):
                for kind, known in _looks(place):
                    found[kind] += known != key
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StorageError(f"{self._folder} could not be read: {reason(error)}.") from error
        return {kind: count for kind, count in found.items() if count}

    def learned(self, weights: str, contents: Iterable[str], parent: str = "") -> None:
        """Keep what a version learned from, so that it is never taken for unseen.

        Args:
            weights: SHA-256 of the version's weights.
            contents: as for `look`; unknown ones are left out.
            parent: SHA-256 of the weights that it began with; "" for none.

        Raises:
            StorageError: it cannot be written.
        """
        told = {"studies": sorted({_short(one) for one in contents if one}), "parent": parent}
        write_bytes(self._folder / _LEARNED / f"{weights}.json", (json.dumps(told) + "\n").encode())

    def seen(self, weights: str, contents: Iterable[str]) -> int:
        """How many of these studies a version, or one that it descends from, learned from, as far as is known here."""
        return self.seen_any(weights, ([one] for one in set(contents)))

    def seen_any(self, weights: str, subjects: Iterable[Iterable[str]]) -> int:
        """As `seen`, of subjects that have several contents, such as the slices of a scan: one that is known is enough."""
        found: set[str] = set()
        known: set[str] = set()
        while weights and weights not in known and _SHA256.fullmatch(weights):
            known.add(weights)
            data = _read(self._folder / _LEARNED / f"{weights}.json")
            told = data if isinstance(data, dict) else {}
            found |= _texts(told.get("studies"))
            weights = str(told.get("parent", ""))
        return sum(any(_short(one) in found for one in contents if one) for contents in subjects)

    def _sharing(self, contents: set[str]) -> Iterator[Path]:
        """Folders of the hold-outs that share enough studies."""
        mine, same = {_short(one) for one in contents}, holdout_sha256(contents)
        for place in sorted(self._folder.iterdir()):
            if _SHA256.fullmatch(place.name):
                theirs = _texts(_read(place / _STUDIES))
                smaller = min(len(mine), len(theirs))
                if place.name == same or (smaller and len(mine & theirs) >= _SHARED * smaller):
                    yield place


def _key(once: str) -> str:
    return hashlib.sha256(once.encode("utf-8", "surrogatepass")).hexdigest()[:32] if once else ""


def _short(content: str) -> str:
    return content[:16]


def _looks(place: Path) -> Iterator[tuple[str, str]]:
    """Kind and key of each look."""
    for path in place.iterdir():
        if found := _LOOK.fullmatch(path.name):
            yield found[1], found[2]


def _read(path: Path) -> object:
    """What a file holds; a damaged one holds nothing."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _texts(data: object) -> set[str]:
    return {one for one in data if isinstance(one, str)} if isinstance(data, list) else set()
