"""Writing findings, as a training set or as JSON: off the window's thread, and told in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal

from ctviewer.core.errors import CtviewerError
from ctviewer.core.events import Event
from ctviewer.core.findings import AnalysisResult
from ctviewer.core.reading import Reading
from ctviewer.core.volume import Volume
from ctviewer.jobs import Failed, Job, JobRunner, Succeeded
from ctviewer.ui.presenters.analysing import AnalysingPresenter
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


class Writers(Protocol):
    """What this presenter needs of the program (`ui.services.Services`)."""

    def write_training_set(self, folder: Path, opened: tuple[Path, ...]) -> Iterator[Event]:
        """Write the findings of all studies; Done carries a `Written`."""

    def write_findings(
        self, volume: Volume, result: AnalysisResult | None, reading: Reading, target: Path, opened: Path
    ) -> Iterator[Event]:
        """Write those of one series as JSON; Done carries the path."""


class ExportingPresenter(QObject):
    """Writes what the reader judged, corrected and drew.

    Args:
        session: what is open.
        analysing: which result is on show.
        reading: is saved first, so that the last stroke is in the export.
        jobs: does the work.
        writers: make the events.
    """

    written = Signal(object, str)  # the training set's folder, what it holds
    saved = Signal(object)  # Path of the JSON
    failed = Signal(str)
    said = Signal(str)

    def __init__(
        self,
        session: Session,
        analysing: AnalysingPresenter,
        reading: ReadingPresenter,
        jobs: JobRunner,
        writers: Writers,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._analysing, self._reading = session, analysing, reading
        self._jobs, self._writers = jobs, writers
        self._job: Job | None = None

    def write_to(self, chosen: Path) -> None:
        """Write a training set into a folder: into itself where it is new or empty, else into a new one in it."""
        if self._job is not None:
            self.said.emit("An export is being written.")
            return
        if not self._reading.save():
            return  # told by the reading
        catalog, writers = self._session.catalog, self._writers
        opened = (catalog.root,) if catalog is not None else ()
        target = _free(chosen)
        self._start("training set", lambda: writers.write_training_set(target, opened), self._on_set)
        self.said.emit("The training set is being written…")

    def save_findings(self, target: Path) -> None:
        """Write the findings of the open series as JSON."""
        catalog, volume, reading = self._session.catalog, self._session.volume, self._reading.reading
        if catalog is None or volume is None or reading is None:
            self.said.emit("The slices are still loading; save the findings when they are there.")
            return
        if self._job is not None:
            self.said.emit("An export is being written.")
            return
        result, writers, opened = self._analysing.state.result, self._writers, catalog.root
        self._start(
            "findings", lambda: writers.write_findings(volume, result, reading, target, opened), self.saved.emit
        )

    def _start(self, name: str, make: Callable[[], Iterator[Event]], done: Callable[[Any], object]) -> None:
        self._job = self._jobs.start(name, make)
        self._job.finished.connect(lambda outcome: self._on_finished(outcome, done))

    def _on_set(self, told: Written) -> None:
        self.written.emit(told.folder, told.text)

    def _on_finished(self, outcome: object, done: Callable[[Any], object]) -> None:
        self._job = None
        if isinstance(outcome, Succeeded):
            done(outcome.value)
        elif isinstance(outcome, Failed):
            ours = isinstance(outcome.error, CtviewerError)
            self.failed.emit(str(outcome.error) if ours else "The export could not be written; details are in the log.")


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
