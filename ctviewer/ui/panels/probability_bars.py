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
_CAP_PX = 3  # half the height of a whisker's ends


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
        changed = len(rows) != len(self._rows)
        self._rows, self._negative = tuple(rows), negative_class
        self._intervals = tuple(intervals) or (None,) * len(rows)
        both = tuple(zip(self._rows, self._intervals, strict=True))
        self.setAccessibleName(", ".join(f"{name} {_shown(p, interval)}" for (name, p), interval in both))
        told = [f"{name}: {DASH if math.isnan(p) else f'{p:.3f}'}{_tail(interval)}" for (name, p), interval in both]
        self.setToolTip(plain_tip("\n".join(told)))
        if changed:
            self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """One row per class."""
        return QSize(180, _ROW_PX * len(self._rows))

    def minimumSizeHint(self) -> QSize:
        """Narrow, but all rows."""
        return QSize(120, _ROW_PX * len(self._rows))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Name, bar, number."""
        painter = QPainter(self)
        widest = "0.00 (0.00 to 0.00)" if any(self._intervals) else "0.000"
        room = painter.fontMetrics().horizontalAdvance(widest)
        name_width = min(self.width() * 2 // 5, 120, max(48, self.width() - room - 60))
        for row, ((name, p), interval) in enumerate(zip(self._rows, self._intervals, strict=True)):
            line = QRect(0, row * _ROW_PX, self.width(), _ROW_PX)
            self._paint_row(painter, line, name_width, name, p, interval, room)
        painter.end()

    def _paint_row(
        self, painter: QPainter, line: QRect, name_width: int, name: str, p: float, interval: Interval | None, room: int
    ) -> None:
        c, middle, end = theme.colours(), Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        left, right = name_width + 6, line.width() - room - 6
        painter.setPen(QColor(c.text))
        elided = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, name_width)
        painter.drawText(QRect(0, line.top(), name_width, _ROW_PX), int(middle), elided)
        painter.fillRect(left, line.top() + 7, right - left, 6, QColor(c.window))
        colour = QColor(c.muted) if name == self._negative else self._colour()
        share = 0.0 if math.isnan(p) else p
        painter.fillRect(left, line.top() + 7, round((right - left) * share), 6, colour)
        if interval is not None:
            low, high = (left + round((right - left) * value) for value in interval)
            at = line.top() + _ROW_PX // 2
            painter.drawLine(low, at, high, at)
            for x in (low, high):
                painter.drawLine(x, at - _CAP_PX, x, at + _CAP_PX)
        number = QRect(right, line.top(), line.width() - right, _ROW_PX)
        painter.drawText(number, int(middle | end), _shown(p, interval))


def _shown(p: float, interval: Interval | None) -> str:
    return DASH if math.isnan(p) else f"{probability_text(p)}{_tail(interval)}"


def _tail(interval: Interval | None) -> str:
    return "" if interval is None else f" ({interval_text(interval)})"
