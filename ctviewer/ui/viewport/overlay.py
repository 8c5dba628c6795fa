"""Lesions on the image: contours along pixel borders, a translucent fill, and short labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontInfo, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF, QTransform

from ctviewer.core.findings import Verdict
from ctviewer.core.masks import BoxMask
from ctviewer.ui.viewport.contour import trace
from ctviewer.ui.viewport.layout import Box, Placer
from ctviewer.ui.viewport.lettering import HALO, draw_text
from ctviewer.ui.viewport.transform import ViewTransform

_REJECTED = QColor(185, 185, 185)
_FAINT_RIM = QColor(0, 0, 0, 110)
_LINE, _SELECTED_LINE, _CASING = 1.5, 2.5, 1.5  # logical pixels; the casing is the dark rim on either side
_DASHES = [3.0, 2.0]  # in pen widths
_LABEL_SIZE = 0.85  # of the font of other text
_SELECTED_FILL = 1.6  # times the others' opacity


@dataclass(frozen=True)
class OverlayShape:
    """One outline on one slice.

    Attributes:
        label: the class, as shown.
        lesion_id: the lesion it belongs to.
        mask: its pixels.
        colour: of its class.
        state: what the reader said of the lesion.
    """

    label: str
    lesion_id: int
    mask: BoxMask
    colour: QColor
    state: Verdict = Verdict.PENDING


@lru_cache(maxsize=4096)
def outline(mask: BoxMask) -> QPainterPath:
    """The mask's border in image coordinates, filled by the even-odd rule; traced once per mask."""
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.OddEvenFill)
    for loop in trace(mask.array(), mask.top, mask.left):
        path.addPolygon(QPolygonF([QPointF(x, y) for x, y in loop.tolist()]))
        path.closeSubpath()
    return path


def view_box(shape: OverlayShape, transform: ViewTransform) -> Box:
    """The shape's bounding box in view coordinates."""
    m = shape.mask
    (x0, y0), (x1, y1) = transform.to_view(m.left, m.top), transform.to_view(m.left + m.width, m.top + m.height)
    return (min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0))


def shape_at(shapes: Sequence[OverlayShape], transform: ViewTransform, vx: float, vy: float) -> OverlayShape | None:
    """The smallest shape under a view point, with some pixels of tolerance for tiny ones."""
    pixel = transform.pixel_at(vx, vy)
    if pixel is None:
        return None
    row, column = pixel
    hits = [s for s in shapes if _covers(s.mask, row, column)]
    if not hits:
        reach = 3.0
        x, y = transform.to_image(vx, vy)
        dx, dy = (abs(reach / step) for step in transform.step)
        near = QRectF(x - dx, y - dy, 2 * dx, 2 * dy)
        hits = [s for s in shapes if outline(s.mask).intersects(near)]
    return min(hits, key=lambda s: s.mask.height * s.mask.width, default=None)


def _covers(mask: BoxMask, row: int, column: int) -> bool:
    y, x = row - mask.top, column - mask.left
    return 0 <= y < mask.height and 0 <= x < mask.width and bool(mask.array()[y, x])


def draw_shapes(
    painter: QPainter, shapes: Sequence[OverlayShape], transform: ViewTransform, opacity: float, selected: int | None
) -> None:
    """Fill and outline all shapes, the selected lesion last and strongest, rejected ones dashed and unfilled."""
    (sx, sy), (ox, oy) = transform.step, transform.origin
    to_view = QTransform(sx, 0, 0, sy, ox, oy)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for shape in sorted(shapes, key=lambda s: (s.lesion_id == selected, s.state is not Verdict.REJECTED)):
        _draw_shape(painter, shape, to_view.map(outline(shape.mask)), opacity, shape.lesion_id == selected)
    painter.restore()


def _draw_shape(painter: QPainter, shape: OverlayShape, path: QPainterPath, opacity: float, selected: bool) -> None:
    rejected = shape.state is Verdict.REJECTED
    line = _SELECTED_LINE if selected else _LINE
    if not rejected and opacity > 0:
        fill = QColor(shape.colour)
        fill.setAlphaF(min(1.0, opacity * (_SELECTED_FILL if selected else 1.0)))
        painter.fillPath(path, fill)
    if selected:
        painter.strokePath(path, _pen(HALO, line + 2 * _CASING))
    elif rejected:  # a faint rim: grey dashes alone vanish in grey tissue
        painter.strokePath(path, _pen(_FAINT_RIM, line + 1.0))
    pen = _pen(_REJECTED if rejected else shape.colour, line)
    if rejected:
        pen.setDashPattern(_DASHES)
    painter.strokePath(path, pen)


def _pen(colour: QColor, width: float) -> QPen:
    pen = QPen(colour, width)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    return pen


def draw_labels(
    painter: QPainter,
    shapes: Sequence[OverlayShape],
    transform: ViewTransform,
    taken: Sequence[Box],
    selected: int | None,
) -> list[Box]:
    """Name each lesion beside its largest shape where there is room, the selected one first; tells where.

    `taken` are the boxes of other text, where no label may be.
    """
    font = QFont(painter.font())
    font.setPointSizeF(QFontInfo(font).pointSizeF() * _LABEL_SIZE)
    painter.setFont(font)
    metrics = QFontMetricsF(font)
    placer = Placer(transform.area, list(taken))
    largest: dict[int, OverlayShape] = {}
    for shape in sorted(shapes, key=lambda s: s.mask.height * s.mask.width):
        largest[shape.lesion_id] = shape
    order = sorted(largest.values(), key=lambda s: (s.lesion_id != selected, -s.mask.height * s.mask.width))
    shapes_at = [view_box(shape, transform) for shape in shapes]
    placed = []
    for shape in order:
        mark = metrics.ascent() if shape.state is not Verdict.PENDING else 0.0
        size = (metrics.horizontalAdvance(shape.label) + mark + 2.0, metrics.height())
        box = placer.place(view_box(shape, transform), size, gap=2.0, avoid=shapes_at)
        if box is not None:
            placed.append(box)
            colour = _REJECTED if shape.state is Verdict.REJECTED else shape.colour.lighter(130)
            draw_text(painter, box[0], box[1] + metrics.ascent(), shape.label, colour)
            _draw_verdict(painter, shape.state, QRectF(box[0] + box[2] - mark, box[1], mark, box[3]), colour)
    return placed


def _draw_verdict(painter: QPainter, state: Verdict, box: QRectF, colour: QColor) -> None:
    """A check mark or a cross, as lines: no font needs to have the glyph."""
    strokes = {
        Verdict.ACCEPTED: [[(0.25, 0.55), (0.45, 0.75), (0.85, 0.25)]],
        Verdict.REJECTED: [[(0.3, 0.3), (0.8, 0.75)], [(0.3, 0.75), (0.8, 0.3)]],
    }.get(state, [])
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for pen in (QPen(HALO, 3.5), QPen(colour, 1.8)):
        painter.setPen(pen)
        for stroke in strokes:
            points = [QPointF(box.left() + x * box.width(), box.top() + y * box.height()) for x, y in stroke]
            painter.drawPolyline(QPolygonF(points))
    painter.restore()


def same_shapes(a: Sequence[OverlayShape], b: Sequence[OverlayShape]) -> bool:
    """Whether two slices' overlays look the same, so that nothing needs painting."""
    return a is b or (len(a) == len(b) and bool(np.all([x == y for x, y in zip(a, b, strict=True)])))
