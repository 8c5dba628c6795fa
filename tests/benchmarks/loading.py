"""From a chosen folder to the first image and to the whole series, beside those who read the same files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from harness import SIDE, SLICES, Row, make_series, peak_memory_mb, seconds
from peers import bare_read, dicomsdl, plain_pydicom, simpleitk

from ctviewer.core.events import Done
from ctviewer.core.series import Series
from ctviewer.core.windowing import window_lut
from ctviewer.dicom import VolumeReady, load, load_volume, scan

_OURS = "from pathlib import Path\nfrom ctviewer.dicom import load_volume, scan"
_OUR_WORK = "*_, done = scan(Path(sys.argv[1]))\nvolume = load_volume(done.value.series[0])"
_LONG, _VERY_LONG = 1500, 3000


def run(work: Path) -> Iterator[Row]:
    """300 uncompressed slices; how it grows with 1,500 and 3,000."""
    make_series(work / "all", _VERY_LONG)
    files = sorted((work / "all").iterdir())
    folder, long = _first(files, SLICES, work), _first(files, _LONG, work)
    whole = seconds(lambda: load_volume(series_of(folder)))
    yield Row(
        f"folder to first image, {SLICES} slices of {SIDE} px", seconds(lambda: first_image(folder)), "s", "< 0.15"
    )
    yield Row("scan alone", seconds(lambda: series_of(folder)), "s")
    yield Row("folder to whole series", whole, "s")
    yield Row("whole series", SLICES / whole, "slices/s")
    yield Row("SimpleITK's series reader / ours", seconds(lambda: simpleitk(folder), 2) / whole, "x", ">= 3")
    yield Row("plain pydicom / ours", seconds(lambda: plain_pydicom(folder), 1) / whole, "x")
    yield Row("dicomsdl / ours", seconds(lambda: dicomsdl(folder), 2) / whole, "x")
    yield Row("ours / bare read of the files", whole / seconds(lambda: bare_read(folder)), "x")
    yield Row(
        f"processor time per slice, {_VERY_LONG} slices / {SLICES} slices", _growth(folder, work / "all"), "x", "<= 1.1"
    )
    if Path("/proc/self/clear_refs").exists():
        size = _LONG * SIDE * SIDE * 2
        peak = peak_memory_mb(_OURS, _OUR_WORK, str(long)) * 2**20
        yield Row(f"peak memory of {_LONG} slices / size as int16", peak / size, "x", "<= 1.3")
        make_series(work / "compressed", _LONG, "jpeg_lossless")
        peak = peak_memory_mb(_OURS, _OUR_WORK, str(work / "compressed")) * 2**20
        yield Row("the same in JPEG Lossless, decoder processes included", peak / size, "x", "<= 1.3")


def _first(files: list[Path], count: int, work: Path) -> Path:
    """The first slices of a long series as a folder of its own; no second copy on the disk."""
    folder = work / str(count)
    folder.mkdir()
    for file in files[:count]:
        os.link(file, folder / file.name)
    return folder


def _growth(short: Path, long: Path) -> float:
    """How much more processor time a slice takes in a long series, scanned and loaded; the least of three, in turn.

    Not the time on the clock: the system may have dropped 1.6 GB of files from its page cache.
    """

    def used(folder: Path) -> float:
        start = time.process_time()
        count = load_volume(series_of(folder)).slice_count
        return (time.process_time() - start) / count

    pairs = [(used(short), used(long)) for _ in range(3)]
    return min(pair[1] for pair in pairs) / min(pair[0] for pair in pairs)


def series_of(folder: Path) -> Series:
    """Scan; the series that opens by itself."""
    for event in scan(folder):
        if isinstance(event, Done):
            return event.value.series[0]
    raise AssertionError("a scan ends with Done")


def first_image(folder: Path) -> np.ndarray:
    """The grey levels of the slice that is shown first."""
    for event in load(series_of(folder)):
        if isinstance(event, VolumeReady):
            volume, middle = event.volume, event.volume.middle
            window = volume.initial_window
            lut = window_lut(window, volume.slope[middle], volume.intercept[middle], signed=volume.signed)
            return lut[volume.stored[middle].view(np.uint16)]
    raise AssertionError("a load yields a volume")
