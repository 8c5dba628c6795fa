"""Which files of a folder to look at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ctviewer.core.errors import InputError
from ctviewer.core.files import reason

_OTHER = frozenset(
    [
        ".avi",
        ".bat",
        ".bmp",
        ".cfg",
        ".css",
        ".csv",
        ".db",
        ".dll",
        ".doc",
        ".docx",
        ".exe",
        ".gif",
        ".gz",
        ".h5",
        ".hdr",
        ".html",
        ".htm",
        ".ini",
        ".inf",
        ".ipynb",
        ".jar",
        ".jpeg",
        ".jpg",
        ".js",
        ".json",
        ".log",
        ".lnk",
        ".md",
        ".mha",
        ".mhd",
        ".mp4",
        ".mrb",
        ".nii",
        ".npy",
        ".npz",
        ".nrrd",
        ".pdf",
        ".png",
        ".ppt",
        ".pptx",
        ".pt",
        ".pth",
        ".py",
        ".rar",
        ".rtf",
        ".safetensors",
        ".sh",
        ".sqlite",
        ".svg",
        ".tar",
        ".tif",
        ".tiff",
        ".toml",
        ".tsv",
        ".txt",
        ".webp",
        ".xls",
        ".xlsx",
        ".xml",
        ".yaml",
        ".yml",
        ".zip",
    ]
)
_OTHER_NAMES = frozenset({"DICOMDIR", "LICENSE", "README", "VERSION", "Thumbs.db", "desktop.ini"})


def is_candidate(name: str) -> bool:
    """Whether a file of this name may be DICOM: not hidden, and not obviously something else."""
    return not name.startswith(".") and name not in _OTHER_NAMES and os.path.splitext(name)[1].lower() not in _OTHER  # noqa: PTH122 - ten times faster than Path


def walk(folder: Path) -> Iterator[list[Path]]:
    """Candidates below a folder, one list for each folder, sorted; hidden folders and loops of links are passed over.

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
        yield [Path(entry.path) for entry in entries if is_candidate(entry.name) and entry.is_file()]
        waiting += [Path(entry.path) for entry in reversed(entries) if _is_open_folder(entry)]


def _is_open_folder(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_dir()
