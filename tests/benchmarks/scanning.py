"""Scanning: whether a file costs the same among 10,000 as among 300, and how long a scan is silent (and deaf to Cancel)."""

from __future__ import annotations

import os
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from harness import Row, make_series, seconds

from ctviewer.core.errors import InputError
from ctviewer.core.geometry import Geometry
from ctviewer.dicom import SeriesAttributes, load_volume, scan, write_ct_series

_FEW, _MANY, _ZIPPED = 300, 10_000, 100
_TICK = 0.002


def run(work: Path) -> Iterator[Row]:
    """Small slices, files that are no DICOM, and an archive."""
    for count in (_FEW, _MANY):
        _small_series(work / f"{count}", count)
    few, many = _cost(work / f"{_FEW}", 10), _cost(work / f"{_MANY}", 2)
    yield Row(f"scan of {_MANY} slices, processor time", many, "s")
    yield Row(f"cost per file, {_MANY} / {_FEW} slices", many / _MANY / (few / _FEW), "x", "< 1.3")
    yield Row(
        f"longest silence, {_MANY} slices", min(_silence(work / f"{_MANY}") for _ in range(3)) * 1000, "ms", "< 100"
    )
    yield Row(f"longest wait of another thread, {_MANY} slices", _gap(work / f"{_MANY}") * 1000, "ms", "< 50")
    yield from _foreign(work / "foreign")
    yield from _archive(work)


def _small_series(folder: Path, count: int) -> None:
    origins = np.zeros((count, 3))
    origins[:, 2] = np.arange(count) * 0.5
    stored = np.arange(count * 64).reshape(count, 8, 8).astype(np.int16)
    geometry = Geometry(stored.shape, origins, pixel_spacing=(1.0, 1.0))
    write_ct_series(folder, stored, geometry=geometry, attributes=SeriesAttributes(intercept=-1024))


def _silence(path: Path) -> float:
    """The longest time between two events of a scan, in seconds."""
    longest, last = 0.0, time.perf_counter()
    try:
        for _ in scan(path):
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
    except InputError:  # a folder without images ends so
        pass
    return max(longest, time.perf_counter() - last)


def _cost(path: Path, runs: int) -> float:
    """Processor time of a scan, in seconds: what else the machine does would decide a ratio of so unequal runs."""
    times = []
    for _ in range(runs + 1):
        start = time.process_time()
        _silence(path)
        times.append(time.process_time() - start)
    return min(times[1:])


def _gap(path: Path) -> float:
    """How much longer than it asks for a thread sleeps at most while another scans: what a window would stutter."""
    worker = threading.Thread(target=_silence, args=(path,))
    worker.start()
    longest = 0.0
    while worker.is_alive():
        start = time.perf_counter()
        time.sleep(_TICK)
        longest = max(longest, time.perf_counter() - start - _TICK)
    worker.join()
    return longest


def _foreign(folder: Path) -> Iterator[Row]:
    folder.mkdir()
    for number in range(_MANY):
        (folder / f"data{number}").write_bytes(os.urandom(300))
    yield Row(f"scan of {_MANY} files that are no DICOM", seconds(lambda: _silence(folder), 1), "s")
    yield Row("longest silence among them", _silence(folder) * 1000, "ms", "< 100")


def _archive(work: Path) -> Iterator[Row]:
    """An archive beside its folder: whatever is more than unpacking is ours."""
    folder, path = work / "folder", work / "study.zip"
    make_series(folder, _ZIPPED)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    plain = seconds(lambda: _load(folder))
    ours = seconds(lambda: _load(path), 2)
    inflation = seconds(lambda: _inflate(path), 1)
    yield Row(f"ZIP of {_ZIPPED} slices of 512 px, whole series", ours, "s")
    yield Row("ZIP / (folder x 2 + unpacking alone)", ours / (2 * plain + inflation), "x", "< 1")


def _load(path: Path) -> None:
    *_, done = scan(path)
    load_volume(done.value.series[0])


def _inflate(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            archive.read(info)
