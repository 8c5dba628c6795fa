"""From stored values to a drawable image: one table look-up, no copies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPainter, QTransform

from ctviewer.core.volume import Volume
from ctviewer.core.windowing import Voi, window_lut
from ctviewer.ui.viewport.transform import ViewTransform

_CHUNK = 1 << 14  # pixels
_AVERAGE_BELOW = 0.5  # bilinear drawing skips pixels when it shrinks further than this


@lru_cache(maxsize=32)
def _rgb_lut(
    window: Voi, slope: float, intercept: float, signed: bool, invert: bool, padding: tuple[int, int] | None
) -> NDArray[np.uint32]:
    """The window's grey levels as RGB32: Qt scales 32-bit images twice as fast as 8-bit grey ones, with the same result."""
    grey = window_lut(window, slope, intercept, signed=signed, invert=invert, padding=padding).astype(np.uint32)
    return np.asarray(grey * 0x010101 | 0xFF000000, np.uint32)


@dataclass(frozen=True, eq=False)
class Raster:
    """A windowed slice; the image reads `pixels`, which must live as long as it does.

    Attributes:
        pixels: `[rows, columns]` uint32, 0xFFRRGGBB, already flipped as shown.
        image: the same memory as a QImage.
    """

    pixels: NDArray[np.uint32]
    image: QImage


class Canvas:
    """Memory that each paint uses again: a fresh megabyte costs more in page faults than what is drawn into it."""

    def __init__(self) -> None:
        self._frame = QImage()
        self._pixels = np.empty((0, 0), np.uint32)

    def frame(self, width: int, height: int, device_ratio: float) -> QImage:
        """A black image of this many device pixels."""
        if self._frame.width() != width or self._frame.height() != height:
            self._frame = QImage(width, height, QImage.Format.Format_RGB32)
        self._frame.setDevicePixelRatio(device_ratio)
        self._frame.fill(Qt.GlobalColor.black)
        return self._frame

    def pixels(self, rows: int, columns: int) -> NDArray[np.uint32]:
        """An array of any content."""
        if self._pixels.shape != (rows, columns):
            self._pixels = np.empty((rows, columns), np.uint32)
        return self._pixels


def rasterise(
    volume: Volume,
    index: int,
    window: Voi,
    *,
    invert: bool,
    flip_h: bool,
    flip_v: bool,
    canvas: Canvas | None = None,
) -> Raster:
    """One slice through its window, inverted for MONOCHROME1 or on the reader's wish (both together cancel out).

    With a canvas its memory is used, and the raster before this one is overwritten.
    """
    slope, intercept = float(volume.slope[index]), float(volume.intercept[index])
    lut = _rgb_lut(window, slope, intercept, volume.signed, volume.inverted != invert, volume.padding)
    codes = volume.stored[index].view(np.uint16)[:: -1 if flip_v else 1, :: -1 if flip_h else 1]
    rows, columns = codes.shape
    pixels = (canvas or Canvas()).pixels(rows, columns)
    step = max(1, _CHUNK // columns)
    for top in range(0, rows, step):  # numpy widens the codes to 64 bits: in small pieces they stay in the cache
        lut.take(codes[top : top + step], out=pixels[top : top + step], mode="clip")
    return Raster(pixels, QImage(pixels.data, columns, rows, pixels.strides[0], QImage.Format.Format_RGB32))


def draw_raster(painter: QPainter, raster: Raster, transform: ViewTransform, *, smooth: bool) -> None:
    """Draw a slice where the transform puts it; the painter works in logical view pixels."""
    left, top, width, height = transform.image_rect()
    rows, columns = raster.pixels.shape
    ratio = transform.device_ratio
    image = raster.image
    if smooth and min(width / columns, height / rows) * ratio < _AVERAGE_BELOW:
        size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
        image = image.scaled(*size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
    painter.setTransform(QTransform(width / image.width(), 0, 0, height / image.height(), left, top), True)
    painter.drawImage(0, 0, image)
    painter.restore()
