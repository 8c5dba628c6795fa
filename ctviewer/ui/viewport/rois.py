"""Regions of interest by attention: what drove a slice's class, drawn as boxes and told in numbers under the cursor.

A region pushes the class up (class-positive module) or down (class-negative module). The two are told apart by line, sign
and colour: solid, "+" and amber against dashed, "−" and pale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontInfo, QFontMetricsF, QPainter, QPen

from ctviewer.core.findings import Roi, probability_text
from ctviewer.ui.viewport.layout import Box, Placer
from ctviewer.ui.viewport.lettering import HALO, TEXT, draw_text
from ctviewer.ui.viewport.transform import ViewTransform

POSITIVE, NEGATIVE = QColor(230, 159, 0), QColor(205, 215, 225)
_FAINT = QColor(150, 150, 150, 110)
_CASING = QColor(0, 0, 0, 150)
_DASHES = [4.0, 3.0]  # in pen widths
_LEAST_LINE, _MOST_LINE = 1.0, 3.5  # logical pixels, from no attention to all of it
_APART = 4.0  # logical pixels from one box to the other of a region that has both
_INSIDE = 4.0  # logical pixels from a box to a number in its corner
_TAG_SIZE = 0.85  # of the font of other text
_REACH = 3.0  # logical pixels


@dataclass(frozen=True)
class _Frame:
    """One box to draw: a module's attention to a region."""

    box: QRectF
    attention: float
    positive: bool

    @property
    def tag(self) -> str:
        return f"{'+' if self.positive else '−'}{probability_text(self.attention)}"


def outline(roi: Roi, transform: ViewTransform) -> QRectF:
    """A region's box in view coordinates, flips minded."""
    x1, y1, x2, y2 = roi.box
    (ax, ay), (bx, by) = transform.to_view(x1, y1), transform.to_view(x2, y2)
    return QRectF(min(ax, bx), min(ay, by), abs(bx - ax), abs(by - ay))


def roi_at(rois: Sequence[Roi], transform: ViewTransform, vx: float, vy: float) -> Roi | None:
    """The smallest region under a view point: regions lie over each other."""
    reach = (-_REACH, -_REACH, _REACH, _REACH)
    hits = [roi for roi in rois if outline(roi, transform).adjusted(*reach).contains(vx, vy)]
    return min(hits, key=lambda r: (r.box[2] - r.box[0]) * (r.box[3] - r.box[1]), default=None)


def describe(roi: Roi, count: int) -> tuple[str, ...]:
    """A region in numbers, a line each.

    Args:
        roi: the region.
        count: regions on its slice: attention of 1 / count is uniform.
    """
    return (
        f"region: {roi.label} {probability_text(roi.score)}",
        f"+ class-positive attention {_attention(roi.positive, count)}",
        f"− class-negative attention {_attention(roi.negative, count)}",
    )


def _attention(value: float, count: int) -> str:
    return f"{probability_text(value)} ({value * count:.1f} × uniform)"


def draw_rois(
    painter: QPainter, rois: Sequence[Roi], transform: ViewTransform, taken: Sequence[Box], hovered: Roi | None
) -> list[Box]:
    """Draw all regions of a slice, the strongest last, with their attention where it is above uniform; tells where text is.

    Args:
        painter: in logical view pixels.
        rois: of the slice.
        transform: where the image lies.
        taken: boxes of other text.
        hovered: the region under the cursor, told in full.
    """
    frames = _frames(rois, transform)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    for roi in rois:
        _stroke(painter, outline(roi, transform), QPen(_FAINT, 1.0))
    for frame in frames:
        _draw_frame(painter, frame)
    if hovered is not None:
        _stroke(painter, outline(hovered, transform), QPen(TEXT, 1.0, Qt.PenStyle.DotLine))
    font = QFont(painter.font())
    font.setPointSizeF(QFontInfo(font).pointSizeF() * _TAG_SIZE)
    painter.setFont(font)
    placer = Placer(transform.area, list(taken))
    boxes = _draw_card(painter, hovered, len(rois), transform, placer) if hovered is not None else []
    boxes += _draw_tags(painter, frames, placer)
    painter.restore()
    return boxes


def _frames(rois: Sequence[Roi], transform: ViewTransform) -> list[_Frame]:
    """What is above uniform, the weakest first; where a region has both, the negative one lies inside the other."""
    frames = []
    for roi in rois:
        box, uniform = outline(roi, transform), 1.0 / len(rois)
        if roi.positive >= uniform:
            frames.append(_Frame(box, roi.positive, positive=True))
            box = box.adjusted(_APART, _APART, -_APART, -_APART)
        if roi.negative >= uniform and box.isValid():
            frames.append(_Frame(box, roi.negative, positive=False))
    return sorted(frames, key=lambda frame: frame.attention)


def _draw_frame(painter: QPainter, frame: _Frame) -> None:
    width = _LEAST_LINE + (_MOST_LINE - _LEAST_LINE) * min(1.0, frame.attention)
    _stroke(painter, frame.box, QPen(_CASING, width + 2.0))
    pen = QPen(POSITIVE if frame.positive else NEGATIVE, width)
    if not frame.positive:
        pen.setDashPattern(_DASHES)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    _stroke(painter, frame.box, pen)


def _stroke(painter: QPainter, box: QRectF, pen: QPen) -> None:
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(box)


def _draw_tags(painter: QPainter, frames: Sequence[_Frame], placer: Placer) -> list[Box]:
    """The attention of each box, the strongest first: in its own corner, so that it is no neighbour's, else beside it."""
    metrics, boxes = QFontMetricsF(painter.font()), []
    for frame in reversed(frames):
        b = frame.box
        size = (metrics.horizontalAdvance(frame.tag) + 2.0, metrics.height())
        place = _corner(frame, size, placer) or placer.place((b.left(), b.top(), b.width(), b.height()), size, gap=3.0)
        if place is not None:
            boxes.append(place)
            colour = POSITIVE.lighter(120) if frame.positive else NEGATIVE
            draw_text(painter, place[0], place[1] + metrics.ascent(), frame.tag, colour)
    return boxes


def _corner(frame: _Frame, size: tuple[float, float], placer: Placer) -> Box | None:
    """A place inside the box: upper left for what is positive, lower right for what is negative; None without room."""
    (w, h), b = size, frame.box
    if b.width() < w + 2 * _INSIDE or b.height() < h + 2 * _INSIDE:
        return None
    x, y = b.left() + _INSIDE, b.top() + _INSIDE
    if not frame.positive:
        x, y = b.right() - _INSIDE - w, b.bottom() - _INSIDE - h
    return placer.take((x, y, w, h))


def _draw_card(painter: QPainter, roi: Roi, count: int, transform: ViewTransform, placer: Placer) -> list[Box]:
    """The numbers of the region under the cursor, on a dark ground beside it."""
    metrics, lines, box = QFontMetricsF(painter.font()), describe(roi, count), outline(roi, transform)
    size = (max(metrics.horizontalAdvance(line) for line in lines) + 8.0, len(lines) * metrics.height() + 4.0)
    around = (box.left(), box.top(), box.width(), box.height())
    left, top, width, height = transform.area
    place = placer.place(around, size, gap=6.0) or Placer((left, top, width, height)).place(
        (left, top + height, 0.0, 0.0), size, gap=6.0
    )
    if place is None:
        return []
    painter.fillRect(QRectF(*place), HALO)
    for number, line in enumerate(lines):
        draw_text(painter, place[0] + 4.0, place[1] + 2.0 + metrics.ascent() + number * metrics.height(), line)
    return [place]
