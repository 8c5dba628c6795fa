"""The suitability check of 300 slices of 512 x 512 in memory: it comes before every analysis, and is not to be waited for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness import SIDE, SLICES, Row, make_series, seconds


def run(work: Path) -> Iterator[Row]:
    """Against two models at once, which look at the pixels once; best of five."""
    from ctviewer.core.events import Done
    from ctviewer.dicom import load_volume, scan
    from ctviewer.inference.suitability import check_all
    from ctviewer.training.version_texts import INPUT_LIMITS

    make_series(work / "series")
    *_, found = scan(work / "series")
    assert isinstance(found, Done)
    volume = load_volume(found.value.series[0])
    assert volume.stored.shape == (SLICES, SIDE, SIDE)
    yield Row("suitability check", 1000 * seconds(lambda: check_all(volume, [INPUT_LIMITS] * 2), runs=5), "ms", "< 150")
