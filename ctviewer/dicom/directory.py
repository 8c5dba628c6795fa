"""DICOMDIR, the table of contents of a disc (PS3.3 F, PS3.10 8): which files it refers to, and where they lie.

Records are taken one after the other as they stand in the file; the offsets by which they point to each other are not
followed, so that wrong or circular ones do no harm. A reference is a list of names, looked up below the DICOMDIR's own
folder and nowhere else.
"""

from __future__ import annotations

import io
import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydicom.dataset import Dataset
from pydicom.filereader import read_partial, read_sequence_item

from ctviewer.dicom.storage import Entry, list_folder, open_file

_RECORDS = 0x0004_1220
_STORAGE = b"1.2.840.10008.1.3.10"  # Media Storage Directory, in the file meta
_LARGEST = 256 << 20
_UNDEFINED = 0xFFFF_FFFF
_INACTIVE = 0
_STEP_RECORDS = 50
_SLACK = 64  # bytes by which the last record may be shorter than it says: writers that leave attributes out do so
_MOST_PARTS = 32
_FORBIDDEN = re.compile(r"[\\:\0]")
_VERSION = re.compile(r"\.?(;\d+)?$")  # of ISO 9660: `IM1.;1`

Reference = tuple[str, ...]


class DirectoryError(Exception):
    """The DICOMDIR cannot be read to its end; the text says why, in a clause."""


@dataclass
class Referred:
    """What a DICOMDIR leads to.

    Attributes:
        files: those that are there, in its order.
        missing: what it lists and is not there.
        outside: how many references lead out of its folder; they are not followed.
    """

    files: list[Path] = field(default_factory=list)
    missing: list[Reference] = field(default_factory=list)
    outside: int = 0


def is_directory_file(path: Path) -> bool:
    """Whether a file says of itself that it is a DICOMDIR, whatever its name."""
    try:
        with open_file(path) as (file, _):
            return _STORAGE in file.read(512)
    except OSError:
        return False


def referred_by(path: Path) -> Generator[int, None, Referred]:
    """Read a DICOMDIR and find what it refers to.

    Yields:
        Now and then, how many references were found so far.

    Raises:
        DirectoryError: it is damaged.
    """
    finder = _Finder(path.parent)
    found = Referred()
    seen: set[Reference] = set()
    for number, reference in enumerate(_references(path)):
        if number % _STEP_RECORDS == 0:
            yield len(seen)
        if reference is None or reference in seen:
            continue
        seen.add(reference)
        if not _is_inside(reference):
            found.outside += 1
        elif (file := finder.find(reference)) is not None:
            found.files.append(file)
        else:
            found.missing.append(reference)
    found.files = list(dict.fromkeys(found.files))
    return found


def _references(path: Path) -> Iterator[Reference | None]:
    """The reference of each record; None for one that has none."""
    try:
        with open_file(path) as (file, size):
            if size > _LARGEST:
                raise DirectoryError("it is larger than any that is read")
            data = io.BytesIO(file.read())
        start = read_partial(data, stop_when=lambda tag, _vr, _length: tag >= _RECORDS)
        implicit, little = start.original_encoding
        for record in _records(data, bool(implicit), little is not False):
            yield _reference(record)
    except DirectoryError:
        raise
    except Exception as error:
        raise DirectoryError("it is damaged") from error


def _records(data: io.BytesIO, implicit: bool, little: bool) -> Iterator[Dataset]:
    """The items of the sequence whose head begins here."""
    head = data.read(8 if implicit else 12)
    if len(head) < 8:
        return  # no records at all
    order: Literal["little", "big"] = "little" if little else "big"
    if (int.from_bytes(head[:2], order) << 16 | int.from_bytes(head[2:4], order)) != _RECORDS:
        raise DirectoryError("it holds no records")
    length, size = int.from_bytes(head[-4:], order), len(data.getbuffer())
    end = size if length == _UNDEFINED else data.tell() + length
    while data.tell() < end:
        start = data.tell()
        record = read_sequence_item(data, implicit, little, "iso8859")
        if record is None:
            return
        stop = data.tell()
        length = int.from_bytes(data.getbuffer()[start + 4 : start + 8], order)
        announced = stop if length == _UNDEFINED else start + 8 + length
        if stop > announced or stop < announced - (_SLACK if stop == end else 0):  # it swallowed others, or ended early
            raise DirectoryError("it is damaged")
        yield record
    if data.tell() != end:
        raise DirectoryError("it is damaged")


def _reference(record: Dataset) -> Reference | None:
    value = record.get("ReferencedFileID")
    if not value or record.get("RecordInUseFlag") == _INACTIVE:
        return None
    names: Iterable[object] = [value] if isinstance(value, str) else value
    return tuple(part for name in names for part in str(name).strip(" \0").split("/"))


def _is_inside(reference: Reference) -> bool:
    plain = all(part.strip(". ") and not _FORBIDDEN.search(part) for part in reference)
    return plain and len(reference) <= _MOST_PARTS


class _Finder:
    """Looks names up in folders as a reader of discs must: upper or lower case, with or without a version number."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listings: dict[Path, dict[str, Entry]] = {}

    def find(self, reference: Reference) -> Path | None:
        """The file, None where there is none."""
        place = self._root
        for part in reference[:-1]:
            entry = self._entry(place, part)
            if entry is None or not entry.is_folder:
                return None
            place = place / entry.name
        entry = self._entry(place, reference[-1])
        return place / entry.name if entry is not None and entry.is_file else None

    def _entry(self, folder: Path, name: str) -> Entry | None:
        if folder not in self._listings:
            self._listings[folder] = self._listing(folder)
        listing = self._listings[folder]
        return listing.get(name) or listing.get(_plain(name))

    @staticmethod
    def _listing(folder: Path) -> dict[str, Entry]:
        try:
            entries = sorted(list_folder(folder), key=lambda entry: entry.name)
        except OSError:
            return {}
        return {_plain(entry.name): entry for entry in entries} | {entry.name: entry for entry in entries}


def _plain(name: str) -> str:
    return _VERSION.sub("", name).casefold()
