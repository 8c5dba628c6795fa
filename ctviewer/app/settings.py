"""Settings: one frozen dataclass, kept as JSON in the user's configuration folder.

A file from an older version is migrated, one from a newer version is read as far as it is understood; keys that
this version does not know are kept. A damaged file is moved aside. None of this ever stops the program: what was
wrong comes back as a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ctviewer.app.folders import config_folder
from ctviewer.core.files import reason, write_bytes

VERSION = 1
_FILE = "settings.json"


@dataclass(frozen=True)
class Settings:
    """What the reader can set, and what the window remembers.

    Attributes:
        theme: "dark" or "light".
        analyse_automatically: start the analysis when a suitable series is loaded.
        device: "auto", "cpu" or "cuda".
        page_size: paper of the report, "A4" or "Letter".
        overlay_opacity: of lesion fill, 0..1.
        memory_budget_mb: for the images of all series in memory; 0 keeps the open one alone, -1 is a share of what the
            machine has.
        window_geometry: place and size of the main window, as base64 text.
        understood: keys of models whose restriction the reader has read.
        version: of the file's layout.
        unknown: keys of another version of the program, written back as they were.
    """

    theme: str = "dark"
    analyse_automatically: bool = False
    device: str = "auto"
    page_size: str = "A4"
    overlay_opacity: float = 0.35
    memory_budget_mb: int = -1
    window_geometry: str = ""
    understood: tuple[str, ...] = ()
    version: int = VERSION
    unknown: Mapping[str, Any] = field(default_factory=dict)


Check = Callable[[Any], bool]
Migration = Callable[[dict[str, Any]], dict[str, Any]]


def _one_of(*allowed: str) -> Check:
    return lambda value: value in allowed


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0.0 <= value <= 1.0


def _is_budget(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -1 <= value <= 1 << 24


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_text, value))


_CHECKS: dict[str, Check] = {
    "theme": _one_of("dark", "light"),
    "analyse_automatically": _is_bool,
    "device": _one_of("auto", "cpu", "cuda"),
    "page_size": _one_of("A4", "Letter"),
    "overlay_opacity": _is_share,
    "memory_budget_mb": _is_budget,
    "window_geometry": _is_text,
    "understood": _is_texts,
}
_MIGRATIONS: dict[int, Migration] = {}


def migration(from_version: int) -> Callable[[Migration], Migration]:
    """Register what turns a file of `from_version` into one of the next version: the dict as read to the dict as new."""

    def register(function: Migration) -> Migration:
        _MIGRATIONS[from_version] = function
        return function

    return register


def settings_path() -> Path:
    """Where the settings are kept.

    Raises:
        StorageError: the folder cannot be made.
    """
    return config_folder() / _FILE


def load_settings(path: Path | None = None) -> tuple[Settings, str]:
    """Read the settings.

    Args:
        path: the file; the user's own by default.

    Returns:
        The settings, and a sentence for the user where something could not be used, else "".

    Raises:
        StorageError: the user's folder cannot be made (only without `path`).
    """
    path = path or settings_path()
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings(), ""
    except OSError as error:
        return Settings(), f"The settings in {path} cannot be read ({reason(error)}); defaults are used."
    except (ValueError, RecursionError):
        return Settings(), _move_aside(path)
    if not isinstance(raw, dict):
        return Settings(), _move_aside(path)
    return _understand(raw, path)


def save_settings(settings: Settings, path: Path | None = None) -> None:
    """Write the settings atomically, readable by the user alone.

    Raises:
        StorageError: the place cannot be written.
    """
    known = {name: getattr(settings, name) for name in _CHECKS}
    text = json.dumps(
        {**settings.unknown, **known, "version": settings.version}, indent=2
    )  # ASCII: file names may be no Unicode
    write_bytes(path or settings_path(), text.encode("ascii"))


def _move_aside(path: Path) -> str:
    """Rename a damaged file so that saving does not overwrite it; the sentence about it."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    try:
        path.replace(aside)
    except OSError as error:
        return f"The settings in {path} are damaged and cannot be moved aside ({reason(error)}); defaults are used."
    return f"The settings were damaged; defaults are used, and the old file is kept as {aside}."


def _understand(raw: dict[str, Any], path: Path) -> tuple[Settings, str]:
    """Migrate, check each value, keep what is not known."""
    version = raw.pop("version", VERSION)
    version = version if isinstance(version, int) and not isinstance(version, bool) and version > 0 else VERSION
    while version < VERSION:
        raw = _MIGRATIONS[version](raw)
        version += 1
    raw = {name: tuple(value) if isinstance(value, list) and name in _CHECKS else value for name, value in raw.items()}
    good = {name: raw[name] for name, check in _CHECKS.items() if name in raw and check(raw[name])}
    bad = [name for name in _CHECKS if name in raw and name not in good]
    reserved = {f.name for f in fields(Settings)}
    unknown = {name: value for name, value in raw.items() if name not in reserved}
    text = f"Settings that cannot be used in {path} are replaced by defaults: {', '.join(bad)}." if bad else ""
    return Settings(version=version, unknown=unknown, **good), text
