"""Probabilities of classes as quiet bars with their numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ctviewer.core.findings import probability_text
from ctviewer.ui import theme
from ctviewer.ui.panels.common import DASH, plain_tip

_ROW_PX = 20


class ProbabilityBars(QWidget):
    """One bar with its number per class, in the model's order; the scale is always 0 to 1.

    Args:
        colour: of the bars that mean a finding, in the theme of now.
    """

    def __init__(self, colour: Callable[[], QColor], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = colour
        self._rows: tuple[tuple[str, float], ...] = ()
        self._negative = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_rows(self, rows: Sequence[tuple[str, float]], negative_class: str = "") -> None:
        """Show class names and probabilities (NaN: not known); the negative class is grey."""
        changed = len(rows) != len(self._rows)
        self._rows, self._negative = tuple(rows), negative_class
        self.setAccessibleName(", ".join(f"{name} {_shown(p)}" for name, p in rows))
        told = [f"{name}: {DASH if math.isnan(p) else f'{p:.3f}'}" for name, p in rows]
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
        c, painter = theme.colours(), QPainter(self)
        metrics = painter.fontMetrics()
        name_width = min(self.width() * 2 // 5, 120)
        left, right = name_width + 6, self.width() - metrics.horizontalAdvance("0.000") - 6
        middle, end = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        for row, (name, p) in enumerate(self._rows):
            top = row * _ROW_PX
            painter.setPen(QColor(c.text))
            elided = metrics.elidedText(name, Qt.TextElideMode.ElideRight, name_width)
            painter.drawText(QRect(0, top, name_width, _ROW_PX), int(middle), elided)
            painter.fillRect(left, top + 7, right - left, 6, QColor(c.window))
            colour = QColor(c.muted) if name == self._negative else self._colour()
            share = 0.0 if math.isnan(p) else p
            painter.fillRect(left, top + 7, round((right - left) * share), 6, colour)
            painter.drawText(QRect(right, top, self.width() - right, _ROW_PX), int(middle | end), _shown(p))
        painter.end()


def _shown(p: float) -> str:
    return DASH if math.isnan(p) else probability_text(p)
