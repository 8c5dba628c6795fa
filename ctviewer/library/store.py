"""The work store as the rest of the program sees it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ctviewer.core.errors import StorageError
from ctviewer.core.interpretation import Interpretation
from ctviewer.core.label import LabelledStudy
from ctviewer.core.reading import Reading, content_digest
from ctviewer.core.windowing import Voi
from ctviewer.library import database, rows

Value = TypeVar("Value")
FOLDER = "library"
FILE = "work.sqlite3"
_RECENT = 20
_SAME_SERIES = 0.5  # share of unchanged slices from which the reader's words are taken over


@dataclass(frozen=True)
class RecentFolder:
    """A folder opened lately.

    Attributes:
        path: the folder or file.
        title: what the list shows; it may hold patient data and stays in the store.
        opened_at: ISO 8601, UTC.
    """

    path: Path
    title: str
    opened_at: str


@dataclass(frozen=True)
class SavedView:
    """Where the reader left a series.

    Attributes:
        window: display window, None where never changed.
        last_slice: volume index of the slice shown last, None where unknown.
    """

    window: Voi | None
    last_slice: int | None


class WorkStore:
    """The reader's work in `folder/library/work.sqlite3`.

    A store belongs to the thread that opened it (SQLite's own check enforces it); another thread opens its own on the
    same folder, and WAL lets both go on. Each save is one transaction: a crash leaves the state before or after it.
    Where a save fails nothing changes in the store and the caller still holds its frozen `Reading`: save it again.
    Patient data leaves it through its answers only: never through logs or error texts.

    Args:
        folder: the program's data folder.
        tell: gets one sentence for the reader when a damaged store was moved aside.

    Raises:
        StorageError: the place cannot be used, or the store was written by a newer program.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None] = lambda _: None) -> None:
        self.path = folder / FOLDER / FILE
        self._tell = tell
        self._db = self._open()

    def close(self) -> None:
        """Close; what was saved is in the one file then. May be called twice."""
        self._db.close()

    def __enter__(self) -> WorkStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load_reading(self, key: str, slice_digests: tuple[str, ...]) -> Reading | None:
        """What was kept of a series, for the pixels it has now.

        Findings and the stated class come back for the very same slices alone. Where at least half of the slices are
        unchanged (a transfer was completed, one file got lost) the reader's words, view and key images come back without
        them; they stay in the store and come back with their pixels. Otherwise it is another series: None. The pixels
        decide: a reading is found again where files came or went and its series was split for it, or became whole.

        Args:
            key: `Series.key`.
            slice_digests: `Volume.slice_digest` of all slices, in volume order.

        Raises:
            StorageError: the store cannot be read.
        """
        return self._retried(lambda: self._load(key, slice_digests))

    def load_view(self, key: str) -> SavedView | None:
        """Where the reader left a series, before its slices are decoded: only what does no harm if pixels changed.

        Raises:
            StorageError: the store cannot be read.
        """
        found = self._retried(lambda: rows.read_readings(self._db, key))
        if not found:
            return None
        reading = found[0][1]
        return SavedView(reading.window, reading.slice_index(reading.last_slice))

    def save_reading(self, reading: Reading) -> None:
        """Keep all of a reading, in one transaction. Cheap: an analysis is written once, then only its verdicts.

        Raises:
            StorageError: read-only, full, or locked; the store is as before.
        """
        self._write(lambda: rows.write_reading(self._db, reading))

    def labelled_studies(self) -> tuple[LabelledStudy, ...]:
        """The studies whose class the reader stated and whose files are still there, in the order of stating.

        It looks for the files, which may take a while on a network drive.

        Raises:
            StorageError: the store cannot be read.
        """
        found = self._retried(lambda: rows.read_labelled(self._db))
        return tuple(study for study in found if os.path.lexists(study.place))

    def marked_readings(self) -> Iterator[tuple[Reading, Interpretation | None]]:
        """Readings in which anything was said of findings, one at a time, each with what was stated of its series.

        Of each series the reading saved last. The files may be gone.

        Raises:
            StorageError: the store cannot be read.
        """
        for row_id in self._retried(lambda: rows.read_marked(self._db)):
            found = self._read_row(row_id)
            if found is not None:
                yield found

    def stated_classes(self) -> tuple[str, ...]:
        """The classes that the reader has stated of studies, the most frequent first.

        Raises:
            StorageError: the store cannot be read.
        """
        return tuple(self._retried(lambda: rows.read_classes(self._db)))

    def load_statement(self, key: str) -> Interpretation | None:
        """What the reader stated of a series that does not say it itself.

        Args:
            key: `Series.key` as the scan gives it.

        Raises:
            StorageError: the store cannot be read.
        """
        return self._retried(lambda: rows.read_statement(self._db, key))

    def save_statement(self, key: str, stated: Interpretation) -> None:
        """Keep what the reader stated of a series.

        Raises:
            StorageError: the store cannot be written.
        """
        self._write(lambda: rows.write_statement(self._db, key, stated))

    def remember_folder(self, path: Path, title: str) -> None:
        """Put a folder on top of the list of those opened lately.

        Raises:
            StorageError: the store cannot be written.
        """
        self._write(lambda: self._remember(path, title))

    def recent_folders(self) -> tuple[RecentFolder, ...]:
        """Folders opened lately, newest first.

        Raises:
            StorageError: the store cannot be read.
        """
        query = "SELECT path, title, opened_at FROM recent_folder ORDER BY opened_at DESC"
        found = self._retried(lambda: self._db.execute(query).fetchall())
        return tuple(RecentFolder(Path(os.fsdecode(path)), title, opened_at) for path, title, opened_at in found)

    def forget_folders(self) -> None:
        """Empty the list of folders opened lately.

        Raises:
            StorageError: the store cannot be written.
        """
        self._write(lambda: self._db.execute("DELETE FROM recent_folder"))

    def _read_row(self, row_id: int) -> tuple[Reading, Interpretation | None] | None:
        return self._retried(lambda: rows.read_by_id(self._db, row_id))

    def _load(self, key: str, slice_digests: tuple[str, ...]) -> Reading | None:
        stored = [*rows.read_readings(self._db, key), *rows.read_moved(self._db, key)]
        content = content_digest(slice_digests)
        for row_id, reading in stored:
            if reading.content == content:
                analyses, unreadable = rows.read_analyses(self._db, row_id)
                if unreadable:
                    self._tell(f"{unreadable} saved analyses of this series cannot be read by this version.")
                return replace(reading, analyses=analyses)
        present = frozenset(slice_digests)
        for _, reading in stored:
            shared = len(present.intersection(reading.slice_digests))
            if shared and shared >= _SAME_SERIES * min(len(present), len(reading.slice_digests)):
                what = "earlier findings" if reading.label is None else "earlier findings and the stated class"
                self._tell(f"The slices of this series changed since it was read; {what} are not shown.")
                return reading.on_other_pixels(slice_digests)
        return None

    def _remember(self, path: Path, title: str) -> None:
        self._db.execute(
            """INSERT INTO recent_folder (path, title, opened_at) VALUES (?, ?, ?)
               ON CONFLICT (path) DO UPDATE SET title = excluded.title, opened_at = excluded.opened_at""",
            (os.fsencode(path), rows.clean(title), rows.now()),
        )
        self._db.execute(
            """DELETE FROM recent_folder WHERE path NOT IN
               (SELECT path FROM recent_folder ORDER BY opened_at DESC LIMIT ?)""",
            (_RECENT,),
        )

    def _write(self, act: Callable[[], object]) -> None:
        def transaction() -> None:
            self._db.execute("BEGIN IMMEDIATE")
            with self._rolled_back():
                act()
                self._db.execute("COMMIT")

        self._retried(transaction)

    @contextlib.contextmanager
    def _rolled_back(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back already (full disk)
                self._db.execute("ROLLBACK")
            raise

    def _retried(self, act: Callable[[], Value]) -> Value:
        """Run; on a damaged file start a new store and run once more. A mistake in the program stays one."""
        try:
            return act()
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.DatabaseError as error:
            if not database.is_damage(error):
                raise self._failure(error) from error
        self._db.close()
        self._db = self._open(known_damaged=True)
        try:
            return act()
        except sqlite3.DatabaseError as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> StorageError:
        return StorageError(f"Your work could not be saved or read in {self.path}: {database.words(error)}.")

    def _open(self, known_damaged: bool = False) -> sqlite3.Connection:
        database.make_private(self.path)
        if not known_damaged:
            try:
                return database.connect(self.path)
            except database.Damaged:
                pass
        old = database.move_aside(self.path)
        database.make_private(self.path)
        try:
            db = database.connect(self.path)
        except database.Damaged as error:
            raise StorageError(f"A new work store {self.path} cannot be made: the disk reports an error.") from error
        self._tell(f"The work store was damaged; a new one was started and the old one is kept as {old}.")
        return db
