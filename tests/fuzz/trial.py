"""One case tried: everything that the viewer does with a file, and what must hold whatever the file is."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from fuzz.cases import Case
from fuzz.seeds import PATIENT_ID, PATIENT_NAME, Seed, seed
from numpy.typing import NDArray

from ctviewer.app.info_json import as_dict
from ctviewer.app.info_report import gather
from ctviewer.app.info_text import as_text
from ctviewer.app.progress import ProgressLine
from ctviewer.core.errors import CtviewerError
from ctviewer.core.events import Done
from ctviewer.core.series import Catalog, Notice, Series
from ctviewer.dicom import SlicesFailed, VolumeReady, load, scan, thumbnail

SECRETS = (*PATIENT_NAME.split("^"), PATIENT_ID)
GOOD = ("equal", "told", "changed", "refused")
"""Verdicts that are no failure: opened with equal pixels, opened with a doubt told, opened with other pixels (a mutation
within the pixels of an uncompressed file cannot be seen), refused by an error of ours."""
_MOST_THREADS = 24


@dataclass(frozen=True)
class Verdict:
    """What came of a case: one of `GOOD`, or the name of the rule that was broken, with details."""

    name: str
    detail: str = ""


@dataclass
class Opened:
    """What a path gave.

    Attributes:
        slices: `[rows, columns]` stored values of each slice, by path and frame.
        codes: of all notices.
        texts: all that was said.
        printed: by `ctviewer info`, with descriptions: those of a damaged file may hold anything that stood elsewhere.
    """

    slices: dict[tuple[str, int], NDArray[np.generic]] = field(default_factory=dict)
    codes: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    refused: list[CtviewerError] = field(default_factory=list)


class BrokenRuleError(Exception):
    """A rule was broken; args: its name and details."""


def attempt(case: Case, folder: Path) -> Verdict:
    """Try one case in an empty folder."""
    start = seed(case.family)
    path = folder / start.name
    path.write_bytes(case.data)
    neighbours = _write_neighbours(start, folder) if case.among else []
    try:
        with _watched(folder):
            opened = open_all(folder if neighbours else path)
        for error in opened.refused:
            _require_words(error, folder, path)
        return _judge(case, start, opened, path, neighbours)
    except BrokenRuleError as broken:
        return Verdict(*broken.args)
    finally:
        for one in folder.iterdir():
            one.unlink()


def _write_neighbours(start: Seed, folder: Path) -> list[Path]:
    paths = []
    for number, data in enumerate(start.neighbours):
        paths.append(folder / f"N{number}{Path(start.name).suffix}")
        paths[-1].write_bytes(data)
    return paths


def open_all(path: Path) -> Opened:
    """Scan, load every series that can be shown, make its thumbnail.

    Raises:
        BrokenRuleError: an exception that is none of ours.
    """
    found = Opened()
    try:
        *_, last = scan(path)
        assert isinstance(last, Done)
        catalog: Catalog = last.value
        _say(found, catalog.notices)
        _inform(catalog, found)
        for series in catalog.series:
            _say(found, series.notices)
            found.texts.append(series.reason)
            if series.readable:
                _load(series, found)
    except CtviewerError as error:
        found.refused.append(error)
    except Exception as error:
        raise BrokenRuleError("foreign", describe(error)) from error
    return found


def _inform(catalog: Catalog, found: Opened) -> None:
    """What `ctviewer info` prints, as text and as JSON."""
    report = gather(catalog, None, ProgressLine(quiet=True), pixels=False, identifying=False)
    found.printed += [as_text(report), json.dumps(as_dict(report), allow_nan=False)]


def _load(series: Series, found: Opened) -> None:
    try:
        for event in load(series):
            if isinstance(event, VolumeReady):
                volume = event.volume
            elif isinstance(event, SlicesFailed):
                _say(found, (event.notice,))
        for index, one in enumerate(series.slices):
            if not volume.failed[index]:
                found.slices[str(one.path), one.frame] = volume.stored[index]
        volume.hu(volume.middle)
        _ = volume.initial_window
        thumbnail(series)
    except CtviewerError as error:
        found.refused.append(error)


def _say(found: Opened, notices: tuple[Notice, ...]) -> None:
    found.codes += [one.code for one in notices]
    found.texts += [one.text for one in notices]
    for one in notices:
        if not one.text.isprintable() or len(one.text) > 3000:
            raise BrokenRuleError("unprintable", repr(one.text[:300]))


def describe(error: BaseException) -> str:
    """Type and the last lines of code."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__}: {str(error)[:200]} @ {where}"


