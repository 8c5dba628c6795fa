"""Findings that the reader judged, corrected and drew, written as a training set."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ctviewer.app.folders import data_folder
from ctviewer.app.logs import redactor
from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.marked import MarkedStudy
from ctviewer.core.marking import MarkedCounts, mark_study
from ctviewer.core.words import counted
from ctviewer.datasets.class_names import CONTROL, NO_LESIONS, lesion_class, negative_of
from ctviewer.library import WorkStore

if TYPE_CHECKING:
    from ctviewer.ui.presenters.looking_sets import FoundSet

_UNCLASSED = (
    "No study whose findings were corrected in this viewer was given a class: state it beside the analysis (Your reading), and "
    "its slices have it."
)
_NOTHING = "No finding was accepted, corrected or drawn in this viewer yet, and no slice was reviewed completely."


@dataclass(frozen=True)
class WrittenSet:
    """A training set that was written.

    Attributes:
        folder: where it is.
        text: what it holds, in words.
    """

    folder: Path
    text: str


def write_marked(folder: Path, opened: Iterable[Path]) -> Iterator[Event]:
    """Write all studies of the work store with findings that were accepted, corrected or drawn, or slices reviewed.

    Any thread: it opens the store for itself. Done carries a `WrittenSet`.

    Args:
        folder: where to; it must not be there yet, or be empty.
        opened: folders that are open for reading: nothing is written into them.

    Raises:
        StorageError: the folder cannot be used, or there is nothing to write.
    """
    from ctviewer.datasets.slices.export import write_training_set  # readers of all formats: when they are asked for

    redactor.hide(folder)
    studies, counts = yield from _collected()
    yield Progress("Writing the training set", 0, 0)
    write_training_set(folder, studies, opened)
    yield Done(WrittenSet(folder, counts.text))


def look_at_marked(kind: str) -> Iterator[Event]:
    """What `write_marked` would write, as a look at a set tells it. Any thread; Done carries a `FoundSet`.

    Args:
        kind: what the set is for: "lesions" or "images".

    Raises:
        InputError: there is nothing to write, or nothing that teaches this.
        StorageError: the store cannot be read.
    """
    from ctviewer.ui.presenters.looking_sets import IMAGES  # the window alone asks: commands need no Qt

    studies, counts = yield from _collected()
    if not studies:
        raise InputError(f"{_NOTHING} {counts.remarks}" if counts.missing or counts.unmeasured else _NOTHING)
    yield Done(_classed(studies) if kind == IMAGES else _outlined(studies, counts))


def _outlined(studies: list[MarkedStudy], counts: MarkedCounts) -> FoundSet:
    from ctviewer.ui.presenters.looking_sets import FoundSet

    slices = [one for study in studies for one in study.slices]
    outlined = dict.fromkeys(lesion_class(label) for one in slices for label, _ in one.outlines)
    return FoundSet(
        scans=len(studies),
        patients=len({study.patient for study in studies}),
        slices=len(slices),
        outlined=tuple(outlined),
        told=counts.remarks,
    )


def _classed(studies: list[MarkedStudy]) -> FoundSet:
    """As slices with a class, by the rule of `slices.studies.MarkedStudies`, which will read them."""
    from ctviewer.ui.presenters.looking import FoundClass
    from ctviewer.ui.presenters.looking_sets import FoundSet

    negative = negative_of(tuple(dict.fromkeys(name for study in studies for name in study.classes))) or CONTROL
    named = [(study, _slice_classes(study, negative)) for study in studies if study.classes]
    if not named:
        raise InputError(_UNCLASSED)
    found = []
    for name in sorted({name for _, names in named for name in names}):
        those = [study for study, names in named if name in names]
        found.append(FoundClass(name, len(those), len({study.patient for study in those})))
    patients = {study.patient for study, _ in named}
    left = len(studies) - len(named)
    told = f"{counted(left, 'study')} left out: no class was stated." if left else ""
    return FoundSet(scans=len(named), patients=len(patients), classes=tuple(found), told=told)


def _slice_classes(study: MarkedStudy, negative: str) -> set[str]:
    """The classes that slices of a study will have."""
    own = study.classes[0] if len(study.classes) == 1 else ""
    lesions = [any(lesion_class(name) not in NO_LESIONS for name, _ in one.outlines) for one in study.slices]
    free = any(one.complete and not lesion for one, lesion in zip(study.slices, lesions, strict=True))
    names = {own} if any(lesions) and own != negative else set()
    return (names | ({negative} if free or own == negative else set())) - {""}


def _collected() -> Generator[Progress, None, tuple[list[MarkedStudy], MarkedCounts]]:
    """All that is marked, study by study, each once."""
    studies, counts = [], MarkedCounts()
    with WorkStore(data_folder()) as store:
        for number, (reading, stated) in enumerate(store.marked_readings()):
            yield Progress("Collecting findings", number, 0)
            study, told = mark_study(reading, reading.series_key.partition("~")[0], stated)
            if study is not None and not os.path.lexists(study.place):
                study, told = None, MarkedCounts(missing=1)
            counts += told
            studies += [study] if study is not None else []
    return _each_once(studies), counts


def _each_once(studies: list[MarkedStudy]) -> list[MarkedStudy]:
    """The same pixels may have been read from two places: the place used last counts."""
    return list({(study.content, study.patient, study.series_key): study for study in studies}.values())
