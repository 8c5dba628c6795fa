"""What is known of the open series to its dialog, and the memory that images take to theirs."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from ctviewer.core.summary import ValueRange, values_of
from ctviewer.core.summary_text import title
from ctviewer.core.volume import Volume
from ctviewer.core.volume_cache import VolumeCache
from ctviewer.dicom import concern, concerns, summarise
from ctviewer.jobs import Job, JobRunner, Succeeded
from ctviewer.ui.information import InformationDialog
from ctviewer.ui.memory_dialog import MemoryDialog
from ctviewer.ui.presenters.opening import OpeningPresenter
from ctviewer.ui.services import Services
from ctviewer.ui.session import Session


class InformationBinder(QObject):
    """Fills both dialogs while they are on screen; the range of values is measured by a job when it is asked for."""

    def __init__(
        self,
        session: Session,
        opening: OpeningPresenter,
        cache: VolumeCache,
        jobs: JobRunner,
        services: Services,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._session, self._opening, self._cache, self._jobs = session, opening, cache, jobs
        self._services, self._window = services, parent
        self._values: WeakKeyDictionary[Volume, ValueRange] = WeakKeyDictionary()
        self._job: Job | None = None
        self._measured: Volume | None = None  # by this job
        self.information: InformationDialog | None = None
        self.memory: MemoryDialog | None = None
        session.series_changed.connect(lambda _series: self._show_information())
        opening.notices_changed.connect(lambda _notices: self._show_information())
        opening.fully_loaded.connect(self._on_loaded)
        session.volume_changed.connect(lambda _volume: self._show_memory())

    # Information

    def show_information(self) -> None:
        """Open the dialog, or bring it to the front."""
        if self.information is None:
            self.information = InformationDialog(self._window)
            self.information.slice_requested.connect(self._session.go_to)
            self.information.shown.connect(self._show_information)
        self.information.show()
        self.information.raise_()
        self.information.activateWindow()

    def _on_loaded(self) -> None:
        self._show_information()
        self._show_memory()

    def _show_information(self) -> None:
        dialog, series, catalog = self.information, self._session.series, self._session.catalog
        if dialog is None or not dialog.isVisible():
            return
        if series is None:
            dialog.show_series(None)
            return
        folder = tuple(concern(notice) for notice in catalog.notices) if catalog else ()
        extra = concerns(series, self._opening.extra)
        dialog.show_series(summarise(series), self._range_of_values(), extra, folder)

    def _range_of_values(self) -> ValueRange | None:
        """Of the open volume; None until a job has measured it."""
        volume = self._session.volume
        if volume is None or volume.series is not self._session.series or not self._opening.complete:
            return None
        if volume not in self._values:
            self._measure(volume)
        return self._values.get(volume)

    def _measure(self, volume: Volume) -> None:
        if self._job is not None:
            if self._measured is volume:
                return
            self._jobs.cancel(self._job)
        job = self._jobs.start("values", lambda: values_of(volume), background=True)
        self._job, self._measured = job, volume
        job.finished.connect(lambda outcome: self._on_measured(job, volume, outcome))

    def _on_measured(self, job: Job, volume: Volume, outcome: object) -> None:
        """Keep the range of the volume that was measured: another one may be open by now."""
        if job is not self._job:
            return
        self._job = self._measured = None
        if isinstance(outcome, Succeeded):
            self._values[volume] = outcome.value
            self._show_information()

    # Memory

    def show_memory(self) -> None:
        """Open the dialog, or bring it to the front."""
        if self.memory is None:
            preferences = self._services.preferences()
            self.memory = MemoryDialog(preferences.memory_budget_mb, preferences.memory_share_mb, self._window)
            self.memory.budget_chosen.connect(self._set_budget)
        self.memory.show()
        self._show_memory()
        self.memory.raise_()
        self.memory.activateWindow()

    def _set_budget(self, budget_mb: int) -> None:
        self._services.set_preference(memory_budget_mb=budget_mb)
        self._cache.set_budget(self._services.preferences().memory_bytes)
        self._show_memory()

    def _show_memory(self) -> None:
        if self.memory is not None and self.memory.isVisible():
            shown = self._session.volume
            self.memory.show_use(
                [(title(kept.volume.series), kept.size, kept.volume is shown) for kept in self._cache.kept]
            )
