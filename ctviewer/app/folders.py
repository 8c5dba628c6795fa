"""The user's own folders: what the program keeps, and nobody else may read."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from ctviewer.core.errors import StorageError
from ctviewer.core.files import reason

HOME_VARIABLE = "CTVIEWER_HOME"
_DIRS = platformdirs.PlatformDirs("ctviewer", appauthor=False)


def data_folder() -> Path:
    """The work store and the sample study.

    Raises:
        StorageError: it cannot be made. So for all four.
    """
    return _private("data", _DIRS.user_data_path)


def cache_folder() -> Path:
    """What can be made again at any time."""
    return _private("cache", _DIRS.user_cache_path)


def config_folder() -> Path:
    """Settings. On Windows and macOS the system has one place for data and settings, so they get a folder of their own."""
    shared = _DIRS.user_config_path == _DIRS.user_data_path
    return _private("config", _DIRS.user_config_path / "config" if shared else _DIRS.user_config_path)


def log_folder() -> Path:
    """Logs and fault traces."""
    return _private("log", _DIRS.user_log_path)


def writable_folder(folder: Path) -> None:
    """Make a folder that the user named, for its owner alone, and try it before any long work.

    Raises:
        StorageError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / ".ctviewer-probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {reason(error)}.") from error


def _private(name: str, system_place: Path) -> Path:
    """The folder, made with mode 0700; below `CTVIEWER_HOME` where that is set (portable use, tests)."""
    home = os.environ.get(HOME_VARIABLE)
    folder = Path(home).expanduser().absolute() / name if home else system_place
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if os.name == "posix" and folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise StorageError(f"The folder {folder} cannot be used: {reason(error)}.") from error
    return folder
