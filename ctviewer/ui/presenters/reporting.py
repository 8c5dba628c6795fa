"""Writing the report: one click, off the window's thread, and a sentence when it is there or cannot be."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ctviewer.core.errors import CtviewerError
from ctviewer.jobs import Failed, Job, JobRunner, Succeeded
from ctviewer.ui.presenters.analysing import AnalysingPresenter
from ctviewer.ui.presenters.reading import ReadingPresenter
from ctviewer.ui.services import Services
from ctviewer.ui.session import Session


class ReportingPresenter(QObject):
    """Writes the PDF of the open series with what is on the screen now."""

    written = Signal(object)  # Path
    failed = Signal(str)
    said = Signal(str)

    def __init__(
        self,
        session: Session,
        analysing: AnalysingPresenter,
        reading: ReadingPresenter,
        jobs: JobRunner,
        services: Services,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._analysing, self._reading = session, analysing, reading
        self._jobs, self._services = jobs, services
        self._job: Job | None = None

    def write(self) -> None:
        """Write to the report folder, under a name without patient data that does not exist yet."""
        series = self._session.series
        if series is not None:
            self.write_to(_free(self._services.preferences().report_folder / self._services.report_name(series)))

    def write_to(self, target: Path) -> None:
        """Write to a place the reader chose."""
        catalog, volume, reading = self._session.catalog, self._session.volume, self._reading.reading
        if catalog is None or volume is None:
            return
        if reading is None:
            self.said.emit("The slices are still loading; write the report when they are there.")
            return
        if self._job is not None:
            self.said.emit("A report is being written.")
            return
        result = self._analysing.state.result
        opened = catalog.root
        services = self._services
        job = self._jobs.start("report", lambda: services.write_report(volume, result, reading, target, opened))
        self._job = job
        job.finished.connect(lambda outcome: self._on_finished(outcome, target))

    def _on_finished(self, outcome: object, target: Path) -> None:
        self._job = None
        if isinstance(outcome, Succeeded):
            self.written.emit(target)
        elif isinstance(outcome, Failed):
            error = outcome.error
            ours = isinstance(error, CtviewerError)
            self.failed.emit(str(error) if ours else "The report could not be written; details are in the log.")


def _free(target: Path) -> Path:
    """The target, or one with the time of day in its name: a report is never overwritten by one click."""
    if not target.exists():
        return target
    return target.with_stem(f"{target.stem} {datetime.now():%H%M%S}")
