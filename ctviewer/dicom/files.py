"""Which files of a folder to look at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ctviewer.core.errors import InputError
from ctviewer.core.files import reason
from ctviewer.dicom import formats

_OTHER = frozenset(
    f".{ending}"
    for group in (
        ("bmp", "gif", "jpeg", "jpg", "png", "svg", "tif", "tiff", "webp", "avi", "mp4"),
        ("doc", "docx", "htm", "html", "md", "pdf", "ppt", "pptx", "rtf", "txt", "xls", "xlsx"),
        ("cfg", "csv", "db", "ini", "inf", "json", "lnk", "log", "sqlite", "toml", "tsv", "xml", "yaml", "yml"),
        ("bat", "css", "dll", "exe", "ipynb", "jar", "js", "py", "sh", "gz", "rar", "tar", "zip"),
        ("h5", "hdr", "mha", "mhd", "mrb", "nii", "npy", "npz", "nrrd", "pt", "pth", "safetensors"),
    )
    for ending in group
)
_OTHER_NAMES = frozenset({"LICENSE", "README", "VERSION"})


def is_directory(name: str) -> bool:
    """Whether a file of this name is the table of contents of a disc (PS3.10 8.6)."""
    return name.upper().startswith("DICOMDIR")


def is_candidate(name: str) -> bool:
    """Whether a file of this name may be DICOM: not hidden, and not obviously something else."""
    if name.startswith(".") or name.upper() in _OTHER_NAMES or is_directory(name):
        return False
    return f".{name.rpartition('.')[2].lower()}" not in _OTHER


def _is_wanted(name: str) -> bool:
    return is_candidate(name) or (not name.startswith(".") and formats.is_other_format(name))


def walk(folder: Path) -> Iterator[list[Path]]:
    """Candidates and files of other formats below a folder, one list for each folder, sorted; hidden folders and loops of links are passed over.

    Raises:
        InputError: the folder itself cannot be listed.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(current) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            if current == folder:
                raise InputError(f"{folder} could not be read: {reason(error)}.") from error
            continue
        yield [Path(entry.path) for entry in entries if _is_wanted(entry.name) and _asked(entry.is_file)]
        waiting += [Path(entry.path) for entry in reversed(entries) if _is_open_folder(entry)]


def _is_open_folder(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and _asked(entry.is_dir)


def _asked(question: Callable[[], bool]) -> bool:
    """The answer; no where the system gives none: links in a circle, a folder that may not be looked into."""
    try:
        return question()
    except OSError:
        return False
