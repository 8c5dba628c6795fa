"""Findings that the reader judged, corrected and drew, written as a training set."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ctviewer.app.folders import data_folder
from ctviewer.app.logs import redactor
from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.marked import MarkedStudy
from ctviewer.core.marking import MarkedCounts, mark_study
from ctviewer.library import WorkStore


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
    studies, counts = [], MarkedCounts()
    with WorkStore(data_folder()) as store:
        for number, (reading, stated) in enumerate(store.marked_readings()):
            yield Progress("Collecting findings", number, 0)
            study, told = mark_study(reading, reading.series_key.partition("~")[0], stated)
            if study is not None and not os.path.lexists(study.place):
                study, told = None, MarkedCounts(missing=1)
            counts += told
            studies += [study] if study is not None else []
    yield Progress("Writing the training set", 0, 0)
    write_training_set(folder, _each_once(studies), opened)
    yield Done(WrittenSet(folder, counts.text))


def _each_once(studies: list[MarkedStudy]) -> list[MarkedStudy]:
    """The same pixels may have been read from two places: the place used last counts."""
    return list({(study.content, study.patient, study.series_key): study for study in studies}.values())
