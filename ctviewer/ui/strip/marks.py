"""What is written on the strip: titles, slice numbers, ranks, and the handle."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPolygonF

from ctviewer.ui import palette, theme
from ctviewer.ui.strip.data import LETTERS, StripData
from ctviewer.ui.strip.lanes import FOOTER, HEADER, RANKS, RULER, Lanes
from ctviewer.ui.strip.rows import RowMap

_RULER_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)
_LABEL_GAP_PX = 48


def paint_texts(painter: QPainter, lanes: Lanes, data: StripData) -> None:
    """Titles above the lanes, the note below them, slice numbers and ranks beside them."""
    c = theme.colours()
    painter.setPen(QColor(c.muted))
    middle = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
    right = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)
    if data.bars and data.lengths is not None:
        room = lanes.area.left() if data.area is not None else lanes.size.width()
        painter.drawText(QRect(4, 0, room - 4, HEADER), middle, data.title)
    if data.bars and data.area is not None:
        right_of_it = lanes.classes.left() if lanes.columns else lanes.size.width()
        left = lanes.area.left() + (1 if lanes.columns else 3)
        painter.drawText(QRect(left, 0, right_of_it - left, HEADER), middle, "Area")
    if data.bars:
        for number, letter in zip(range(lanes.columns), LETTERS, strict=False):
            column = lanes.column(number)
            painter.drawText(QRect(column.left(), 0, column.width(), HEADER), int(Qt.AlignmentFlag.AlignCenter), letter)
    painter.drawText(
        QRect(4, lanes.size.height() - FOOTER, lanes.size.width() - 8, FOOTER),
        int(Qt.AlignmentFlag.AlignCenter),
        data.note,
    )
    if data.count:
        _paint_ruler(painter, lanes, data.count, right)
    if data.bars and data.lengths is not None and data.stands_out:
        _paint_ranks(painter, lanes, data)


def ruler_labels(count: int, height: int) -> list[int]:
    """Display positions the ruler names: the first, the last, and round numbers far enough apart for their text."""
    step = next((s for s in _RULER_STEPS if s * height / count >= _LABEL_GAP_PX), count)
    away = max(1.0, step / 2)
    inner = [p for p in range(step - 1, count, step) if away <= p <= count - 1 - away]
    return [0, *inner, count - 1] if count > 1 else [0]


def _paint_ruler(painter: QPainter, lanes: Lanes, count: int, flags: int) -> None:
    painter.setPen(QColor(theme.colours().faint))
    rows = RowMap(count, lanes.height)
    for position in ruler_labels(count, lanes.height):
        y = lanes.top + rows.centre(position)
        y = min(max(y, lanes.top + 6), lanes.top + lanes.height - 6)
        painter.drawText(QRectF(lanes.ruler.left(), y - 8, RULER - 4, 16), flags, str(position + 1))


def spread(centres: list[float], gap: float, low: float, high: float) -> list[float]:
    """Move label centres apart to at least `gap`, keeping their order, each crowd around its own middle.

    Args:
        centres: where the labels belong.
        gap: least distance of two labels.
        low: least centre.
        high: greatest centre; far enough from `low` for all labels.

    Returns:
        New centres, in the order of `centres`.
    """
    order = sorted(range(len(centres)), key=lambda k: centres[k])
    crowds: list[list[int]] = []
    middles: list[float] = []
    for k in order:
        crowd = [k]
        middle = centres[k]
        while crowds and middle - middles[-1] < gap * (len(crowd) + len(crowds[-1])) / 2:
            crowd = crowds.pop() + crowd
            middles.pop()
            middle = sum(centres[j] for j in crowd) / len(crowd)
        crowds.append(crowd)
        half = gap * (len(crowd) - 1) / 2
        middles.append(min(max(middle, low + half), high - half))
    placed = list(centres)
    for crowd, middle in zip(crowds, middles, strict=True):
        for number, k in enumerate(crowd):
            placed[k] = middle + gap * (number - (len(crowd) - 1) / 2)
    return placed


def _paint_ranks(painter: QPainter, lanes: Lanes, data: StripData) -> None:
    rows = RowMap(data.count, lanes.height)
    bold = QFont(painter.font())
    bold.setWeight(QFont.Weight.DemiBold)
    painter.setFont(bold)
    painter.setPen(palette.attention_colour())
    centres = [lanes.top + rows.centre(p) for p in data.top]
    labels = spread(centres, 12, lanes.top + 6, lanes.top + lanes.height - 6)
    for rank, (y, at) in enumerate(zip(centres, labels, strict=True), start=1):
        painter.drawText(QRectF(0, at - 7, RANKS - 6, 14), int(Qt.AlignmentFlag.AlignCenter), str(rank))
        painter.fillRect(QRectF(RANKS - 5, y - 0.5, 4, 1), painter.pen().color())


def paint_handle(painter: QPainter, lanes: Lanes, y: int, number: str) -> None:
    """A line over all lanes, a pointer on the left, the slice's number on the right.

    Args:
        painter: of the widget, in logical pixels.
        lanes: where the lanes are.
        y: middle of the slice's rows.
        number: what stands on the tag.
    """
    c = theme.colours()
    line = QColor(c.text)
    painter.fillRect(QRect(lanes.score.left() - 2, y - 1, lanes.ruler.left() - lanes.score.left() + 2, 2), line)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(line)
    tip = lanes.score.left() - 1
    painter.drawPolygon(QPolygonF([QPointF(tip - 6, y - 5), QPointF(tip, y), QPointF(tip - 6, y + 5)]))
    tag = QRect(lanes.ruler.left(), y - 8, lanes.ruler.width() - 2, 16)
    painter.drawRoundedRect(tag, theme.RADIUS, theme.RADIUS)
    painter.setPen(QColor(c.window))
    painter.drawText(tag, int(Qt.AlignmentFlag.AlignCenter), number)
