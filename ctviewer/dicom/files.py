"""Which files of a folder to look at."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from pathlib import Path

from ctviewer.core.errors import InputError
from ctviewer.core.files import reason
from ctviewer.dicom import formats
from ctviewer.dicom.storage import Entry, list_folder
from ctviewer.dicom.text import visible

_ZIP = frozenset({".zip"})
_PACKED = frozenset({".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zst"})
_OTHER = frozenset(
    f".{ending}"
    for group in (
        ("bmp", "gif", "jpeg", "jpg", "png", "svg", "tif", "tiff", "webp", "avi", "mp4"),
        ("doc", "docx", "htm", "html", "md", "pdf", "ppt", "pptx", "rtf", "txt", "xls", "xlsx"),
        ("cfg", "csv", "db", "ini", "inf", "json", "lnk", "log", "sqlite", "toml", "tsv", "xml", "yaml", "yml"),
        ("bat", "css", "dll", "exe", "ipynb", "jar", "js", "py", "sh"),
        ("h5", "hdr", "mha", "mhd", "mrb", "nii", "npy", "npz", "nrrd", "pt", "pth", "safetensors"),
    )
    for ending in group
)
_OTHER_NAMES = frozenset({"LICENSE", "README", "VERSION"})
_STEP_FILES, _STEP_SECONDS = 500, 0.05


def is_directory(name: str) -> bool:
    """Whether a file of this name is the table of contents of a disc (PS3.10 8.6)."""
    return name.upper().startswith("DICOMDIR")


def is_zip(name: str) -> bool:
    """Whether a file of this name is a ZIP archive."""
    return _ending(name) in _ZIP


def is_packed(name: str) -> bool:
    """Whether a file of this name is an archive of any kind, which is not looked into where it lies in a folder."""
    return _ending(name) in _ZIP | _PACKED and not formats.is_other_format(name)


def is_candidate(name: str) -> bool:
    """Whether a file of this name may be DICOM: not hidden, and not obviously something else."""
    if name.startswith(".") or name.upper() in _OTHER_NAMES or is_directory(name):
        return False
    return _ending(name) not in _OTHER | _ZIP | _PACKED


def _ending(name: str) -> str:
    return f".{name.rpartition('.')[2].lower()}"


def _is_wanted(name: str, any_name: bool) -> bool:
    if name.startswith("."):
        return False
    return (
        is_candidate(name) or formats.is_other_format(name) or is_packed(name) or (any_name and not is_directory(name))
    )


def walk(folder: Path, unlisted: dict[Path, str], *, deep: bool = True, any_name: bool = False) -> Iterator[list[Path]]:
    """Files below a folder that are worth a look: candidates, files of other formats, archives.

    A few at a time and none now and then, in a stable order; hidden ones and loops of links are passed over.

    Args:
        folder: it, a ZIP archive, or a folder in one.
        unlisted: is given the folders below that cannot be listed, and why, in a clause.
        deep: whether to look into folders below.
        any_name: whether files count whose names say that they are something else.

    Raises:
        InputError: the folder itself cannot be listed.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            if _was_seen(current, seen):
                continue
            entries = yield from _entries(current)
        except OSError as error:
            if current == folder:
                raise InputError(f"{visible(str(folder))} could not be read: {reason(error)}.") from error
            unlisted[current] = reason(error)
            continue
        wanted = [entry.name for entry in entries if entry.is_file and _is_wanted(entry.name, any_name)]
        for start in range(0, len(wanted), _STEP_FILES):
            yield [current / name for name in wanted[start : start + _STEP_FILES]]
        if deep:
            inner = [entry.name for entry in entries if entry.is_folder and not entry.name.startswith(".")]
            waiting += [current / name for name in reversed(inner)]


def _was_seen(folder: Path, seen: set[tuple[int, int]]) -> bool:
    """Whether a link led here before; remembers the folder."""
    try:
        status = folder.stat()
    except (FileNotFoundError, NotADirectoryError):  # in an archive, where links are not followed
        return False
    mark = status.st_dev, status.st_ino
    known = mark in seen
    seen.add(mark)
    return known


def _entries(folder: Path) -> Generator[list[Path], None, list[Entry]]:
    """What lies in one folder, by name. Yields nothing now and then: the folder may be large, or far away."""
    found: list[Entry] = []
    told = time.monotonic()
    for entry in list_folder(folder):
        found.append(entry)
        if time.monotonic() - told > _STEP_SECONDS:
            yield []
            told = time.monotonic()
    found.sort(key=lambda entry: entry.name)
    return found
