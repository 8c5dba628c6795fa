"""Opening folders and series: scan in the background, choose, show the middle slice first, fill in while one scrolls.

Series that were left stay in memory within a budget (`core.volume_cache`): going back to one is instant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from ctviewer.core.errors import CtviewerError
from ctviewer.core.events import Event, Message, Progress
from ctviewer.core.series import Catalog, Notice, Series
from ctviewer.core.volume import Volume
from ctviewer.core.volume_cache import Kept, VolumeCache, size_of
from ctviewer.core.windowing import Voi
from ctviewer.dicom import (
    SeriesFound,
    SlicesFailed,
    SlicesLoaded,
    VolumeReady,
    VolumeTold,
    free_memory,
    load,
    scan,
    thumbnail,
)
from ctviewer.jobs import Cancelled, Failed, Job, JobRunner, Succeeded
from ctviewer.ui.session import Session

Place = tuple[int, Voi | None]  # volume index and window to come back to


@dataclass(frozen=True)
class ThumbnailMade(Event):
    """A thumbnail `[rows, columns]` uint8 of one series; None where it cannot be made."""

    key: str
    pixels: NDArray[np.uint8] | None


def make_thumbnails(series: tuple[Series, ...]) -> Iterator[Event]:
    """Yield a `ThumbnailMade` for each readable series; what cannot be decoded gets none."""
    for one in series:
        if one.readable:
            try:
                pixels: NDArray[np.uint8] | None = thumbnail(one)
            except CtviewerError:
                pixels = None
            yield ThumbnailMade(one.key, pixels)


class OpeningPresenter(QObject):
    """Decides what happens when a reader opens something. One scan and one load at a time; a new one replaces the old."""

    scanning = Signal(object)  # Progress | None: None when the scan has ended
    loading = Signal(object)  # Progress | None
    thumbnail_made = Signal(str, object)  # series key, [rows, columns] uint8
    notices_changed = Signal(object)  # tuple[Notice, ...] of folder and open series
    opened = Signal(object)  # Path, after a successful scan
    failed = Signal(str)  # one sentence
    said = Signal(str)  # one sentence that ends nothing
    fully_loaded = Signal()

    def __init__(self, session: Session, jobs: JobRunner, cache: VolumeCache, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._jobs = jobs
        self._cache = cache
        self._pictured: set[str] = set()  # series that a thumbnail was tried for
        self._scan: Job | None = None
        self._load: Job | None = None
        self._thumbnails: Job | None = None
        self._extra: tuple[Notice, ...] = ()
        self.complete = False
        self.place_for: Callable[[Series], Place | None] = lambda series: None
        self.answered: Callable[[Catalog], Catalog] = lambda catalog: catalog  # with what the reader stated earlier

    # Scanning

    def open_path(self, path: Path) -> None:
        """Scan a folder or file; what is open stays until something readable is found."""
        self.cancel_scan()
        job = self._jobs.start("scan", lambda: scan(path))
        self._scan = job
        self.scanning.emit(Progress("Reading headers", 0, 0))
        job.event.connect(self._on_scan_event)
        job.finished.connect(lambda outcome: self._on_scanned(job, path, outcome))

    @property
    def is_scanning(self) -> bool:
        """Whether a folder or file is being looked through."""
        return self._scan is not None

    def cancel_scan(self) -> None:
        """Stop looking through the folder; what was open before stays open."""
        if self._scan is not None:
            job, self._scan = self._scan, None
            self._jobs.cancel(job)
            self.scanning.emit(None)

    def _on_scan_event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.scanning.emit(event)
        elif isinstance(event, SeriesFound) and self._scan is not None:
            self.scanning.emit(Progress(f"Found {event.series.description or event.series.modality}", 0, 0))

    def _on_scanned(self, job: Job, path: Path, outcome: object) -> None:
        if job is not self._scan:
            return
        self._scan = None
        self.scanning.emit(None)
        if isinstance(outcome, Failed):
            self.failed.emit(_sentence(outcome.error, f"{path} could not be opened"))
            return
        if not isinstance(outcome, Succeeded):
            return
        catalog: Catalog = self.answered(outcome.value)
        self._cache.clear()
        self._pictured.clear()
        self._session.set_catalog(catalog)
        self.opened.emit(path)
        first = next((s for s in catalog.series if s.readable), None)
        if first is not None:
            self.open_series(first)

    # Loading

    def replace_series(self, key: str, series: Series) -> None:
        """Show a series in the place of the one with this key: the reader stated something about it."""
        catalog = self._session.catalog
        if catalog is None:
            return
        self._pictured.clear()
        self._session.set_catalog(replace(catalog, series=tuple(series if s.key == key else s for s in catalog.series)))
        self.open_series(series)

    def open_series(self, series: Series) -> None:
        """Load a series: its first slice on screen at once, the rest nearest first."""
        if not series.readable:
            self.said.emit(series.reason)
            return
        self._stop_loading()
        self.complete = False
        self._extra = ()
        kept = self._cache.open(series)
        if kept is None:
            self._make_room_for(series)
        self._session.set_series(series)
        place = self.place_for(series)
        if kept is None:
            self._load_series(series, place)
        else:
            self._show_kept(kept, place)

    def _make_room_for(self, series: Series) -> None:
        """Let the image before stand until the first one of this series is there, unless memory is short."""
        short = size_of(series) - free_memory()
        if short > 0:
            self._cache.give_back(short)
        volume = self._session.volume
        if volume is None or self._cache.holds(volume) or (short <= 0 and self._cache.fits(volume, series)):
            return
        self._session.set_volume(None)

    def _show_kept(self, kept: Kept, place: Place | None) -> None:
        self._extra = kept.notices
        self.loading.emit(None)
        self._session.set_volume(kept.volume, *(place or (None, None)))
        self._tell_notices()
        self.complete = True
        self.fully_loaded.emit()
        self._start_thumbnails()

    def _load_series(self, series: Series, place: Place | None) -> None:
        session = self._session
        start = place[0] if place else None
        job = self._jobs.start("load", lambda: load(series, start, lambda: session.index))
        self._load = job
        self.loading.emit(Progress("Loading slices", 0, len(series.slices)))
        job.event.connect(lambda event: self._on_load_event(job, place, event))
        job.finished.connect(lambda outcome: self._on_loaded(job, series, outcome))
        self._tell_notices()

    def _stop_loading(self) -> None:
        for job in (self._load, self._thumbnails):
            if job is not None:
                self._jobs.cancel(job)
        self._load = self._thumbnails = None

    def _on_load_event(self, job: Job, place: Place | None, event: Event) -> None:
        if job is not self._load:
            return
        if isinstance(event, VolumeReady):
            self._session.set_volume(event.volume, *(place or (None, None)))
        elif isinstance(event, SlicesLoaded):
            self._session.announce_loaded(event.indices)
            volume = self._session.volume
            if volume is not None:
                self.loading.emit(Progress("Loading slices", int(volume.loaded.sum()), volume.slice_count))
        elif isinstance(event, SlicesFailed):
            self._extra += (event.notice,)
            self._session.announce_loaded(event.notice.slices)
            self._tell_notices()
        elif isinstance(event, VolumeTold):
            self._extra += event.notices
            self._tell_notices()
        elif isinstance(event, Message):
            self.said.emit(event.text)

    def _on_loaded(self, job: Job, series: Series, outcome: object) -> None:
        if job is not self._load:
            return
        self._load = None
        self.loading.emit(None)
        if isinstance(outcome, Failed):
            self._session.set_volume(None)
            told = _sentence(outcome.error, "It could not be loaded")
            self.failed.emit(f"The series {series.description} cannot be shown. {told}".replace("  ", " "))
        elif isinstance(outcome, Succeeded):
            volume: Volume = outcome.value
            self._cache.put(Kept(volume, self._extra))
            self._session.announce_loaded(range(volume.slice_count))
            self.complete = True
            self.fully_loaded.emit()
        if not isinstance(outcome, Cancelled):
            self._start_thumbnails()

    def _start_thumbnails(self) -> None:
        """Picture what has no picture yet, while nothing loads; the next series to load stops it, and it goes on after."""
        catalog = self._session.catalog
        missing = tuple(s for s in catalog.series if s.key not in self._pictured) if catalog else ()
        if not missing or self._thumbnails is not None:
            return
        job = self._jobs.start("thumbnails", lambda: make_thumbnails(missing), background=True)
        self._thumbnails = job
        job.event.connect(self._on_thumbnail)

    def _on_thumbnail(self, event: Event) -> None:
        if isinstance(event, ThumbnailMade):
            self._pictured.add(event.key)
            if event.pixels is not None:
                self.thumbnail_made.emit(event.key, event.pixels)

    @property
    def extra(self) -> tuple[Notice, ...]:
        """What came up while the open series was loaded."""
        return self._extra

    def _tell_notices(self) -> None:
        catalog, series = self._session.catalog, self._session.series
        notices = (catalog.notices if catalog else ()) + (series.notices if series else ()) + self._extra
        self.notices_changed.emit(notices)

    # Neighbouring series

    def neighbour(self, step: int) -> None:
        """Open the next (+1) or previous (-1) readable series of the folder."""
        catalog, series = self._session.catalog, self._session.series
        if catalog is None or series is None:
            return
        readable = [s for s in catalog.series if s.readable]
        keys = [s.key for s in readable]
        at = keys.index(series.key) + step if series.key in keys else 0
        if 0 <= at < len(readable) and readable[at].key != series.key:
            self.open_series(readable[at])


def _sentence(error: BaseException, fallback: str) -> str:
    """An error's own sentence where it is one of ours, else a plain one that points to the log."""
    return str(error) if isinstance(error, CtviewerError) else f"{fallback}: an internal error was written to the log."
