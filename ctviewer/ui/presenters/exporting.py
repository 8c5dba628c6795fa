"""Writing findings as a training set: one click and a folder, off the window's thread, and told in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from ctviewer.core.errors import CtviewerError
from ctviewer.core.events import Event
from ctviewer.jobs import Failed, Job, JobRunner, Succeeded
from ctviewer.ui.presenters.reading import ReadingPresenter
from ctviewer.ui.session import Session

FOLDER_NAME = "ctviewer training set"


class Written(Protocol):
    """What an export that ended well tells."""

    @property
    def folder(self) -> Path:
        """Where it is."""

    @property
    def text(self) -> str:
        """What it holds, in words."""


WriteSet = Callable[[Path, tuple[Path, ...]], Iterator[Event]]


class ExportingPresenter(QObject):
    """Writes all that the reader judged, corrected and drew, of all studies.

    Args:
        session: which folder is open.
        reading: is saved first, so that the last stroke is in the export.
        jobs: does the work.
        write: makes the events; Done carries a `Written`.
    """

    written = Signal(object, str)  # folder, what it holds
    failed = Signal(str)
    said = Signal(str)

    def __init__(
        self,
        session: Session,
        reading: ReadingPresenter,
        jobs: JobRunner,
        write: WriteSet,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._reading, self._jobs, self._write = session, reading, jobs, write
        self._job: Job | None = None

    def write_to(self, chosen: Path) -> None:
        """Write into a folder: into itself where it is new or empty, else into a new one in it."""
        if self._job is not None:
            self.said.emit("A training set is being written.")
            return
        if not self._reading.save():
            return  # told by the reading
        catalog, write = self._session.catalog, self._write
        opened = (catalog.root,) if catalog is not None else ()
        target = _free(chosen)
        job = self._jobs.start("training set", lambda: write(target, opened))
        self._job = job
        job.finished.connect(self._on_finished)
        self.said.emit("The training set is being written…")

    def _on_finished(self, outcome: object) -> None:
        self._job = None
        if isinstance(outcome, Succeeded):
            told: Written = outcome.value
            self.written.emit(told.folder, told.text)
        elif isinstance(outcome, Failed):
            ours = isinstance(outcome.error, CtviewerError)
            self.failed.emit(
                str(outcome.error) if ours else "The training set could not be written; details are in the log."
            )


def _free(chosen: Path) -> Path:
    """The chosen folder where it is new or empty, else one in it that is not there yet."""
    try:
        if not chosen.exists() or (chosen.is_dir() and not any(chosen.iterdir())):
            return chosen
    except OSError:  # told when it is written to
        return chosen
    now = datetime.now()
    target = chosen / f"{FOLDER_NAME} {now:%Y-%m-%d}"
    return target if not target.exists() else target.with_name(f"{target.name} {now:%H%M%S}")
