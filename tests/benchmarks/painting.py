"""One slice through a window onto a 900 x 900 image, as the viewport does it, beside drawing a ready picture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from harness import Row, make_series, milliseconds
from PySide6.QtCore import QRectF
from PySide6.QtGui import QGuiApplication, QImage, QPainter

from ctviewer.core.events import Done
from ctviewer.core.windowing import Window, window_lut
from ctviewer.dicom import load_volume, scan
from ctviewer.ui.viewport.raster import rasterise

_SIDE = 900


def run(work: Path) -> Iterator[Row]:
    """Window table, look-up, drawing."""
    application = QGuiApplication.instance() or QGuiApplication([])
    make_series(work / "series", 40)
    *_, done = scan(work / "series")
    assert isinstance(done, Done)
    volume = load_volume(done.value.series[0])
    canvas = QImage(_SIDE, _SIDE, QImage.Format.Format_RGB32)
    view = QRectF(0, 0, _SIDE, _SIDE)

    def step(i: int) -> None:
        raster = rasterise(
            volume, i % volume.slice_count, volume.initial_window, invert=False, flip_h=False, flip_v=False
        )
        _draw(canvas, view, raster.image)

    ready = rasterise(volume, 0, volume.initial_window, invert=False, flip_h=False, flip_v=False).image
    table = milliseconds(lambda i: window_lut(Window(-600, 1500 + i), 1, -1024, signed=True))
    ours, bare = milliseconds(step), milliseconds(lambda i: _draw(canvas, view, ready))
    yield Row("window table (one step of a window drag), median", table[0], "ms")
    yield Row("slice step to pixels, median", ours[0], "ms")
    yield Row("slice step to pixels, p95", ours[1], "ms", "< 16")
    yield Row("ours / drawing a ready picture", ours[0] / bare[0], "x")
    del application


def _draw(canvas: QImage, view: QRectF, image: QImage) -> None:
    painter = QPainter(canvas)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(view, image)
    painter.end()
