"""Overlay planes of the file over the image: each of their pixels sharp, at any zoom, with a thin dark rim."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QImage, QPainter

from ctviewer.core.overlays import OverlayPlane
from ctviewer.ui.viewport.transform import ViewTransform

GRAPHICS = QColor(150, 255, 235)
"""Brighter than all lesion colours and unlike the grey of the image; orange stays with attention."""
_RIM = 0xB0000000  # premultiplied ARGB: mostly black
_DRAWN = 0xFF << 24 | GRAPHICS.red() << 16 | GRAPHICS.green() << 8 | GRAPHICS.blue()


def draw_graphics(painter: QPainter, planes: tuple[OverlayPlane, ...], transform: ViewTransform) -> None:
    """Draw all planes of a slice where the transform puts its pixels."""
    picture = _picture(planes, transform)
    if picture is not None:
        left, top, _, image = picture
        painter.drawImage(QPointF(left, top), image)


def names(planes: Sequence[OverlayPlane]) -> str:
    """What the planes are called: each name once; "overlay of the file" where they have none."""
    told = dict.fromkeys(plane.name for plane in planes if plane.name)
    return ", ".join(told) or "overlay of the file"


@lru_cache(maxsize=2)  # while the window is dragged nothing of it changes
def _picture(
    planes: tuple[OverlayPlane, ...], transform: ViewTransform
) -> tuple[float, float, NDArray[np.uint32], QImage] | None:
    """The visible part in device pixels: its place in view pixels, its pixels, and the image that reads them."""
    across = _device_span(transform, 0)
    down = _device_span(transform, 1)
    if across is None or down is None:
        return None
    mask = np.zeros((transform.rows, transform.columns), bool)
    for plane in planes:
        mask |= plane.on_image(transform.rows, transform.columns)
    (left, columns), (top, rows) = across, down
    drawn = _spread(_spread(mask, rows, 0, transform.flip_v), columns, 1, transform.flip_h)
    pixels = _coloured(drawn, max(1, round(transform.device_ratio)))
    height, width = pixels.shape
    image = QImage(pixels.data, width, height, pixels.strides[0], QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(transform.device_ratio)
    return left / transform.device_ratio, top / transform.device_ratio, pixels, image


def _device_span(transform: ViewTransform, axis: int) -> tuple[int, NDArray[np.intp]] | None:
    """First device pixel of the image that is in view along an axis, and the image's row or column at each from there.

    One entry more than there are pixels: pixel i shows rows `[i]` up to `[i + 1]`, at least one. Counted as unflipped.
    """
    ratio, step = transform.device_ratio, abs(transform.step[axis])
    start, size = transform.image_rect()[axis], transform.image_rect()[axis + 2]
    area, room = transform.area[axis], transform.area[axis + 2]
    first, last = round(max(start, area) * ratio), round(min(start + size, area + room) * ratio)
    if last <= first:
        return None
    count = transform.columns if axis == 0 else transform.rows
    flipped = transform.flip_h if axis == 0 else transform.flip_v
    from_border = np.arange(first, last + 1) / ratio - start
    if flipped:
        from_border = (size - from_border)[::-1]
    middle = from_border[:-1] + 0.5 / ratio  # what a device pixel shows is decided at its middle
    places = np.floor(np.append(middle, middle[-1] + 1 / ratio) / step).astype(np.intp)
    return first, np.minimum(places, np.append(np.full(len(middle), count - 1), count)).clip(0)


def _spread(mask: NDArray[np.bool_], places: NDArray[np.intp], axis: int, flipped: bool) -> NDArray[np.bool_]:
    """A mask with one entry per device pixel along an axis: set where any of the rows that it covers is, so no line is lost."""
    first, end = int(places[0]), max(int(places[-1]), int(places[-2]) + 1)
    part = mask[first:end] if axis == 0 else mask[:, first:end]
    spread = np.logical_or.reduceat(part, places[:-1] - first, axis=axis)
    return np.flip(spread, axis) if flipped else spread


def _coloured(drawn: NDArray[np.bool_], rim: int) -> NDArray[np.uint32]:
    """ARGB pixels: the graphics' colour, and a dark rim beside them."""
    pixels = np.zeros(drawn.shape, np.uint32)
    pixels[_grown(_grown(drawn, 0, rim), 1, rim)] = _RIM
    pixels[drawn] = _DRAWN
    return pixels


def _grown(mask: NDArray[np.bool_], axis: int, by: int) -> NDArray[np.bool_]:
    """The mask and its neighbours along an axis."""
    grown = mask.copy()
    source, target = mask.swapaxes(0, axis), grown.swapaxes(0, axis)
    for distance in range(1, by + 1):
        target[distance:] |= source[:-distance]
        target[:-distance] |= source[distance:]
    return grown
