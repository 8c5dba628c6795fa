"""From a chosen folder to the first image and to the whole series, beside plain pydicom and a bare read of the files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from harness import SIDE, SLICES, Row, make_series, peak_memory_mb, seconds

from ctviewer.core.events import Done
from ctviewer.core.series import Series
from ctviewer.core.windowing import window_lut
from ctviewer.dicom import VolumeReady, load, load_volume, scan

_OURS = "from pathlib import Path\nfrom ctviewer.dicom import load_volume, scan"
_OUR_WORK = "*_, done = scan(Path(sys.argv[1]))\nvolume = load_volume(done.value.series[0])"
_COMPRESSED_SLICES = 60


def run(work: Path) -> Iterator[Row]:
    """300 uncompressed slices; 60 in JPEG Lossless."""
    folder = work / "uncompressed"
    size = make_series(folder)
    yield from _uncompressed(folder)
    if Path("/proc/self/clear_refs").exists():
        yield Row(
            "peak memory / series as int16", peak_memory_mb(_OURS, _OUR_WORK, str(folder)) * 2**20 / size, "x", "< 2.5"
        )
    folder = work / "compressed"
    make_series(folder, _COMPRESSED_SLICES, "jpeg_lossless")
    ours = seconds(lambda: load_volume(_series(folder)), 1)
    yield Row("JPEG Lossless, whole series", _COMPRESSED_SLICES / ours, "slices/s")


def _uncompressed(folder: Path) -> Iterator[Row]:
    files = sorted(folder.iterdir())
    first = seconds(lambda: _first_image(folder))
    whole = seconds(lambda: load_volume(_series(folder)))
    scanned = seconds(lambda: _series(folder))
    bare = seconds(lambda: [file.read_bytes() for file in files])
    plain = seconds(lambda: np.stack([pydicom.dcmread(file).pixel_array for file in files]), 1)
    yield Row(f"folder to first image, {SLICES} slices of {SIDE} px", first, "s", "< 0.3")
    yield Row("scan alone", scanned, "s")
    yield Row("folder to whole series", whole, "s")
    yield Row("whole series", SLICES / whole, "slices/s")
    yield Row("plain pydicom / ours", plain / whole, "x")
    yield Row("ours / bare read of the files", whole / bare, "x")


def _series(folder: Path) -> Series:
    """Scan; the series that opens by itself."""
    for event in scan(folder):
        if isinstance(event, Done):
            return event.value.series[0]
    raise AssertionError("a scan ends with Done")


def _first_image(folder: Path) -> np.ndarray:
    """The grey levels of the slice that is shown first."""
    for event in load(_series(folder)):
        if isinstance(event, VolumeReady):
            volume, middle = event.volume, event.volume.middle
            lut = window_lut(
                volume.initial_window, volume.slope[middle], volume.intercept[middle], signed=volume.signed
            )
            return lut[volume.stored[middle].view(np.uint16)]
    raise AssertionError("a load yields a volume")
