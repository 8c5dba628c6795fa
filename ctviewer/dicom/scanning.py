"""Scanning a folder or file: every header once, then series in the order of preference."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.files import reason
from ctviewer.core.series import Catalog, Notice, Series, Severity
from ctviewer.dicom import files, formats
from ctviewer.dicom.assemble import assemble
from ctviewer.dicom.copies import copies_in, drop_copies
from ctviewer.dicom.events import SeriesFound
from ctviewer.dicom.grouping import series_key, split
from ctviewer.dicom.header import DamagedError, NotDicomError
from ctviewer.dicom.preference import preference
from ctviewer.dicom.reading import read_slices
from ctviewer.dicom.record import Slice
from ctviewer.dicom.text import clean

_STEP_FILES, _STEP_SECONDS = 25, 0.05
_STAGE = "Reading headers"


@dataclass
class _Findings:
    """What was read so far."""

    slices: list[Slice] = field(default_factory=list)
    damaged: dict[Path, str] = field(default_factory=dict)


def scan(path: Path) -> Iterator[Event]:
    """Find the series in a folder (any depth), or the series that one file belongs to.

    Yields:
        `Progress` at least every 25 files, `SeriesFound` for each series, last `Done` with the `Catalog`.

    Raises:
        InputError: the path does not exist, or holds nothing that can be shown; one sentence that names the path.
    """
    if not os.path.exists(path):  # noqa: PTH110 - unlike Path.exists it is false, not an error, for an impossible name
        raise InputError(f"{path} does not exist.")
    if files.is_directory(path.name) and path.is_file():
        path = path.parent  # the table of contents of a disc: the folder itself says more, and says it truly
    found = _Findings()
    wanted: tuple[str, ...] | None = None
    others: list[Path] = []
    if path.is_dir():
        candidates = yield from _candidates(path)
        others = [one for one in candidates if formats.is_other_format(one.name)]
        candidates = [one for one in candidates if not formats.is_other_format(one.name)]
    elif not path.is_file():
        raise InputError(f"{path} is neither a file nor a folder.")
    elif formats.is_other_format(path.name):
        candidates, others = [], [path]
    else:
        wanted = _series_of(path)
        candidates = [one for one in next(files.walk(path.parent), []) if not formats.is_other_format(one.name)]
        candidates = candidates if path in candidates else [path, *candidates]
    yield from _read_all(candidates, found, wanted)
    other_series, other_notices = yield from formats.read_series(others, alone=not found.slices)
    if not found.slices and not other_series:
        raise InputError(other_notices[0].text if other_notices else _nothing_read(path, found))
    series = yield from _series(found.slices)
    series = tuple(sorted((*series, *other_series), key=preference))
    if not any(one.readable for one in series):
        raise InputError(_nothing_readable(path, series))
    for one in series:
        yield SeriesFound(one)
    yield Done(Catalog(path, series, (*_unreadable(found), *other_notices)))


def _candidates(folder: Path) -> Generator[Event, None, list[Path]]:
    """All files worth a look, in a stable order."""
    found: list[Path] = []
    for part in files.walk(folder):
        found += part
        yield Progress("Looking for files", len(found), 0)
    if not found and _is_empty(folder):
        raise InputError(f"The folder {folder} is empty.")
    return found


def _is_empty(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except OSError as error:  # it went away since it was listed
        raise InputError(f"{folder} could not be read: {reason(error)}.") from error


def _series_of(path: Path) -> tuple[str, ...]:
    """The series of the one file that was opened."""
    try:
        return series_key(read_slices(path)[0])
    except NotDicomError:
        raise InputError(f"{path} is not a DICOM file.") from None
    except DamagedError as error:
        raise InputError(f"{path} cannot be opened: {error}.") from error


def _read_all(candidates: Sequence[Path], found: _Findings, wanted: tuple[str, ...] | None) -> Iterator[Event]:
    """Read all headers; with `wanted`, keep what belongs to that series only."""
    told = time.monotonic()
    for number, path in enumerate(candidates):
        if number % _STEP_FILES == 0 or time.monotonic() - told > _STEP_SECONDS:
            yield Progress(_STAGE, number, len(candidates))
            told = time.monotonic()
        try:
            slices = read_slices(path)
        except NotDicomError:
            continue
        except DamagedError as error:
            found.damaged[path] = str(error)
            continue
        found.slices += [one for one in slices if wanted is None or series_key(one) == wanted]
    yield Progress(_STAGE, len(candidates), len(candidates))


def _series(slices: Sequence[Slice]) -> Generator[Event, None, tuple[Series, ...]]:
    groups: dict[tuple[str, ...], list[Slice]] = defaultdict(list)
    for one in slices:
        groups[series_key(one)].append(one)
    made: list[Series] = []
    for group in groups.values():
        kept, dropped = yield from drop_copies(group)
        for part in split(kept):
            made.append(assemble(part, copies_in(part.slices, dropped)))
    return tuple(sorted(_with_own_keys(made), key=preference))


def _with_own_keys(made: Sequence[Series]) -> Iterator[Series]:
    """Tell series apart that share a UID by mistake (two patients, two studies): a key must be found once only.

    The addition to the key comes from patient and study, so that what was saved of one is never shown with another.
    """
    shared = {key for key, count in Counter(one.key for one in made).items() if count > 1}
    for one in made:
        if one.key not in shared:
            yield one
            continue
        owner = repr((one.patient.patient_id, one.patient.name, one.study.uid)).encode("utf-8", "replace")
        notice = Notice(
            "shared-series-uid",
            Severity.DANGER,
            "Files of another patient or study have the same series UID; they are kept apart.",
        )
        key = f"{one.key}@{hashlib.blake2b(owner, digest_size=4).hexdigest()}"
        yield replace(one, key=key, notices=(notice, *one.notices))


def _unreadable(found: _Findings) -> tuple[Notice, ...]:
    if not found.damaged:
        return ()
    count = len(found.damaged)
    path, why = next(iter(found.damaged.items()))
    more = "" if count == 1 else f" and {count - 1} more"
    text = (
        f"{count} {'file' if count == 1 else 'files'} could not be read and {'is' if count == 1 else 'are'} left out: "
    )
    text += f"{clean(path.name)} ({why}){more}."
    return (Notice("unreadable-files", Severity.WARNING, text, paths=tuple(found.damaged)),)


def _nothing_read(path: Path, found: _Findings) -> str:
    if found.damaged:
        first, why = next(iter(found.damaged.items()))
        return f"Nothing in {path} can be opened: {clean(first.name)}, for instance: {why}."
    return f"{path} holds no DICOM files."


def _nothing_readable(path: Path, series: Sequence[Series]) -> str:
    return f"{path} holds no images that can be shown. {series[0].reason}"
