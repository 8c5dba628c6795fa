"""ZIP archives: their table of contents, and members as files that can be read at any place.

Nothing of an archive is ever written to a place with a name, so a hostile name can lead nowhere; names are cleaned all
the same, because a path into an archive is taken apart, shown and compared like any other. Sizes are believed only as
far as they are sane, and no more is unpacked than the table of contents announces, nor more than is asked for.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ctviewer.dicom.text import visible
from ctviewer.dicom.unpacking import UnpackingError

_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_MOST_MEMBERS = 100_000
_LARGEST_DIRECTORY = 64 << 20
# Slices of CT shrink to a half or a fifth, empty ones of a padded series a few hundredfold, yet each of those is small.
# Deflate cannot do more than 1032 to 1; bombs come close to it. So: no limit for what is small anyway.
_RATIO, _SMALL_MEMBER, _SMALL_TOTAL = 200, 10_000_000, 1 << 30
_LONGEST_PART, _MOST_PARTS = 100, 16
_ENCRYPTED, _UTF8 = 0x41, 0x800
_UNICODE_PATH = 0x7075
_METHODS = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    20: "Zstandard",
    93: "Zstandard",
    95: "XZ",
    96: "JPEG",
    98: "PPMd",
}
_SUPPORTED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_STEP = 1 << 20
_LOCAL_HEAD = struct.Struct("<4s22xHH")

Listing = dict[str, "Member | None"]


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive.

    Attributes:
        refusal: why it cannot be read, in a clause; empty where it can.
    """

    info: zipfile.ZipInfo
    refusal: str

    @property
    def is_stored(self) -> bool:
        """Whether it lies in the archive as it is."""
        return self.info.compress_type == zipfile.ZIP_STORED


@dataclass(frozen=True)
class Archive:
    """The table of contents.

    Attributes:
        signature: tells this file from a later one of the same name.
        folders: what lies in each folder ("" is the archive itself, else "a/b"), by name; None stands for a folder.
        sound: whether a stored member has its checksum, by where it begins, for those that were looked at.
    """

    path: Path
    signature: tuple[int, int, int]
    folders: dict[str, Listing]
    sound: dict[int, bool] = field(default_factory=dict)

    def member(self, name: str) -> Member | None:
        """The file called "a/b/c"."""
        folder, _, last = name.rpartition("/")
        return self.folders.get(folder, {}).get(last)


class _Limited:
    """A file that gives no absurd amount at once: `zipfile` reads the table of contents in one piece."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if size > _LARGEST_DIRECTORY:
            raise UnpackingError("its table of contents is larger than any that is read")
        return self._file.read(size)

    def seekable(self) -> bool:
        return True


def signature_of(path: Path) -> tuple[int, int, int]:
    """What changes when a file is replaced.

    Raises:
        OSError: there is none.
    """
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def is_archive(path: Path) -> bool:
    """Whether this is a file that begins as ZIP archives do, whatever its name; a DICOM file may, its preamble is free."""
    try:
        if not path.is_file():  # opening a pipe would wait for whoever writes to it
            return False
        with path.open("rb", buffering=0) as file:
            start = file.read(132)
            return start[:4] in _SIGNATURES and start[128:] != b"DICM"
    except (OSError, ValueError):
        return False


def read_archive(path: Path) -> Archive:
    """Read the table of contents.

    Raises:
        UnpackingError: it is damaged, or made to do harm; the text is a clause.
        OSError: the file cannot be read.
    """
    signature = signature_of(path)
    try:
        with path.open("rb") as file, zipfile.ZipFile(_Limited(file)) as opened:
            infos = opened.infolist()
    except UnpackingError:
        raise
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError, struct.error, ValueError, EOFError) as error:
        raise UnpackingError("it is a damaged or incomplete ZIP archive") from error
    _refuse_bombs(infos, signature[1])
    return Archive(path, signature, _folders(infos, signature[1]))


def _refuse_bombs(infos: list[zipfile.ZipInfo], size: int) -> None:
    if len(infos) > _MOST_MEMBERS:
        raise UnpackingError(f"it is a ZIP archive of more than {_MOST_MEMBERS} files")
    total = sum(info.file_size for info in infos)
    if total > max(_SMALL_TOTAL, _RATIO * size):
        raise UnpackingError(f"it is a ZIP archive that unpacks to more than {_RATIO} times its size")
    end = 0
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset < end:
            raise UnpackingError("it is a ZIP archive whose files overlap, so it is damaged or made to do harm")
        end = info.header_offset + _LOCAL_HEAD.size + info.compress_size


def _folders(infos: list[zipfile.ZipInfo], size: int) -> dict[str, Listing]:
    folders: dict[str, Listing] = {"": {}}
    files: list[tuple[tuple[str, ...], zipfile.ZipInfo]] = []
    for info in infos:
        name = _name(info)
        parts = safe_parts(name)
        is_folder = name.endswith(("/", "\\"))
        for depth in range(1, len(parts) + is_folder):
            _add_folder(folders, parts[:depth])
        if parts and not is_folder and not stat.S_ISLNK(info.external_attr >> 16):  # what a link means is a member too
            files.append((parts, info))
    for parts, info in files:
        listing = folders["/".join(parts[:-1])]
        listing[_unused(parts[-1], listing)] = Member(info, _refusal(info, size))
    return folders


def _add_folder(folders: dict[str, Listing], parts: tuple[str, ...]) -> None:
    name = "/".join(parts)
    if name not in folders:
        folders[name] = {}
        folders["/".join(parts[:-1])][parts[-1]] = None


def _unused(name: str, listing: Listing) -> str:
    """The name, or the next that is free: of two files called the same, neither may hide the other."""
    if name not in listing:
        return name
    stem, dot, ending = name.rpartition(".")
    numbered: Iterator[str] = (
        f"{stem} ({number}).{ending}" if dot else f"{name} ({number})" for number in range(2, _MOST_MEMBERS + 2)
    )
    return next(one for one in numbered if one not in listing)


def _name(info: zipfile.ZipInfo) -> str:
    """The name, decoded: archives seldom say in what it is encoded, and it is UTF-8 more often than they say."""
    if info.flag_bits & _UTF8:
        return info.orig_filename
    try:
        raw = info.orig_filename.encode("cp437")
    except UnicodeEncodeError:  # decoded otherwise already
        return info.orig_filename
    stated = _stated_name(info.extra, raw)
    try:
        return (stated or raw).decode("utf-8")
    except UnicodeDecodeError:
        return info.orig_filename


def _stated_name(extra: bytes, raw: bytes) -> bytes | None:
    """The Unicode name of Info-ZIP's extra field (APPNOTE 4.6.9), where it belongs to this very name."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        value, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and len(value) > 5 and value[:5] == b"\x01" + struct.pack("<I", zlib.crc32(raw)):
            return value[5:]
    return None


