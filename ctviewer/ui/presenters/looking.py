"""A first look at a folder of studies: its table and its names, off the window's thread; nothing is opened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from ctviewer.core.errors import CtviewerError
from ctviewer.core.events import Done, Event, Progress
from ctviewer.jobs import Failed, Job, JobRunner, Succeeded

if TYPE_CHECKING:
    from ctviewer.datasets.label_table import LabelRow

_OFTEN = 100  # studies from one word of progress to the next


@dataclass(frozen=True)
class FoundClass:
    """How much there is of a class.

    Attributes:
        name: as the table spells it.
        studies, patients: how many.
    """

    name: str
    studies: int
    patients: int


@dataclass(frozen=True)
class FoundStudies:
    """What the table of a folder says.

    Attributes:
        studies, patients: in all.
        classes: by name.
        splits: parts that the table gives, with their studies; "" where it leaves them open.
        several: whether a study may have several classes.
        unlisted: names in the folder that the table does not mention.
        absent: studies of the table that are not in the folder.
    """

    studies: int
    patients: int
    classes: tuple[FoundClass, ...]
    splits: tuple[tuple[str, int], ...] = ()
    several: bool = False
    unlisted: int = 0
    absent: int = 0


def look(folder: Path, labels: Path | None = None) -> Iterator[Event]:
    """Read the table and list the folder.

    Args:
        folder: of the studies.
        labels: the table; `labels.csv` of the folder by default.

    Yields:
        `Progress`, last `Done` with `FoundStudies`.

    Raises:
        InputError: one of them cannot be used.
    """
    from ctviewer.datasets.study_folder import StudyFolder  # pydicom takes its time: when it is asked for

    source = StudyFolder(folder, labels=labels)
    ids = source.ids()
    absent = 0
    for done, study in enumerate(ids):
        if done % _OFTEN == 0:
            yield Progress("Looking at the folder", done, len(ids))
        absent += _is_absent(source.path, study)
    yield Done(_counted([source.row(study) for study in ids], len(source.unlisted()), absent))


def _is_absent(path: Callable[[str], Path], study: str) -> bool:
    try:
        path(study)
    except CtviewerError:
        return True
    return False


def _counted(rows: Sequence[LabelRow], unlisted: int, absent: int) -> FoundStudies:
    studies: dict[str, int] = defaultdict(int)
    patients: dict[str, set[str]] = defaultdict(set)
    splits: dict[str, int] = defaultdict(int)
    for row in rows:
        splits[row.split] += 1
        for name in row.classes:
            studies[name] += 1
            patients[name].add(row.patient)
    return FoundStudies(
        studies=len(rows),
        patients=len({row.patient for row in rows}),
        classes=tuple(FoundClass(name, studies[name], len(patients[name])) for name in sorted(studies)),
        splits=tuple(sorted(splits.items())),
        several=any(len(row.classes) > 1 for row in rows),
        unlisted=unlisted,
        absent=absent,
    )


class Looker(QObject):
    """Looks at what was asked for last; an answer about anything else is dropped.

    Args:
        jobs: runs it.
        unknown: what is said where it fails for a reason of our own.

    Signals:
        found: what was asked about, what was found or None, and a sentence where it cannot be used.
    """

    found = Signal(object, object, str)

    def __init__(self, jobs: JobRunner, unknown: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs, self._unknown = jobs, unknown
        self._job: Job | None = None

    def begin(self, asked: object, events: Callable[[], Iterator[Event]]) -> None:
        """Begin; an earlier look that has not ended is given up."""
        self.stop()
        job = self._jobs.start("look", events)
        self._job = job
        job.finished.connect(lambda outcome: self._on_finished(job, asked, outcome))

    def stop(self) -> None:
        """Give up what goes on, without an answer."""
        if self._job is not None:
            job, self._job = self._job, None
            self._jobs.cancel(job)

    def _on_finished(self, job: Job, asked: object, outcome: object) -> None:
        if job is not self._job:
            return
        self._job = None
        if isinstance(outcome, Succeeded):
            self.found.emit(asked, outcome.value, "")
        elif isinstance(outcome, Failed):
            ours = isinstance(outcome.error, CtviewerError)
            self.found.emit(asked, None, str(outcome.error) if ours else self._unknown)


class FolderLooker(Looker):
    """Looks at a folder of studies; `found` is `DataPage.set_found`.

    Args:
        jobs: runs it.
        will_open: told of a folder before anything in it is named: the log must not name it (`Services.will_open`).
    """

    def __init__(self, jobs: JobRunner, will_open: Callable[[Path], object], parent: QObject | None = None) -> None:
        super().__init__(jobs, "The folder could not be looked at; details are in the log.", parent)
        self._will_open = will_open

    def look(self, folder: Path, labels: Path | None = None) -> None:
        """Begin; an earlier look that has not ended is given up."""
        self.stop()
        self._will_open(folder)
        self.begin(folder, lambda: look(folder, labels))
