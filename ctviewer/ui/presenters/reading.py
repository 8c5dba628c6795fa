"""The reader's own work on the open series: verdicts, question, comment, key images, and where they were. All is kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol
from weakref import WeakKeyDictionary

from PySide6.QtCore import QObject, QTimer, Signal

from ctviewer.core.editing import Edit, judge
from ctviewer.core.errors import StorageError
from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.findings import AnalysisResult, StudyClassification, Verdict
from ctviewer.core.label import StudyLabel, patient_digest, place_of
from ctviewer.core.reading import Reading, Said
from ctviewer.core.series import Series
from ctviewer.core.undo import Command, UndoStack
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import Voi
from ctviewer.jobs import Job, JobRunner, Succeeded
from ctviewer.ui.session import Session

SAVE_AFTER_MS = 400


class View(Protocol):
    """Where a reader left a series."""

    @property
    def window(self) -> Voi | None:
        """Display window."""

    @property
    def last_slice(self) -> int | None:
        """Volume index."""


class Store(Protocol):
    """What this presenter needs of the work store (`ctviewer.library`)."""

    def load_view(self, key: str) -> View | None:
        """Where the reader left a series, before its slices are decoded."""

    def load_reading(self, key: str, slice_digests: tuple[str, ...]) -> Reading | None:
        """What was kept of a series with these slices."""

    def save_reading(self, reading: Reading) -> None:
        """Keep it; StorageError where it cannot be written."""


def digest_slices(volume: Volume) -> Iterator[Event]:
    """Hash every slice; Done carries the tuple of digests."""
    digests = []
    for index in range(volume.slice_count):
        digests.append(volume.slice_digest(index))
        yield Progress("Recognising slices", index + 1, volume.slice_count)
    yield Done(tuple(digests))


class ReadingPresenter(QObject):
    """Owns the `Reading` of the open series and the one undo stack; saves shortly after each change."""

    changed = Signal(object)  # Reading | None
    ready = Signal(object)  # Reading, once the slices were recognised
    undo_changed = Signal(object, object)  # label or None of what can be undone, and done again
    failed = Signal(str)  # one sentence: something could not be saved; it stays in memory

    def __init__(self, session: Session, jobs: JobRunner, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._jobs = jobs
        self._store = store
        self._job: Job | None = None
        self._dirty = False
        self._digests: WeakKeyDictionary[Volume, tuple[str, ...]] = WeakKeyDictionary()  # of volumes kept in memory
        self.reading: Reading | None = None
        self.stack = UndoStack(self._tell_undo)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SAVE_AFTER_MS)
        self._timer.timeout.connect(self._on_pause)
        session.slice_changed.connect(self._remember_slice)
        session.window_changed.connect(self._remember_window)

    # Opening and closing a series

    def place_for(self, series: Series) -> tuple[int, Voi | None] | None:
        """Leave the series read so far, and say where the reader was in the next: volume index and window."""
        self.close()
        try:
            view = self._store.load_view(series.key)
        except StorageError as error:
            self.failed.emit(str(error))
            return None
        return None if view is None or view.last_slice is None else (view.last_slice, view.window)

    def close(self) -> None:
        """Save and forget the reading of the series that was open."""
        self.save()
        if self._job is not None:
            self._jobs.cancel(self._job)
        self._job = None
        self.reading = None
        self.stack.clear()
        self.changed.emit(None)

    def series_loaded(self) -> None:
        """All slices are there: recognise them and take up what was kept."""
        volume = self._session.volume
        if volume is None:
            return
        if volume in self._digests:
            self._take_up(volume, self._digests[volume])
            return
        job = self._jobs.start("digests", lambda: digest_slices(volume))
        self._job = job
        job.finished.connect(lambda outcome: self._on_digests(job, outcome))

    def _on_digests(self, job: Job, outcome: object) -> None:
        volume = self._session.volume
        if job is not self._job or volume is None or not isinstance(outcome, Succeeded):
            return
        self._job = None
        self._digests[volume] = outcome.value
        self._take_up(volume, outcome.value)

    def _take_up(self, volume: Volume, digests: tuple[str, ...]) -> None:
        """Show what was kept of a series with these slices."""
        try:
            kept = self._store.load_reading(volume.series.key, digests)
        except StorageError as error:
            self.failed.emit(str(error))
            kept = None
        reading = self._placed(kept or Reading.of(volume.series, digests), volume)
        self.reading = reading
        learnable = kept is not None and (kept.label is not None or not kept.marks.is_empty or bool(kept.analyses))
        if kept is not None and learnable and (kept.place, kept.image_size) != (reading.place, reading.image_size):
            self._save_soon()
        self.changed.emit(reading)
        self.ready.emit(reading)

    def _placed(self, reading: Reading, volume: Volume) -> Reading:
        """With where the study lies now, and whose it is: models may learn from it later."""
        catalog, series = self._session.catalog, volume.series
        place = place_of(series) or (catalog.root.absolute() if catalog is not None else None)
        _, rows, columns = volume.stored.shape
        return replace(reading, place=place, patient=patient_digest(series), image_size=(rows, columns))

    # What the reader does

    def add_result(self, result: AnalysisResult) -> None:
        """Keep a new analysis, at once."""
        if self.reading is not None:
            self._apply(self.reading.with_result(result))
            self.save()

    def set_verdict(self, lesion_id: int, verdict: Verdict) -> None:
        """Accept, reject or reopen a finding of the newest analysis; a drawn one is removed where it is rejected."""
        edit = judge(self.reading, lesion_id, verdict) if self.reading is not None else None
        if self.reading is not None and edit is not None:
            self.edit_findings(self.reading, edit)

    def edit_findings(self, before: Reading, edit: Edit, merge: str = "") -> None:
        """Change findings, as one step of undo; kept at once.

        Args:
            before: what the edit was made of: the reading, or the reading without analyses where none is on show.
            edit: the change.
            merge: edits with the same word become one step of undo.
        """
        old, new = before.said(), edit.reading.said()

        def put(said: Said) -> None:
            if self.reading is not None:
                self._apply(self.reading.with_said(said))
                self.save()

        self._do(edit.label, lambda: put(new), lambda: put(old), merge)

    def state_classes(self, classes: Collection[str], shown: StudyClassification | None, merge: str = "") -> None:
        """State what the study shows, at once; nothing takes the statement back.

        Args:
            classes: what the reader says.
            shown: the model's answer on the screen, where there is one: it is kept with the class that it was known.
            merge: statements with the same word become one step of undo.
        """
        reading = self.reading
        before = reading.label if reading is not None else None
        if reading is None or set(classes) == set(before.classes if before is not None else ()):
            return
        answers = (shown, *(analysis.result.classification for analysis in reading.analyses))
        known = [told for told in answers if told is not None]
        after = StudyLabel.stated(classes, known, datetime.now(UTC).isoformat()) if classes else None

        def put(label: StudyLabel | None) -> None:
            if self.reading is not None:
                self._apply(replace(self.reading, label=label))
                self.save()

        name = "take the class back" if after is None else f"state {after.text}"
        self._do(name, lambda: put(after), lambda: put(before), merge)

    def set_question(self, text: str) -> None:
        """Change the clinical question."""
        if self.reading is not None and text != self.reading.question:
            self._edit_text("question", self.reading.question, text)

    def set_comment(self, text: str) -> None:
        """Change the comment."""
        if self.reading is not None and text != self.reading.comment:
            self._edit_text("comment", self.reading.comment, text)

    def set_key_image(self, index: int, on: bool) -> None:
        """Mark a slice as key image, or no longer."""
        if self.reading is None or (index in self.reading.key_slices) == on:
            return
        digest = self.reading.slice_digests[index]

        def put(value: bool) -> None:
            if self.reading:
                self._apply(self.reading.with_key_image(digest, value))

        self._do("mark key image" if on else "unmark key image", lambda: put(on), lambda: put(not on))

    def undo(self) -> None:
        """Take back the last thing done."""
        self.stack.undo()

    def redo(self) -> None:
        """Do again what was taken back."""
        self.stack.redo()

    def _edit_text(self, name: str, before: str, after: str) -> None:
        def put(text: str) -> None:
            if self.reading:
                question = text if name == "question" else self.reading.question
                comment = text if name == "comment" else self.reading.comment
                self._apply(replace(self.reading, question=question, comment=comment))

        self._do(f"edit {name}", lambda: put(after), lambda: put(before), merge=name)

    def _do(self, label: str, do: Callable[[], None], undo: Callable[[], None], merge: str = "") -> None:
        self.stack.push(Command(label, do, undo, merge))

    def _tell_undo(self) -> None:
        self.undo_changed.emit(self.stack.undo_label, self.stack.redo_label)

    # Keeping it

    def _remember_slice(self, index: int) -> None:
        if self.reading is not None:
            self.reading = replace(self.reading, last_slice=self.reading.slice_digests[index])
            self._save_soon()

    def _remember_window(self, window: Voi) -> None:
        if self.reading is not None:
            self.reading = replace(self.reading, window=window)
            self._save_soon()

    def _apply(self, reading: Reading) -> None:
        self.reading = reading
        self.changed.emit(reading)
        self._save_soon()

    def _save_soon(self) -> None:
        self._dirty = True
        self._timer.start()

    def _on_pause(self) -> None:
        """The reader paused: what was typed so far is one step of undo."""
        self.stack.seal()
        self.save()

    def save(self) -> bool:
        """Write what has changed; False where it could not be written (it stays in memory and is tried again)."""
        self._timer.stop()
        if not self._dirty or self.reading is None:
            return True
        try:
            self._store.save_reading(self.reading)
        except StorageError as error:
            self.failed.emit(str(error))
            return False
        self._dirty = False
        return True