def safe_parts(name: str) -> tuple[str, ...]:
    """The parts of a member's name, none of which leads out of the archive or confuses a path of any system."""
    name = re.sub(r"^[A-Za-z]:", "", name.replace("\\", "/"))
    parts: Iterable[str] = (part for part in name.split("/")[-_MOST_PARTS:] if part.strip(". "))
    return tuple(re.sub(r'[<>:"|?*]', "_", visible(_shortened(part), "_")) for part in parts)


def _shortened(part: str) -> str:
    half = _LONGEST_PART // 2
    return part if len(part) <= _LONGEST_PART else f"{part[:half]}~{part[-half:]}"


def _refusal(info: zipfile.ZipInfo, size: int) -> str:
    if info.flag_bits & _ENCRYPTED:
        return "it is locked with a password"
    if info.compress_type not in _SUPPORTED:
        name = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        return f"it is compressed by {name}, which cannot be unpacked"
    if info.header_offset + info.compress_size > size:
        return "the archive ends before it does"
    if info.file_size > max(_SMALL_MEMBER, _RATIO * info.compress_size):
        return f"it unpacks to more than {_RATIO} times its size, as a ZIP bomb does"
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        return "the archive contradicts itself about its size"
    return ""


def start_of(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Where the data of a member begin in the open archive.

    Raises:
        UnpackingError: there is no member there.
    """
    file.seek(info.header_offset)
    head = file.read(_LOCAL_HEAD.size)
    if len(head) < _LOCAL_HEAD.size or not head.startswith(_SIGNATURES[0]):
        raise UnpackingError("it is not where the archive says it is")
    _, name, extra = _LOCAL_HEAD.unpack(head)
    return info.header_offset + _LOCAL_HEAD.size + int(name) + int(extra)


def has_checksum(file: BinaryIO, start: int, info: zipfile.ZipInfo) -> bool:
    """Whether a stored member, which begins at `start` in the open archive, is what was packed."""
    file.seek(start)
    checksum, left = 0, info.file_size
    while left > 0 and (data := file.read(min(left, _STEP))):
        checksum, left = zlib.crc32(data, checksum), left - len(data)
    return checksum == info.CRC


def archive_above(path: Path) -> Path | None:
    """The file among the parents of a path that does not exist: an archive, perhaps, that it leads into."""
    for parent in path.parents:
        try:
            mode = os.stat(parent).st_mode  # noqa: PTH116 - Path.stat in Python 3.14 is slower by half
        except (OSError, ValueError):
            continue
        return parent if stat.S_ISREG(mode) else None
    return None
