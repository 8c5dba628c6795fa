"""Finding pictures in folders and reading lists of file names, with one sentence for whatever is wrong."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ctviewer.core.errors import InputError
from ctviewer.core.files import reason
from ctviewer.datasets.pictures import IMAGE_ENDINGS

_MOST_BYTES = 1 << 28


def require_folder(folder: Path) -> Path:
    """The folder itself.

    Raises:
        InputError: it is none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.")
    return folder


def sub_folder(folder: Path, names: Iterable[str], what: str) -> Path:
    """The folder of one of these names in a folder.

    Raises:
        InputError: there is none.
    """
    tried = tuple(names)
    for name in tried:
        if (folder / name).is_dir():
            return folder / name
    raise InputError(f"{folder} has no folder {' or '.join(tried)} with {what}.")


def files_in(folder: Path, endings: tuple[str, ...] = IMAGE_ENDINGS) -> dict[str, Path]:
    """Files of a folder and its sub-folders with one of these endings: by their path in it with "/", sorted.

    Links to folders are followed, each folder once.

    Raises:
        InputError: the folder cannot be listed.
    """
    found: dict[str, Path] = {}
    seen: set[str] = set()

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename or folder} could not be read: {reason(error)}.") from error

    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(endings) and not name.startswith("."):
                path = Path(place) / name
                found[path.relative_to(folder).as_posix()] = path
    return found


def by_name(folder: Path, endings: tuple[str, ...] = IMAGE_ENDINGS) -> dict[str, Path]:
    """As `files_in`, by file name alone.

    Raises:
        InputError: the folder cannot be listed, or two files have one name.
    """
    found: dict[str, Path] = {}
    for path in files_in(folder, endings).values():
        if path.name in found:
            raise InputError(f"{found[path.name]} and {path} have the same name: which one is meant cannot be told.")
        found[path.name] = path
    return found


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line number and text of each line of a list that is not blank.

    Raises:
        InputError: the file cannot be read or is no text.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} could not be read: {reason(error)}.") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no list of files: it is no text in UTF-8.") from error
    if len(raw) > _MOST_BYTES or "\0" in text:
        raise InputError(f"{path} is no list of files.")
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, line.strip()


def listed_file(files: Mapping[str, Path], name: str, table: Path, line: int, folder: Path) -> Path:
    """The file that a line of a list names.

    Raises:
        InputError: it is not there.
    """
    found = files.get(name.replace("\\", "/").rpartition("/")[2])
    if found is None:
        raise InputError(f"{table}, line {line}: there is no {name} in {folder}.")
    return found
