"""Opening the store's file: private, checked, up to date; a damaged one is moved aside and never deleted."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ctviewer.core.errors import StorageError
from ctviewer.core.files import reason
from ctviewer.library import schema

_BUSY_SECONDS = 5.0  # how long to wait for another window of the program
_DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the place is read-only",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_BUSY: "another window of the program is writing",
    sqlite3.SQLITE_PERM: "permission is denied",
}


class Damaged(Exception):  # noqa: N818 - a finding on a file, not an error for the reader; it never leaves this layer
    """The file is no sound database."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is damaged."""
    return _code(error) in _DAMAGE_CODES


def words(error: sqlite3.Error) -> str:
    """What an error means, in a few words."""
    return _WORDS.get(_code(error), "the database refuses it")


def _code(error: sqlite3.Error) -> int:
    """The primary result code (the low byte of the extended one); 0 where Python itself raised."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def make_private(path: Path) -> None:
    """Create folder (0700) and file (0600); SQLite gives -wal and -shm the file's mode.

    Raises:
        StorageError: the place cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with contextlib.suppress(OSError):  # a file system without modes (FAT, some network shares)
            path.parent.chmod(0o700)
            path.chmod(0o600)
    except OSError as error:
        raise StorageError(f"The work store {path} cannot be opened: {reason(error)}.") from error


def connect(path: Path) -> sqlite3.Connection:
    """Open, check and migrate.

    `synchronous=FULL`: a commit is on the disk before it returns, so not even a power cut takes a finished save back.
    NORMAL would spare one fsync of a save and risk the last ones, which are the reader's words.

    Raises:
        Damaged: the file is no sound database.
        StorageError: of a newer schema, or the place cannot be used.
    """
    try:
        db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    except sqlite3.Error as error:
        raise _translate(error, path) from error
    try:
        schema.refuse_newer(db, str(path))
        if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise Damaged
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        schema.migrate(db)
    except sqlite3.Error as error:
        db.close()
        raise _translate(error, path) from error
    except BaseException:
        db.close()
        raise
    return db


def _translate(error: sqlite3.Error, path: Path) -> Exception:
    return Damaged() if is_damage(error) else StorageError(f"The work store {path} cannot be used: {words(error)}.")


def move_aside(path: Path) -> Path:
    """Rename a damaged store and its companions; the place where it is now.

    Raises:
        StorageError: it cannot be renamed.
    """
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    target = next(t for t in _names(path, stamp) if not t.exists())
    try:
        path.rename(target)
        for suffix in ("-wal", "-shm"):
            companion = path.with_name(path.name + suffix)
            if companion.exists():
                companion.rename(target.with_name(target.name + suffix))
    except OSError as error:
        raise StorageError(f"The work store {path} is damaged and cannot be moved aside: {reason(error)}.") from error
    return target


def _names(path: Path, stamp: str) -> Iterator[Path]:
    yield path.with_name(f"{path.stem}-damaged-{stamp}{path.suffix}")
    number = 2
    while True:
        yield path.with_name(f"{path.stem}-damaged-{stamp}-{number}{path.suffix}")
        number += 1
