"""Opening the files that readers read, wherever they lie. All reading in `ctviewer.dicom` goes through `open_file`.

A path may lead into a ZIP archive: `/x/study.zip/DICOM/IM1`. Such a path does not exist for the system, which is how it
is recognised: opening an ordinary file costs nothing more.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from ctviewer.dicom.archive import (
    Archive,
    Member,
    archive_above,
    has_checksum,
    is_archive,
    read_archive,
    signature_of,
    start_of,
)
from ctviewer.dicom.unpacking import DAMAGED, LAST, Seekable, Unpacked, UnpackingError, keeping, reader, unpacked

__all__ = ["Entry", "Kind", "ReadableFile", "is_archive", "keeping", "kind_of", "list_folder", "open_file"]

_MOST_ARCHIVES = 4  # tables of contents in memory
_NOT_KEPT = 1 << 20  # files of one slice are read once


class ReadableFile(Protocol):
    """An open file that can be read at any position; `io.FileIO` is one."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes from here; the rest without it."""

    def readinto(self, buffer: Any, /) -> int | None:
        """Fill what is there; how many bytes that were, 0 at the end."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a position."""

    def tell(self) -> int:
        """The position."""


class Kind(Enum):
    """What a path leads to; `SPECIAL` is a pipe or a device, which may never be opened: that could wait for ever."""

    NOTHING, FILE, FOLDER, SPECIAL = range(4)


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies in a folder: a file (no pipe, no device), a folder, or neither (a link that leads nowhere)."""

    name: str
    is_file: bool
    is_folder: bool


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[tuple[ReadableFile, int]]:
    """Open a file, or a member of a ZIP archive, for reading; gives it and its size in bytes.

    Raises:
        OSError: it cannot be opened. Reading raises it too where a member of an archive is damaged.
    """
    try:
        file = path.open("rb", buffering=0)
    except OSError:
        found = _inside(path)
        if found is None:
            raise
    else:
        with file:
            yield file, os.fstat(file.fileno()).st_size
        return
    archive, name = found
    member = archive.member(name)
    if member is None:
        raise FileNotFoundError(2, "the archive holds no such file")
    if member.refusal:
        raise UnpackingError(member.refusal)
    with _open_member(archive, member) as opened:
        yield opened, member.info.file_size


def kind_of(path: Path) -> Kind:
    """What a path leads to; a ZIP archive is a folder.

    Raises:
        OSError: the system, or a damaged archive, gives no answer.
    """
    try:
        mode = path.stat().st_mode
    except PermissionError:
        raise
    except (OSError, ValueError):
        found = _inside(path)
        if found is None:
            return Kind.NOTHING
        archive, name = found
        return Kind.FOLDER if name in archive.folders else Kind.FILE if archive.member(name) else Kind.NOTHING
    if stat.S_ISDIR(mode) or is_archive(path):
        return Kind.FOLDER
    return Kind.FILE if stat.S_ISREG(mode) else Kind.SPECIAL


def list_folder(path: Path) -> Iterator[Entry]:
    """What lies in a folder, a ZIP archive or a folder in one, in no order.

    Raises:
        OSError: it cannot be listed.
    """
    found = _inside(path)
    if found is None:
        with os.scandir(path) as entries:
            for entry in entries:
                yield Entry(entry.name, *_kind(entry))
        return
    archive, name = found
    for one, member in archive.folders.get(name, {}).items():
        yield Entry(one, member is not None, member is None)


def _kind(entry: os.DirEntry[str]) -> tuple[bool, bool]:
    """Whether it is a file, a folder; neither where the system gives no answer: links in a circle, no rights."""
    try:
        return entry.is_file(), entry.is_dir()
    except OSError:
        return False, False


_archives: OrderedDict[Path, Archive] = OrderedDict()
_lock = threading.Lock()


def _inside(path: Path) -> tuple[Archive, str] | None:
    """The archive that a path leads into, and the name within; None for a path that leads into none."""
    with _lock:
        above = next((known for known in _archives if path.is_relative_to(known)), None)
    above = above or (path if is_archive(path) else archive_above(path))
    if above is None or not (above in _archives or is_archive(above)):
        return None
    return _archive(above), "/".join(path.parts[len(above.parts) :])


def _archive(path: Path) -> Archive:
    signature = signature_of(path)
    with _lock:
        known = _archives.get(path)
        if known is None or known.signature != signature:
            known = _archives[path] = read_archive(path)
        _archives.move_to_end(path)
        while len(_archives) > _MOST_ARCHIVES:
            _archives.popitem(last=False)
        return known


def _part(file: io.FileIO, archive: Archive, info: zipfile.ZipInfo) -> Seekable:
    """A stored member: a stretch of the archive's own file, whose checksum is compared when its end is read."""
    start, size = start_of(file, info), info.file_size

    def read_at(position: int, buffer: memoryview) -> int:
        if position + len(buffer) > size - LAST:
            if info.header_offset not in archive.sound:
                archive.sound[info.header_offset] = has_checksum(file, start, info)
            if not archive.sound[info.header_offset]:
                raise UnpackingError(DAMAGED)
        file.seek(start + position)
        return file.readinto(buffer[: max(0, size - position)]) or 0

    return Seekable(read_at, lambda: size)


@contextlib.contextmanager
def _open_member(archive: Archive, member: Member) -> Iterator[Seekable]:
    if member.is_stored:
        with archive.path.open("rb", buffering=0) as file:
            yield _part(file, archive, member.info)
        return

    def make() -> Unpacked:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(archive.path.open("rb", buffering=0))
            file.seek(start_of(file, member.info))
            stream = stack.enter_context(zipfile.ZipExtFile(file, "r", member.info))
            return Unpacked(stream, stack.pop_all().close, member.info.file_size)
        raise AssertionError  # mypy: an ExitStack might swallow the error; this one does not

    if member.info.file_size <= _NOT_KEPT:
        own = make()
        with contextlib.closing(own):
            yield reader(own)
        return
    with unpacked((archive.path, archive.signature, member.info.header_offset), make) as view:
        yield view