def _require_words(error: CtviewerError, folder: Path, path: Path) -> None:
    text = str(error)
    if not text.endswith(".") or not text.isprintable() or len(text) > 3000:
        raise BrokenRuleError("unprintable", repr(text[:300]))
    if path.name not in text and str(folder) not in text:
        raise BrokenRuleError("unnamed", text[:300])


def _judge(case: Case, start: Seed, opened: Opened, path: Path, neighbours: list[Path]) -> Verdict:
    for said in [*opened.texts, *map(str, opened.refused), *(opened.printed if case.harmless else ())]:
        _require_no_secret(said)
    for neighbour, data in zip(neighbours, start.neighbours, strict=False):  # none where it is alone
        _require_equal(opened, neighbour, _truth(start, data), "neighbour-lost")
    good = _truth(start, start.data)
    if case.harmless and good.slices:
        _require_equal(opened, path, good, "wrong-pixels")
        more = set(opened.codes) - set(good.codes) - ({"single-slice", "no-positions"})
        if more and not neighbours:
            raise BrokenRuleError("false-alarm", ", ".join(sorted(more)))
    mine = {frame: values for (name, frame), values in opened.slices.items() if name.startswith(str(path))}
    if not mine:
        return Verdict("refused", str(opened.refused[0])[:200] if opened.refused else "listed, not shown")
    if _equal(mine, {frame: values for (_, frame), values in good.slices.items()}):
        return Verdict("equal")
    return Verdict("told" if set(opened.codes) - set(good.codes) or opened.refused else "changed")


_truths: dict[bytes, Opened] = {}


def _truth(start: Seed, data: bytes) -> Opened:
    """What an unchanged file gives; of lossless seeds it must be what went in."""
    if data not in _truths:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / (start.name if data == start.data else f"N0{Path(start.name).suffix}")
            path.write_bytes(data)
            _truths[data] = open_all(path)
    return _truths[data]


def _require_equal(opened: Opened, path: Path, good: Opened, rule: str) -> None:
    for (_, frame), values in good.slices.items():
        found = opened.slices.get((str(path), frame))
        if found is None:
            said = str(opened.refused[0]) if opened.refused else ", ".join(opened.codes)
            raise BrokenRuleError(rule, f"not opened: {said[:250]}")
        if not np.array_equal(found, values):
            raise BrokenRuleError(rule, "other pixels")


def _equal(mine: dict[int, NDArray[np.generic]], good: dict[int, NDArray[np.generic]]) -> bool:
    return mine.keys() == good.keys() and all(np.array_equal(mine[frame], good[frame]) for frame in good)


def _require_no_secret(text: str) -> None:
    for secret in SECRETS:
        if secret in text:
            raise BrokenRuleError("patient-data", text[:300])


class _Records(logging.Handler):
    """All that is logged, by anybody."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{record.getMessage()} {record.exc_info or ''}")


@contextlib.contextmanager
def _watched(folder: Path) -> Iterator[None]:
    """See to it that nothing is written, nothing told in logs and warnings, and no threads are left."""
    before, handler = _listing(folder), _Records()
    root = logging.getLogger()
    root.addHandler(handler)
    with warnings.catch_warnings(record=True) as warned:
        try:
            yield
        finally:
            root.removeHandler(handler)
    for text in handler.texts + [str(one.message) for one in warned]:
        _require_no_secret(text)
    if _listing(folder) != before:
        raise BrokenRuleError("written", "the opened folder has changed")
    if threading.active_count() > _MOST_THREADS:
        raise BrokenRuleError("threads", f"{threading.active_count()} threads")


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    return sorted((one.name, one.stat().st_size, one.stat().st_mtime_ns) for one in os.scandir(folder))
