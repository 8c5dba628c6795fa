"""A first look at a set of labelled slices: its lists, its names, and one of its scans, off the window's thread."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from ctviewer.core.errors import CtviewerError, InputError
from ctviewer.core.events import Done, Event, Progress
from ctviewer.jobs import JobRunner
from ctviewer.training.config import SliceSet
from ctviewer.ui.presenters.looking import FoundClass, Looker

if TYPE_CHECKING:
    from ctviewer.core.slices import LabelledSlices
    from ctviewer.datasets.slices.opening import Source

LESIONS, IMAGES = "lesions", "images"
_OFTEN = 200  # scans from one word of progress to the next
_TRIED = 3  # scans that are opened at the most: which of all cannot be read is for pre-flight to say
_PATIENCE = 4.0  # s that scans are opened to count their slices, where the set does not say it
_UNKNOWN = "The set could not be looked at; details are in the log."


@dataclass(frozen=True)
class FoundSet:
    """What a set of labelled slices holds.

    Attributes:
        scans, patients: how many.
        slices: how many; None where it takes opening all scans to know.
        outlined: classes that its label maps have, the background left out; empty for slices with a class.
        classes: of slices, with scans and patients; empty for slices with lesions.
        splits: parts that the set gives, with their scans; "" where it leaves them open.
        patients_known: whether it says which slices are of one patient.
        told: more about it, in sentences.
    """

    scans: int
    patients: int
    slices: int | None = None
    outlined: tuple[str, ...] = ()
    classes: tuple[FoundClass, ...] = ()
    splits: tuple[tuple[str, int], ...] = ()
    patients_known: bool = True
    told: str = ""


def look_at_set(one: SliceSet, kind: str) -> Iterator[Event]:
    """Read the lists of a set, and one of its scans: what the values mean, and what label maps hold, shows there.

    Args:
        one: the set.
        kind: what it is for: `LESIONS` or `IMAGES`.

    Yields:
        `Progress`, last `Done` with `FoundSet`.

    Raises:
        CtviewerError: it cannot be used; the text names the file and the reason.
    """
    from ctviewer.datasets.slices import open_slice_source  # pydicom and scipy take their time: when it is asked for

    yield Progress("Looking at the set", 0, 0)
    table = Path(one.table) if one.table else None
    source = open_slice_source(one.format, Path(one.folder), table, one.split, one.complete, one.values)
    ids = source.ids()
    classes: tuple[FoundClass, ...] = ()
    if kind == IMAGES:
        classes = yield from _classes(source)
        if not classes:
            raise InputError(f"No slice of {one.folder} has a class.")
    first = _first(source, kind)
    if kind == LESIONS and (first.labels is None or len(first.label_classes) < 2):
        raise InputError(f"No lesion is outlined in {one.folder}.")
    slices = yield from _slices(source, kind)
    yield Done(
        FoundSet(
            scans=len(ids),
            patients=len({source.patient(scan) for scan in ids}),
            slices=slices,
            outlined=first.label_classes[1:] if kind == LESIONS else (),
            classes=classes,
            splits=tuple(sorted(Counter(source.split(scan) for scan in ids).items())),
            patients_known=getattr(source, "patients_known", True),
        )
    )


def _classes(source: Source) -> Generator[Progress, None, tuple[FoundClass, ...]]:
    """Classes of slices, with their scans and patients."""
    scans: dict[str, int] = defaultdict(int)
    patients: dict[str, set[str]] = defaultdict(set)
    ids = source.ids()
    for done, scan in enumerate(ids):
        if done % _OFTEN == 0:
            yield Progress("Looking at the set", done, len(ids))
        for name in source.classes(scan):
            scans[name] += 1
            patients[name].add(source.patient(scan))
    return tuple(FoundClass(name, scans[name], len(patients[name])) for name in sorted(scans))


def _first(source: Source, kind: str) -> LabelledSlices:
    """The first scan that can be read and shows what the set is for; else one of those that were tried.

    Raises:
        CtviewerError: none of the first few can be read.
    """
    problem: CtviewerError = InputError("The set holds no scan.")
    found: LabelledSlices | None = None
    wanted = [scan for scan in source.ids() if kind == LESIONS or source.classes(scan)]
    for scan in wanted[:_TRIED]:
        try:
            found = source.load_slices(scan)
        except CtviewerError as error:
            problem = error
            continue
        if kind == IMAGES or found.labels is not None:
            return found
    if found is None:
        raise problem
    return found


def _slices(source: Source, kind: str) -> Generator[Progress, None, int | None]:
    """In all, of those that teach what the set is for; None where it would take too long to open all scans, or one fails."""
    count: Callable[[str], int] | None = getattr(source, "slice_count", None)
    ids, total, began = source.ids(), 0, time.monotonic()
    if count is not None:
        return sum(map(count, ids))
    for done, scan in enumerate(ids):
        yield Progress("Looking at the set", done, len(ids))
        if time.monotonic() - began > _PATIENCE:
            return None
        try:
            total += _teaching(source.load_slices(scan), kind)
        except CtviewerError:
            return None  # pre-flight says why
    return total


def _teaching(slices: LabelledSlices, kind: str) -> int:
    """How many have a class, or have outlines or are known to have none."""
    if kind == IMAGES:
        return sum(map(bool, slices.image_classes))
    return 0 if slices.labels is None else int((slices.complete | slices.labels.any(axis=(1, 2))).sum())


class SetLooker(QObject):
    """Looks at several sets at a time, each by its key; of one set the newest look counts.

    Args:
        jobs: runs it.
        will_open: told of a folder before anything in it is named: the log must not name it (`Services.will_open`).

    Signals:
        found: key, `FoundSet` or None, and a sentence where the set cannot be used.
    """

    found = Signal(object, object, str)

    def __init__(self, jobs: JobRunner, will_open: Callable[[Path], object], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs, self._will_open = jobs, will_open
        self._lookers: dict[Hashable, Looker] = {}

    def look(self, key: Hashable, one: SliceSet, kind: str) -> None:
        """Begin to look at a set."""
        self._will_open(Path(one.folder))
        self.begin(key, lambda: look_at_set(one, kind))

    def begin(self, key: Hashable, events: Callable[[], Iterator[Event]]) -> None:
        """Begin any look that ends with a `FoundSet`."""
        looker = self._lookers.get(key)
        if looker is None:
            looker = self._lookers[key] = Looker(self._jobs, _UNKNOWN, self)
            looker.found.connect(self.found)
        looker.begin(key, events)

    def forget(self, key: Hashable) -> None:
        """The set is not there any more."""
        if looker := self._lookers.pop(key, None):
            looker.stop()
            looker.deleteLater()

    def stop(self) -> None:
        """Give up all that goes on."""
        for looker in self._lookers.values():
            looker.stop()
