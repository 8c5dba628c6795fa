"""Paints the strip without its handle: header, lanes, bars, marks and ruler, into a pixmap that scrolling reuses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QPainter, QPixmap

from ctviewer.core.findings import SliceScore
from ctviewer.ui import palette, theme
from ctviewer.ui.strip.rows import RowMap
from ctviewer.ui.strip.scale import area_fraction, reference_tick, score_fraction

HEADER, FOOTER = 22, 18
_RANKS, _LOADED, _RULER, _GAP = 16, 3, 30, 3
_RULER_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)
_LABEL_GAP_PX = 48
_LEAST_STRENGTH = 0.25  # a bar of a study that is barely positive is still told from grey
NOTHING_STANDS_OUT = "no slice stands out"
NO_SCORE = "no score per slice"


@dataclass(frozen=True)
class Lanes:
    """Where the lanes are, in logical pixels of the widget."""

    size: QSize

    @property
    def top(self) -> int:
        """First pixel row of the lanes."""
        return HEADER

    @property
    def height(self) -> int:
        """Pixel rows of the lanes, at least 1."""
        return max(1, self.size.height() - HEADER - FOOTER)

    @property
    def ranks(self) -> QRect:
        """Gutter of the rank marks."""
        return QRect(0, self.top, _RANKS, self.height)

    @property
    def score(self) -> QRect:
        """The main lane; two thirds of what the fixed parts leave."""
        free = max(12, self.size.width() - _RANKS - _LOADED - _RULER - 3 * _GAP)
        return QRect(_RANKS, self.top, free * 2 // 3, self.height)

    @property
    def area(self) -> QRect:
        """The lesion area lane."""
        score = self.score
        left = score.right() + 1 + _GAP
        return QRect(left, self.top, max(4, self.loaded.left() - _GAP - left), self.height)

    @property
    def loaded(self) -> QRect:
        """The lane that shows which slices are loaded."""
        return QRect(self.ruler.left() - _GAP - _LOADED, self.top, _LOADED, self.height)

    @property
    def ruler(self) -> QRect:
        """Gutter of the slice numbers."""
        return QRect(self.size.width() - _RULER, self.top, _RULER, self.height)

    @property
    def all(self) -> QRect:
        """Everything between header and footer."""
        return QRect(0, self.top, self.size.width(), self.height)


@dataclass(eq=False)
class StripData:
    """What the strip shows; arrays are by display position.

    Attributes:
        count: number of slices.
        score: what `lengths` are.
        lengths: `[count]`, times uniform for attention; NaN where not looked at; None without an analysis.
        strength: probability of a finding, 0..1.
        stands_out: whether any slice stands out.
        area: `[count]` lesion area, NaN where not looked at; None without a detector.
        area_unit: "mm2" or "px".
        loaded: `[count]` bool, None where all are.
        top: display positions by rank.
        bars: whether bars and marks are shown.
    """

    count: int = 0
    score: SliceScore = SliceScore.NONE
    lengths: NDArray[np.float64] | None = None
    strength: float = 0.0
    stands_out: bool = True
    area: NDArray[np.float64] | None = None
    area_unit: str = "mm2"
    loaded: NDArray[np.bool_] | None = None
    top: tuple[int, ...] = ()
    bars: bool = True

    @property
    def note(self) -> str:
        """The line under the lanes, empty where the bars speak for themselves."""
        if not self.bars or self.lengths is None:
            return ""
        if self.score is SliceScore.NONE:
            return NO_SCORE
        return "" if self.stands_out else NOTHING_STANDS_OUT

    @property
    def title(self) -> str:
        """Header of the main lane: what the score is, and never another name for it."""
        names = {
            SliceScore.ATTENTION: "Attention",
            SliceScore.PROBABILITY: "Probability",
            SliceScore.LESION_AREA: "Lesion area",
        }
        return names.get(self.score, "")


def score_colour(data: StripData) -> QColor:
    """Colour of the main lane's bars: grey to amber by the probability of a finding; grey when nothing stands out."""
    grey = QColor(theme.colours().faint)
    if not data.stands_out:
        return grey
    if data.score is SliceScore.LESION_AREA:
        return palette.area_colour()
    return palette.blend(grey, palette.attention_colour(), max(_LEAST_STRENGTH, data.strength))


