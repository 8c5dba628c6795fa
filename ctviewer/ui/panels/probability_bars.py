"""Probabilities of classes as quiet bars with their numbers, and the interval of each where there is one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ctviewer.core.doubt import Interval, interval_text
from ctviewer.core.findings import probability_text
from ctviewer.ui import theme
from ctviewer.ui.panels.common import DASH, plain_tip

_ROW_PX = 20
_TALL_PX = 36  # with intervals: name and numbers above the bar, for beside each other they have no room
_BAR_PX, _LEAST_BAR, _GAP = 6, 60, 6
_CAP_PX = 4  # half the height of a whisker's ends
_MIDDLE, _RIGHT = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight


class ProbabilityBars(QWidget):
    """One bar with its number per class, in the model's order; the scale is always 0 to 1.

    Args:
        colour: of the bars that mean a finding, in the theme of now.
    """

    def __init__(self, colour: Callable[[], QColor], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = colour
        self._rows: tuple[tuple[str, float], ...] = ()
        self._intervals: tuple[Interval | None, ...] = ()
        self._negative = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_rows(
        self,
        rows: Sequence[tuple[str, float]],
        negative_class: str = "",
        intervals: Sequence[Interval | None] = (),
    ) -> None:
        """Show class names and probabilities (NaN: not known); the negative class is grey.

        Args:
            rows: name and probability.
            negative_class: "" for none.
            intervals: of each row, None for none; empty: no row has one.
        """
        height = self._height
        self._rows, self._negative = tuple(rows), negative_class
        self._intervals = tuple(intervals) or (None,) * len(rows)
        both = tuple(zip(self._rows, self._intervals, strict=True))
        self.setAccessibleName(", ".join(f"{name} {_shown(p, interval)}" for (name, p), interval in both))
        told = [f"{name}: {DASH if math.isnan(p) else f'{p:.3f}'}{_tail(interval)}" for (name, p), interval in both]
        self.setToolTip(plain_tip("\n".join(told)))
        if self._height != height:
            self.updateGeometry()
        self.update()

    @property
    def _row_height(self) -> int:
        return _TALL_PX if any(self._intervals) else _ROW_PX

    @property
    def _height(self) -> int:
        return self._row_height * len(self._rows)

    def sizeHint(self) -> QSize:
        """One row per class."""
        return QSize(180, self._height)

    def minimumSizeHint(self) -> QSize:
        """Narrow, but all rows."""
        return QSize(120, self._height)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Name, bar, number; with intervals the bar is below and has a whisker."""
        painter, height = QPainter(self), self._row_height
        for row, ((name, p), interval) in enumerate(zip(self._rows, self._intervals, strict=True)):
            line = QRect(0, row * height, self.width(), _ROW_PX)
            text = _shown(p, interval)
            if height == _TALL_PX:
                number = painter.fontMetrics().horizontalAdvance(text)
                self._write(painter, line, name, self.width() - number - _GAP, text)
                bar = QRect(0, line.bottom() + 2, self.width(), _BAR_PX)
            else:
                room = painter.fontMetrics().horizontalAdvance("0.000") + _GAP
                names = self._name_width(painter, room)
                self._write(painter, line, name, names, text)
                bar = QRect(names + _GAP, line.top() + 7, self.width() - names - _GAP - room, _BAR_PX)
            self._draw_bar(painter, bar, name, p, interval)
        painter.end()

    def _name_width(self, painter: QPainter, room: int) -> int:
        """As wide as the longest name, as far as the bars keep their room."""
        widest = max(painter.fontMetrics().horizontalAdvance(name) for name, _ in self._rows)
        return min(widest, max(self.width() - room - _GAP - _LEAST_BAR, self.width() * 2 // 5))

    def _write(self, painter: QPainter, line: QRect, name: str, width: int, number: str) -> None:
        painter.setPen(QColor(theme.colours().text))
        elided = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, width)
        painter.drawText(QRect(0, line.top(), width, line.height()), int(_MIDDLE), elided)
        painter.drawText(line, int(_RIGHT), number)

    def _draw_bar(self, painter: QPainter, bar: QRect, name: str, p: float, interval: Interval | None) -> None:
        c = theme.colours()
        painter.fillRect(bar, QColor(c.window))
        share = 0.0 if math.isnan(p) else p
        colour = QColor(c.muted) if name == self._negative else self._colour()
        painter.fillRect(bar.left(), bar.top(), round(bar.width() * share), bar.height(), colour)
        if interval is None:
            return
        low, high = (bar.left() + round((bar.width() - 1) * value) for value in interval)
        at = bar.top() + bar.height() // 2
        painter.drawLine(low, at, high, at)
        for x in (low, high):
            painter.drawLine(x, at - _CAP_PX, x, at + _CAP_PX)


def _shown(p: float, interval: Interval | None) -> str:
    return DASH if math.isnan(p) else f"{probability_text(p)}{_tail(interval)}"


def _tail(interval: Interval | None) -> str:
    return "" if interval is None else f" ({interval_text(interval)})"
