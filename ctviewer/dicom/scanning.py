"""Scanning a folder or file: every header once, then series in the order of preference."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.garbage import young_only
from ctviewer.core.series import Catalog, Notice, Series, Severity
from ctviewer.dicom import formats
from ctviewer.dicom.assemble import assemble
from ctviewer.dicom.copies import copies_in, drop_copies
from ctviewer.dicom.events import SeriesFound
from ctviewer.dicom.frames import join
from ctviewer.dicom.grouping import series_key, split
from ctviewer.dicom.header import DamagedError, NotDicomError
from ctviewer.dicom.places import Place, SeriesKey, look
from ctviewer.dicom.preference import preference
from ctviewer.dicom.reading import read_slices
from ctviewer.dicom.record import Slice
from ctviewer.dicom.text import clean, visible

_STEP_FILES, _STEP_SECONDS = 25, 0.05
_QUICK = 500  # slices of which a series is made within some hundredths of a second
_STAGE = "Reading headers"


@dataclass
class _Findings:
    """What was read so far."""

    groups: dict[SeriesKey, list[Slice]] = field(default_factory=lambda: defaultdict(list))
    damaged: dict[Path, str] = field(default_factory=dict)


def scan(path: Path) -> Iterator[Event]:
    """Find the series in a folder (any depth), a ZIP archive or a DICOMDIR, or the series that one file belongs to.

    Yields:
        `Progress` at least every 25 files, `SeriesFound` for each series, last `Done` with the `Catalog`.

    Raises:
        InputError: the path does not exist, or holds nothing that can be shown; one sentence that names the path.
    """
    with young_only():  # headers by the ten thousand
        yield from _scan(path)


def _scan(path: Path) -> Iterator[Event]:
    place = yield from look(path)
    found = _Findings()
    yield from _read_all(place.files, found, place.wanted)
    other_series, other_notices = yield from formats.read_series(place.others, alone=not found.groups)
    if not found.groups and not other_series:
        raise InputError(other_notices[0].text if other_notices else _nothing_read(path, place, found))
    series = yield from _series(found.groups.values())
    series = tuple(sorted((*series, *other_series), key=preference))
    if not any(one.readable for one in series):
        raise InputError(_nothing_readable(path, series))
    for one in series:
        yield SeriesFound(one)
    yield Done(Catalog(place.root, series, (*place.notices, *_unreadable(found), *other_notices)))


def _read_all(candidates: Sequence[Path], found: _Findings, wanted: SeriesKey | None) -> Iterator[Event]:
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
        for one in slices:
            key = series_key(one)
            if wanted is None or key == wanted:
                found.groups[key].append(one)
    yield Progress(_STAGE, len(candidates), len(candidates))


def _series(groups: Iterable[list[Slice]]) -> Generator[Event, None, tuple[Series, ...]]:
    made: list[Series] = []
    for group in groups:
        kept, dropped = yield from drop_copies(group)
        if len(kept) <= _QUICK:
            made += _stacks(kept, dropped)
        else:
            made += yield from _patiently(partial(_stacks, kept, dropped))
    return tuple(sorted(_with_own_keys(made), key=preference))


def _stacks(kept: list[Slice], dropped: Sequence[Slice]) -> list[Series]:
    """The series that files of one series UID make."""
    join(kept)
    return [assemble(part, copies_in(part.slices, dropped)) for part in split(kept)]


def _patiently(work: Callable[[], list[Series]]) -> Generator[Event, None, list[Series]]:
    """Do long work on another thread, so that the scan can be stopped at once meanwhile: the work then ends unheard."""
    pool = ThreadPoolExecutor(1, "series")
    try:
        future = pool.submit(work)
        while not wait([future], _STEP_SECONDS / 2).done:
            yield Progress("Putting the slices in order", 0, 0)
        return future.result()
    finally:
        pool.shutdown(wait=False)


def _with_own_keys(made: Sequence[Series]) -> Iterator[Series]:
    """Tell series apart that share a UID by mistake (two patients, two studies): a key must be found once only.

    The addition to the key comes from patient and study, so that what was saved of one is never shown with another. Parts
    of one series may have the same digest where they differ by hardly more than rounding: these are numbered.
    """
    owners: dict[str, set[bytes]] = defaultdict(set)
    for one in made:
        owners[one.key].add(_owner(one))
    seen: Counter[str] = Counter()
    for one in made:
        key, notices = one.key, one.notices
        if len(owners[key]) > 1:
            text = "Files of another patient or study have the same series UID; they are kept apart."
            notices = (Notice("shared-series-uid", Severity.DANGER, text), *notices)
            key = f"{key}@{hashlib.blake2b(_owner(one), digest_size=4).hexdigest()}"
        seen[key] += 1
        key = key if seen[key] == 1 else f"{key}+{seen[key]}"
        yield one if key == one.key else replace(one, key=key, notices=notices)


def _owner(one: Series) -> bytes:
    name = one.patient.name.rstrip("^ ").casefold()  # as in `series_key`: it may be written in several ways
    return repr((one.patient.patient_id, name, one.study.uid)).encode("utf-8", "replace")


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


def _nothing_read(path: Path, place: Place, found: _Findings) -> str:
    name = visible(str(path))
    if found.damaged:
        first, why = next(iter(found.damaged.items()))
        return f"Nothing in {name} can be opened: {clean(first.name)}, for instance: {why}."
    return " ".join([f"{name} holds no DICOM files.", *(notice.text for notice in place.notices)])


def _nothing_readable(path: Path, series: Sequence[Series]) -> str:
    return f"{visible(str(path))} holds no images that can be shown. {series[0].reason}"
