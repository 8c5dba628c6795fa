"""Draws a scene: the banner in its frame, the image, lesions, letters, scale bar, and the text below."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPalette

from ctviewer.ui.viewport.graphics import GRAPHICS, draw_graphics, names
from ctviewer.ui.viewport.layout import Box, flow
from ctviewer.ui.viewport.lettering import QUIET, TEXT, WARNING, draw_paragraph, draw_scale_bar, draw_text
from ctviewer.ui.viewport.overlay import draw_labels, draw_shapes
from ctviewer.ui.viewport.raster import Canvas, draw_raster, rasterise
from ctviewer.ui.viewport.rois import draw_rois
from ctviewer.ui.viewport.scale_bar import choose_scale_bar
from ctviewer.ui.viewport.scene import Scene, SliceState
from ctviewer.ui.viewport.transform import Area

_MARGIN = 8.0
_GAP = 16.0
_DIMMED = 0.35
_PIXELS_FROM = 4.0  # device pixels per image pixel from which "show pixels" takes effect
_DANGER = QColor(150, 25, 25)
_SEPARATOR = "  ·  "


@dataclass(frozen=True)
class Look:
    """What the widget gives the painter besides the scene.

    Attributes:
        width, height: of the widget, logical pixels.
        device_ratio: device pixels per logical pixel.
        font: of the widget.
        palette: for the frame that holds the banner.
    """

    width: int
    height: int
    device_ratio: float
    font: QFont
    palette: QPalette

    @property
    def metrics(self) -> QFontMetricsF:
        """Of the font."""
        return QFontMetricsF(self.font)


def banner_lines(scene: Scene, look: Look) -> list[tuple[str, str]]:
    """Left and right text of each banner line: two lines where one cannot hold both."""
    left, right = (_SEPARATOR.join(t for t in texts if t) for texts in (scene.banner_left, scene.banner_right))
    if not left and not right:
        return []
    advance = look.metrics.horizontalAdvance
    if left and right and advance(left) + advance(right) + _GAP > look.width - 2 * _MARGIN:
        return [(left, ""), (right, "")]
    return [(left, right)]


def image_area(scene: Scene, look: Look) -> Area:
    """The part of the widget below the banner."""
    top = math.ceil(len(banner_lines(scene, look)) * _line_height(look))
    return (0.0, float(top), float(look.width), float(max(1, look.height - top)))


def info_lines(scene: Scene, look: Look) -> list[list[tuple[float, str]]]:
    """Lines of text at the bottom, top one first: (x, text) with room kept for what the cursor changes."""
    items = [(text, text) for text in scene.fixed_info()] + list(scene.cursor_info())
    widths = [look.metrics.horizontalAdvance(widest) for _, widest in items]
    lines = []
    for numbers in flow(widths, look.width - 2 * _MARGIN, _GAP):
        x, line = _MARGIN, []
        for number in numbers:
            line.append((x, items[number][0]))
            x += widths[number] + _GAP
        lines.append(line)
    return lines


def info_area(scene: Scene, look: Look) -> QRectF:
    """Where the text at the bottom lies."""
    height = len(info_lines(scene, look)) * look.metrics.height() + _MARGIN
    return QRectF(0, look.height - height, look.width, height)


def draw_info(painter: QPainter, scene: Scene, look: Look) -> None:
    """The text at the bottom: the one part that changes while only the cursor moves."""
    painter.setFont(look.font)
    baseline = info_area(scene, look).top() + look.metrics.ascent()
    for line in info_lines(scene, look):
        for x, text in line:
            draw_text(painter, x, baseline, text)
        baseline += look.metrics.height()


def render_frame(scene: Scene, look: Look, canvas: Canvas) -> QImage:
    """Everything but the text at the bottom, at the screen's own resolution, in the canvas's memory."""
    width, height = math.ceil(look.width * look.device_ratio), math.ceil(look.height * look.device_ratio)
    frame = canvas.frame(width, height, look.device_ratio)
    painter = QPainter(frame)
    painter.setFont(look.font)
    _draw_banner(painter, scene, look)
    painter.setClipRect(QRectF(*scene.transform.area))
    _draw_image(painter, scene, canvas)
    lossy = _draw_lossy(painter, scene, look)
    if scene.volume is not None and scene.marks_visible:
        draw_graphics(painter, scene.graphics, scene.transform)
        draw_shapes(painter, scene.shapes, scene.transform, scene.opacity, scene.selected)
        taken = [*lossy, *_draw_letters(painter, scene, look), *_draw_corners(painter, scene, look)]
        taken += _draw_graphics_name(painter, scene, look)
        if scene.shown_rois:
            taken += draw_rois(painter, scene.shown_rois, scene.transform, taken, scene.roi_under_cursor)
        draw_labels(painter, scene.shapes, scene.transform, taken, scene.selected)
    _draw_notice(painter, scene, look)
    painter.end()
    return frame


def _line_height(look: Look) -> float:
    return look.metrics.height() + 6.0


def _draw_banner(painter: QPainter, scene: Scene, look: Look) -> None:
    area = image_area(scene, look)
    painter.fillRect(
        QRectF(0, 0, look.width, area[1]), _DANGER if scene.banner_danger else look.palette.window().color()
    )
    colour = TEXT if scene.banner_danger else look.palette.windowText().color()
    painter.setPen(colour)
    metrics, room = look.metrics, look.width - 2 * _MARGIN
    for number, (left, right) in enumerate(banner_lines(scene, look)):
        baseline = number * _line_height(look) + 3.0 + metrics.ascent()
        painter.drawText(QPointF(_MARGIN, baseline), metrics.elidedText(left, Qt.TextElideMode.ElideRight, room))
        if right:
            shown = metrics.elidedText(right, Qt.TextElideMode.ElideRight, room)
            painter.drawText(QPointF(look.width - _MARGIN - metrics.horizontalAdvance(shown), baseline), shown)


def _draw_image(painter: QPainter, scene: Scene, canvas: Canvas) -> None:
    volume, index, transform = scene.volume, scene.shown_index, scene.transform
    if volume is None or index is None:
        return
    raster = rasterise(
        volume,
        index,
        scene.window,
        invert=scene.inverted,
        flip_h=transform.flip_h,
        flip_v=transform.flip_v,
        canvas=canvas,
    )
    painter.setOpacity(1.0 if scene.state is SliceState.READY else _DIMMED)
    draw_raster(painter, raster, transform, smooth=not (scene.show_pixels and transform.zoom >= _PIXELS_FROM))
    painter.setOpacity(1.0)


def _draw_letters(painter: QPainter, scene: Scene, look: Look) -> list[Box]:
    """Orientation letters in the middle of the edges."""
    metrics = look.metrics
    left, top, width, _ = scene.transform.area
    bottom = info_area(scene, look).top()
    line, middle = metrics.height(), (top + bottom - metrics.height()) / 2
    # For each edge: where the text's box touches the view (0 its left, 1 its right side), and its top.
    places = ((0.0, middle), (1.0, middle), (0.5, top + 4.0), (0.5, bottom - line))
    boxes: list[Box] = []
    for text, (share, y) in zip(scene.edge_letters(), places, strict=True):
        if text:
            w = metrics.horizontalAdvance(text)
            x = left + _MARGIN + share * (width - 2 * _MARGIN - w)
            draw_text(painter, x, y + metrics.ascent(), text)
            boxes.append((x, y, w, line))
    return boxes


def _draw_corners(painter: QPainter, scene: Scene, look: Look) -> list[Box]:
    """The scale bar above the text at the lower right."""
    metrics, volume = look.metrics, scene.volume
    _, _, width, _ = scene.transform.area
    info = info_area(scene, look)
    boxes: list[Box] = [(info.left(), info.top(), info.width(), info.height())]
    spacing = None if volume is None else volume.geometry.pixel_spacing
    bar = choose_scale_bar(None if spacing is None else min(spacing) / scene.transform.scale, longest=width * 0.25)
    if bar is not None:
        baseline = info.top() - metrics.descent()
        draw_scale_bar(painter, width - _MARGIN, baseline, bar.pixels, bar.label)
        w = bar.pixels + 6 + metrics.horizontalAdvance(bar.label)
        boxes.append((width - _MARGIN - w, info.top() - metrics.height(), w, metrics.height()))
    return boxes


def _draw_lossy(painter: QPainter, scene: Scene, look: Look) -> list[Box]:
    """The mark of lossy compression at the upper right: a matter of safety, so no key hides it."""
    text = scene.lossy_mark
    if not text:
        return []
    metrics, (left, top, width, _) = look.metrics, scene.transform.area
    w = metrics.horizontalAdvance(text)
    x = left + width - _MARGIN - w
    draw_text(painter, x, top + 4.0 + metrics.ascent(), text, WARNING)
    return [(x, top + 4.0, w, metrics.height())]


def _draw_graphics_name(painter: QPainter, scene: Scene, look: Look) -> list[Box]:
    """What the overlay planes on this slice are called, at the upper left, in their colour."""
    if not scene.graphics:
        return []
    metrics, (left, top, width, _) = look.metrics, scene.transform.area
    room = width / 2 - metrics.horizontalAdvance("A") - 2 * _MARGIN  # up to the letter in the middle
    text = metrics.elidedText(names(scene.graphics), Qt.TextElideMode.ElideRight, room)
    draw_text(painter, left + _MARGIN, top + 4.0 + metrics.ascent(), text, GRAPHICS)
    return [(left + _MARGIN, top + 4.0, metrics.horizontalAdvance(text), metrics.height())]


def _draw_notice(painter: QPainter, scene: Scene, look: Look) -> None:
    text = scene.notice()
    if text:
        painter.setFont(look.font)
        left, top, width, height = scene.transform.area
        inner = QRectF(left + width * 0.1, top + height * 0.1, width * 0.8, height * 0.8)
        draw_paragraph(painter, inner, text, QUIET if scene.state is SliceState.READY else WARNING)
