"""Writing files so that a crash, a full disk or a power cut leaves the old file or the new one, never half of one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ctviewer.core.errors import StorageError

_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06")  # how ZIP archives begin, whatever their name


def reason(error: OSError) -> str:
    """Why the system refused, in words and without the path ("No space left on device")."""
    return error.strerror or type(error).__name__


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; on success fsync and rename it over `target`, else remove it.

    Raises:
        StorageError: the place cannot be written; the text names target and reason.
    """
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:40]}.", suffix=".part", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
        temporary = None
    except OSError as error:
        raise StorageError(f"{target} could not be written: {reason(error)}.") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def write_bytes(target: Path, data: bytes) -> None:
    """Write a file atomically.

    Raises:
        StorageError: the place cannot be written.
    """
    with atomic_path(target) as temporary:
        temporary.write_bytes(data)


def refuse_inside(target: Path, opened: Path) -> None:
    """Refuse a target inside a folder that was opened for reading: the program never writes there.

    Of a file that was opened it is the folder that counts, because other slices lie there; of an archive, or a place in
    one, the archive itself.

    Raises:
        StorageError: `target` is `opened` or lies inside it, or it cannot be known where it lies.
    """
    root, resolved = _resolved(opened), _resolved(target)
    try:
        root = _opened_place(root)
        inside = any(_same(place, root) for place in (resolved, *resolved.parents))
        what = "folder" if root.is_dir() else "archive"
    except OSError as error:
        raise StorageError(f"{target} is no place to write to: {reason(error)}.") from error
    if inside:
        raise StorageError(f"{target} lies inside the opened {what} {opened}; choose a place outside it.")


def _opened_place(path: Path) -> Path:
    """The folder that must stay as it is, or the archive."""
    if path.is_dir():
        return path
    if path.is_file():
        with path.open("rb") as file:
            return path if file.read(4) in _ARCHIVES else path.parent
    above = next((parent for parent in path.parents if parent.exists()), path.parent)
    return above if above.is_file() else path.parent


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise StorageError(f"{path} cannot be used: its links lead round in a circle.") from error


def _same(place: Path, root: Path) -> bool:
    """Whether both are one folder, also where the file system knows no upper and lower case, or mounts it twice."""
    return place == root or (place.exists() and root.exists() and place.samefile(root))
