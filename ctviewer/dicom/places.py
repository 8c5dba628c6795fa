"""What the reader opened, and which files there are to be read for it: a folder, a ZIP archive, a DICOMDIR, one file."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ctviewer.core.errors import InputError
from ctviewer.core.events import Event, Progress
from ctviewer.core.files import reason
from ctviewer.core.series import Notice, Severity
from ctviewer.dicom import files, formats
from ctviewer.dicom.directory import DirectoryError, Referred, is_directory_file, referred_by
from ctviewer.dicom.grouping import series_key
from ctviewer.dicom.header import DamagedError, NotDicomError
from ctviewer.dicom.reading import read_slices
from ctviewer.dicom.storage import Kind, is_archive, kind_of, list_folder
from ctviewer.dicom.text import clean, visible

SeriesKey = tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where to look.

    Attributes:
        root: what counts as opened: nothing is written there.
        files: what may be DICOM, in a stable order.
        others: files of other formats.
        wanted: the one series that is asked for; None for all.
        notices: what there is to say of the place itself.
    """

    root: Path
    files: list[Path]
    others: list[Path] = field(default_factory=list)
    wanted: SeriesKey | None = None
    notices: tuple[Notice, ...] = ()


def look(path: Path) -> Generator[Event, None, Place]:
    """Find out what a path is, and list its files.

    Raises:
        InputError: there is nothing, or nothing to be looked at; one sentence that names the path.
    """
    name = visible(str(path))
    try:
        kind = kind_of(path)
    except OSError as error:
        raise InputError(f"{name} could not be read: {reason(error)}.") from error
    if kind is Kind.NOTHING:
        raise InputError(f"{name} does not exist.")
    if kind is Kind.SPECIAL:
        raise InputError(f"{name} is neither a file nor a folder.")
    if kind is Kind.FOLDER:
        return (yield from _folder(path))
    if files.is_directory(path.name) or is_directory_file(path):
        return (yield from _directory(path))
    return (yield from _file(path))


def _folder(path: Path) -> Generator[Event, None, Place]:
    unlisted: dict[Path, str] = {}
    found: list[Path] = []
    for any_name in (False, True):  # only where no name promises an image: DICOM files may be called IM1.txt
        for part in files.walk(path, unlisted, any_name=any_name):
            found += part
            yield Progress("Looking for files", len(found), 0)
        if found:
            break
    if not found and not unlisted and _is_empty(path):
        raise InputError(f"The {'ZIP archive' if is_archive(path) else 'folder'} {visible(str(path))} is empty.")
    packed = [one for one in found if files.is_packed(one.name)]
    others = [one for one in found if formats.is_other_format(one.name)]
    left_out = {*packed, *others}
    notices = (*_about_archives(packed), *_about_unlisted(unlisted))
    return Place(path, [one for one in found if one not in left_out], others, notices=notices)


def _is_empty(folder: Path) -> bool:
    try:
        return next(list_folder(folder), None) is None
    except OSError as error:  # it went away since it was listed
        raise InputError(f"{visible(str(folder))} could not be read: {reason(error)}.") from error


def _about_archives(packed: Sequence[Path]) -> Iterable[Notice]:
    """Archives in a folder: what is in them is not part of what was opened, but it may be what is looked for."""
    zipped = [one for one in packed if files.is_zip(one.name)]
    rest = [one for one in packed if not files.is_zip(one.name)]
    if zipped:
        what = "1 ZIP archive is" if len(zipped) == 1 else f"{len(zipped)} ZIP archives are"
        text = f"{what} not looked into: {_first_of(zipped)}. Open such an archive by itself."
        yield Notice("archives-not-opened", Severity.INFO, text, paths=tuple(zipped))
    if rest:
        what = "1 archive is" if len(rest) == 1 else f"{len(rest)} archives are"
        text = f"{what} of a kind that cannot be opened: {_first_of(rest)}. Unpack what is to be read."
        yield Notice("archives-not-readable", Severity.INFO, text, paths=tuple(rest))


def _about_unlisted(unlisted: dict[Path, str]) -> Iterable[Notice]:
    if unlisted:
        what = "1 folder" if len(unlisted) == 1 else f"{len(unlisted)} folders"
        why = next(iter(unlisted.values()))
        text = f"{what} could not be looked into: {_first_of(list(unlisted))} ({why})."
        yield Notice("unlisted-folders", Severity.WARNING, text, paths=tuple(unlisted))


def _first_of(paths: Sequence[Path]) -> str:
    first = clean(paths[0].name)
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"


def _directory(path: Path) -> Generator[Event, None, Place]:
    """What a DICOMDIR refers to; all of its folder where that leads to nothing, or may be incomplete."""
    try:
        steps = referred_by(path)
        while True:
            yield Progress("Reading the DICOMDIR", next(steps), 0)
    except StopIteration as ended:
        referred: Referred = ended.value
        problem = "" if referred.files else _nothing_of(referred)
    except DirectoryError as error:
        problem = f"could not be read ({error})"
    if not problem:
        return Place(path.parent, referred.files, notices=tuple(_about_references(referred)))
    place = yield from _folder(path.parent)
    text = f"The {clean(path.name)} {problem}: all files of its folder were looked at instead."
    notice = Notice("directory-not-used", Severity.WARNING, text, paths=(path,))
    return Place(place.root, place.files, place.others, notices=(notice, *place.notices))


def _nothing_of(referred: Referred) -> str:
    count = len(referred.missing) + referred.outside
    return f"lists {count} {'file' if count == 1 else 'files'}, none of which is here" if count else "lists no files"


def _about_references(referred: Referred) -> Iterable[Notice]:
    missing, outside = len(referred.missing), referred.outside
    if missing:
        first = clean("/".join(referred.missing[0]))
        more = "" if missing == 1 else f" and {missing - 1} more"
        total = len(referred.files) + missing
        text = f"{missing} of {total} files that the DICOMDIR lists {'is' if missing == 1 else 'are'} missing: {first}{more}."
        yield Notice("referenced-files-missing", Severity.WARNING, text)
    if outside:
        what = "1 entry of the DICOMDIR leads" if outside == 1 else f"{outside} entries of the DICOMDIR lead"
        text = f"{what} out of its folder and {'was' if outside == 1 else 'were'} not followed."
        yield Notice("references-outside", Severity.WARNING, text)


def _file(path: Path) -> Generator[Event, None, Place]:
    """The series that one file belongs to: of the files beside it."""
    if formats.is_other_format(path.name):
        return Place(path, [], [path])
    wanted = _series_of(path)
    beside: list[Path] = []
    for part in files.walk(path.parent, {}, deep=False):
        beside += [one for one in part if not formats.is_other_format(one.name) and not files.is_packed(one.name)]
        yield Progress("Looking for files", len(beside), 0)
    return Place(path, beside if path in beside else [path, *beside], wanted=wanted)


def _series_of(path: Path) -> SeriesKey:
    name = visible(str(path))
    try:
        return series_key(read_slices(path)[0])
    except NotDicomError:
        what = "a ZIP archive, or it is damaged" if files.is_zip(path.name) else "a DICOM file"
        raise InputError(f"{name} is not {what}.") from None
    except DamagedError as error:
        raise InputError(f"{name} cannot be opened: {error}.") from error
