"""Schema of the work store, as a chain of small migrations. A later part adds a function and never edits an old one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from ctviewer.core.errors import StorageError

Migration = Callable[[sqlite3.Connection], None]

_MIGRATIONS: list[Migration] = []


def migration(step: Migration) -> Migration:
    """Register the next step; `PRAGMA user_version` counts the steps that a file has had."""
    _MIGRATIONS.append(step)
    return step


@migration
def _readings(db: sqlite3.Connection) -> None:
    """What is kept of a series: words, view, analyses with verdicts, key images, and the folders opened lately."""
    for statement in (
        """CREATE TABLE reading (
            id INTEGER PRIMARY KEY,
            series_key TEXT NOT NULL,
            content TEXT NOT NULL,
            series_uid TEXT NOT NULL,
            study_uid TEXT NOT NULL,
            slice_digests TEXT NOT NULL,
            question TEXT NOT NULL,
            comment TEXT NOT NULL,
            window TEXT,
            last_slice TEXT NOT NULL,
            saved_at TEXT NOT NULL,
            UNIQUE (series_key, content))""",
        """CREATE TABLE analysis (
            id INTEGER PRIMARY KEY,
            reading_id INTEGER NOT NULL REFERENCES reading (id) ON DELETE CASCADE,
            identity TEXT NOT NULL,
            finished TEXT NOT NULL,
            result BLOB NOT NULL,
            UNIQUE (reading_id, identity))""",
        """CREATE TABLE verdict (
            analysis_id INTEGER NOT NULL REFERENCES analysis (id) ON DELETE CASCADE,
            lesion_id INTEGER NOT NULL,
            verdict TEXT NOT NULL,
            PRIMARY KEY (analysis_id, lesion_id)) WITHOUT ROWID""",
        """CREATE TABLE key_image (
            reading_id INTEGER NOT NULL REFERENCES reading (id) ON DELETE CASCADE,
            place INTEGER NOT NULL,
            slice_digest TEXT NOT NULL,
            PRIMARY KEY (reading_id, place)) WITHOUT ROWID""",
        """CREATE TABLE recent_folder (
            path BLOB PRIMARY KEY,
            title TEXT NOT NULL,
            opened_at TEXT NOT NULL) WITHOUT ROWID""",
    ):
        db.execute(statement)


@migration
def _statements(db: sqlite3.Connection) -> None:
    """What the reader stated of series that do not say it themselves: the meaning of values, distances, orientation."""
    db.execute(
        """CREATE TABLE statement (
            series_key TEXT PRIMARY KEY,
            stated TEXT NOT NULL,
            saved_at TEXT NOT NULL) WITHOUT ROWID"""
    )


@migration
def _labels(db: sqlite3.Connection) -> None:
    """The class of a study as the reader states it, and where the study lies: what models learn from."""
    for statement in (
        "ALTER TABLE reading ADD COLUMN place BLOB",
        "ALTER TABLE reading ADD COLUMN patient TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE label (
            reading_id INTEGER PRIMARY KEY REFERENCES reading (id) ON DELETE CASCADE,
            classes TEXT NOT NULL,
            seen TEXT NOT NULL,
            stated_at TEXT NOT NULL)""",
    ):
        db.execute(statement)


@migration
def _corrections(db: sqlite3.Connection) -> None:
    """What the reader changed of an analysis' findings, and what was drawn and reviewed in a series."""
    for statement in (
        "ALTER TABLE reading ADD COLUMN image_size TEXT",
        """CREATE TABLE correction (
            analysis_id INTEGER PRIMARY KEY REFERENCES analysis (id) ON DELETE CASCADE,
            changed BLOB NOT NULL)""",
        """CREATE TABLE mark (
            reading_id INTEGER PRIMARY KEY REFERENCES reading (id) ON DELETE CASCADE,
            drawn BLOB NOT NULL)""",
    ):
        db.execute(statement)


def version(db: sqlite3.Connection) -> int:
    """How many steps the file has had."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def refuse_newer(db: sqlite3.Connection, name: str) -> None:
    """Leave a file of a newer program alone.

    Raises:
        StorageError: the file has had more steps than this program knows.
    """
    found = version(db)
    if found > len(_MIGRATIONS):
        raise StorageError(
            f"The work store {name} was written by a newer version of the program (schema {found}, this one knows "
            f"{len(_MIGRATIONS)}); update the program to open it."
        )


def migrate(db: sqlite3.Connection) -> None:
    """Bring a file up to date: each step is one transaction, so a crash leaves the version before or after it.

    Two programs may start at once: the version is read again under the write lock.
    """
    while version(db) < len(_MIGRATIONS):
        db.execute("BEGIN IMMEDIATE")
        try:
            step = version(db)
            if step < len(_MIGRATIONS):
                _MIGRATIONS[step](db)
                db.execute(f"PRAGMA user_version = {step + 1}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