def paint_strip(size: QSize, ratio: float, data: StripData, font: QFont) -> QPixmap:
    """The whole strip but its handle, as a pixmap for `size` logical pixels at `ratio` device pixels each."""
    pixmap = QPixmap(round(size.width() * ratio), round(size.height() * ratio))
    pixmap.fill(QColor(theme.colours().window))
    lanes = Lanes(size)
    painter = QPainter(pixmap)
    if data.count:
        _paint_lanes(painter, lanes, ratio, data)
    painter.scale(ratio, ratio)
    painter.setFont(font)
    painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
    _paint_texts(painter, lanes, data)
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def _device(rect: QRect, ratio: float) -> QRect:
    """A rectangle in device pixels."""
    left, top = round(rect.left() * ratio), round(rect.top() * ratio)
    right, bottom = round((rect.right() + 1) * ratio), round((rect.bottom() + 1) * ratio)
    return QRect(left, top, max(1, right - left), max(1, bottom - top))


def _paint_lanes(painter: QPainter, lanes: Lanes, ratio: float, data: StripData) -> None:
    c = theme.colours()
    score, area = _device(lanes.score, ratio), _device(lanes.area, ratio)
    for lane in (score, area):
        painter.fillRect(lane, QColor(c.panel))
    if data.bars and data.lengths is not None:
        _paint_bars(painter, score, data.lengths, score_fraction(data.lengths, data.score), score_colour(data))
        tick = reference_tick(data.score)
        if tick is not None:
            painter.fillRect(
                score.left() + round(tick * score.width()), score.top(), 1, score.height(), QColor(c.border)
            )
    if data.bars and data.area is not None:
        _paint_bars(painter, area, data.area, area_fraction(data.area), palette.area_colour())
    if data.loaded is not None and not data.loaded.all():
        _paint_loaded(painter, _device(lanes.loaded, ratio), data.loaded)


def _paint_bars(
    painter: QPainter, lane: QRect, values: NDArray[np.float64], fractions: NDArray[np.float64], colour: QColor
) -> None:
    """Bars from the left edge; rows that nobody looked at are hatched."""
    hatch = QBrush(QColor(theme.colours().border), Qt.BrushStyle.BDiagPattern)
    for rows, fraction in RowMap(len(values), lane.height()).maxima(fractions):
        gap = 1 if len(rows) >= 3 else 0
        top, height = lane.top() + rows.start, max(1, len(rows) - gap)
        if np.isnan(fraction):
            painter.fillRect(lane.left(), top, lane.width(), len(rows), hatch)
        elif fraction > 0:
            painter.fillRect(lane.left(), top, max(1, round(fraction * lane.width())), height, colour)


def _paint_loaded(painter: QPainter, lane: QRect, loaded: NDArray[np.bool_]) -> None:
    """A thin lane that fills while slices arrive and goes when all are there."""
    painter.fillRect(lane, QColor(theme.colours().panel))
    colour = QColor(theme.colours().muted)
    for rows, value in RowMap(len(loaded), lane.height()).maxima(loaded.astype(np.float64)):
        if value > 0:
            painter.fillRect(lane.left(), lane.top() + rows.start, lane.width(), len(rows), colour)


def _paint_texts(painter: QPainter, lanes: Lanes, data: StripData) -> None:
    c = theme.colours()
    painter.setPen(QColor(c.muted))
    middle = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
    right = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)
    if data.bars and data.lengths is not None:
        room = lanes.area.left() if data.area is not None else lanes.size.width()
        painter.drawText(QRect(4, 0, room - 4, HEADER), middle, data.title)
    if data.bars and data.area is not None:
        painter.drawText(
            QRect(lanes.area.left() + 3, 0, lanes.size.width() - lanes.area.left() - 4, HEADER), middle, "Area"
        )
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
        painter.drawText(QRectF(lanes.ruler.left(), y - 8, _RULER - 4, 16), flags, str(position + 1))


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
        painter.drawText(QRectF(0, at - 7, _RANKS - 6, 14), int(Qt.AlignmentFlag.AlignCenter), str(rank))
        painter.fillRect(QRectF(_RANKS - 5, y - 0.5, 4, 1), painter.pen().color())
