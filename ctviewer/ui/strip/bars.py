"""Paints the strip without its handle: header, lanes, bars, marks and ruler, into a pixmap that scrolling reuses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QPainter, QPixmap

from ctviewer.core.findings import SliceScore
from ctviewer.core.scales import area_fraction
from ctviewer.ui import palette, theme
from ctviewer.ui.strip.data import StripData
from ctviewer.ui.strip.lanes import Lanes
from ctviewer.ui.strip.marks import paint_texts
from ctviewer.ui.strip.rows import RowMap
from ctviewer.ui.strip.scale import PROBABILITY_TICK, probability_fraction, reference_tick, score_fraction

_LEAST_STRENGTH = 0.25  # a bar of a study that is barely positive is still told from grey


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
    lanes = Lanes(size, len(data.columns))
    painter = QPainter(pixmap)
    if data.count:
        _paint_lanes(painter, lanes, ratio, data)
    painter.scale(ratio, ratio)
    painter.setFont(font)
    painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
    paint_texts(painter, lanes, data)
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
    _paint_classes(painter, lanes, ratio, data)
    if data.loaded is not None and not data.loaded.all():
        _paint_loaded(painter, _device(lanes.loaded, ratio), data.loaded)
    elif data.reviewed is not None:
        _paint_reviewed(painter, _device(lanes.loaded, ratio), data.reviewed)


def _paint_classes(painter: QPainter, lanes: Lanes, ratio: float, data: StripData) -> None:
    """A column per class that means a finding: told by its place, so that no colour has to be told from another."""
    c = theme.colours()
    for number, k in enumerate(data.columns):
        column = _device(lanes.column(number), ratio)
        painter.fillRect(column, QColor(c.panel))
        if not data.bars or data.probabilities is None:
            continue
        shares = probability_fraction(data.probabilities[:, k])
        shares = np.where(shares * column.width() < 0.5, 0.0, shares)  # no bar where it is less than half a pixel
        _paint_bars(painter, column, shares, shares, QColor(c.faint))
        likely = np.where(shares >= PROBABILITY_TICK, shares, 0.0)
        _paint_bars(painter, column, likely, likely, QColor(c.text))
        tick = column.left() + round(PROBABILITY_TICK * column.width())
        painter.fillRect(tick, column.top(), 1, column.height(), QColor(c.border))


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


def _paint_reviewed(painter: QPainter, lane: QRect, reviewed: NDArray[np.bool_]) -> None:
    """What the reader reviewed completely, in the lane that loading has left; a row of several where all of them are."""
    colour = QColor(theme.colours().focus)
    for rows, missing in RowMap(len(reviewed), lane.height()).maxima((~reviewed).astype(np.float64)):
        if missing == 0:
            painter.fillRect(lane.left(), lane.top() + rows.start, lane.width(), len(rows), colour)
