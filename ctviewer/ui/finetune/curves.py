"""Line charts of a run that goes on: themed, sized by what they hold, and told in words to who cannot see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from ctviewer.ui import theme

_STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
_SYMBOLS = ("o", "s", "t", "d")
_VEIL = 170  # of the legend's ground: a line behind it is seen and crosses no name out
_IN_A_COLUMN = 2  # names of lines


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        name: in the legend; "" for none.
        x, y: `[points]`; NaN leaves a gap.
        faint: whether it stands behind the others.
        points: whether each value is marked.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    faint: bool = False
    points: bool = False


class CurvePlot(QWidget):
    """A chart that only shows: no menus, nothing to drag.

    Args:
        title: above it.
        across: what runs along the bottom ("step").
        value_range: of the values, where it is known.
        whole: whether what runs along the bottom comes in few whole numbers.
    """

    def __init__(
        self,
        title: str,
        across: str,
        value_range: tuple[float, float] | None = None,
        *,
        whole: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._title, self._across, self._whole = title, across, whole
        self._lines: tuple[Line, ...] = ()
        self._mark: float | None = None
        self.setAccessibleName(title)
        self.setMinimumSize(180, 110)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._plot = pg.PlotWidget()
        self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._plot.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._plot.hideButtons()
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(x=False, y=False)
        low = value_range is not None  # figures that rise leave room at the foot
        self._legend = self._plot.addLegend(offset=(-8, -8 if low else 4), labelTextSize=f"{theme.SMALL_PX}px")
        self._best = pg.InfiniteLine(angle=90, movable=False)
        if value_range is not None:
            self._plot.setYRange(*value_range, padding=0.06)  # so that the ends have room for their numbers
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self._plot)
        self._dress()

    def sizeHint(self) -> QSize:
        """As wide as three of them on a usual screen."""
        return QSize(300, 180)

    def set_lines(self, lines: Sequence[Line], mark: float | None = None) -> None:
        """Show these instead of what was there; lines without a value are left out.

        Args:
            lines: drawn in order.
            mark: a place along the bottom to be marked (the best epoch).
        """
        self._lines, self._mark = tuple(line for line in lines if np.isfinite(line.y).any()), mark
        self._draw()
        self.setAccessibleDescription(self._words())

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is shown."""
        return self._lines

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        if event.type() == QEvent.Type.PaletteChange:
            self._dress()
        super().changeEvent(event)

    def _dress(self) -> None:
        c, plot = theme.colours(), self._plot
        plot.setBackground(c.panel)
        plot.setTitle(self._title, color=c.muted, size=f"{theme.SMALL_PX}px")
        plot.setLabel("bottom", self._across, color=c.muted, **{"font-size": f"{theme.SMALL_PX}px"})
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            axis.setPen(c.border)
            axis.setTextPen(c.muted)
            axis.enableAutoSIPrefix(False)
        plot.showGrid(x=False, y=True, alpha=0.15)
        self._legend.setLabelTextColor(c.text)
        ground = QColor(c.panel)
        ground.setAlpha(_VEIL)
        self._legend.setBrush(ground)
        self._best.setPen(pg.mkPen(c.faint, style=Qt.PenStyle.DotLine))
        self._draw()

    def _draw(self) -> None:
        self._plot.clear()
        self._legend.setColumnCount(1 if sum(bool(line.name) for line in self._lines) <= _IN_A_COLUMN else 2)
        strong = 0
        for line in self._lines:
            self._draw_line(line, 0 if line.faint else strong)
            strong += not line.faint
        if self._whole:
            last = max((float(line.x[-1]) for line in self._lines if line.x.size), default=1.0)
            self._plot.getAxis("bottom").setTicks([whole_ticks(last)])
        if self._mark is not None:
            self._best.setValue(self._mark)
            self._plot.addItem(self._best, ignoreBounds=True)

    def _draw_line(self, line: Line, number: int) -> None:
        colour = self._colour(number, line.faint)
        style = Qt.PenStyle.SolidLine if line.faint else _STYLES[number % len(_STYLES)]
        self._plot.plot(
            line.x,
            line.y,
            pen=pg.mkPen(colour, width=1 if line.faint else 2, style=style),
            name=line.name or None,
            connect="finite",
            symbol=_SYMBOLS[number % len(_SYMBOLS)] if line.points else None,
            symbolSize=5,
            symbolPen=None,
            symbolBrush=colour,
        )

    @staticmethod
    def _colour(number: int, faint: bool) -> QColor:
        """Blue, the text's colour, grey: the accent is attention's and red is danger's."""
        c = theme.colours()
        colour = QColor((c.area, c.text, c.muted, c.focus)[number % 4])
        if faint:
            colour.setAlpha(80)
        return colour

    def _words(self) -> str:
        told = []
        for line in self._lines:
            known = np.flatnonzero(np.isfinite(line.y))
            if known.size and not line.faint:
                told.append(f"{line.name} {line.y[known[-1]]:.3g} at {self._across} {line.x[known[-1]]:g}")
        return "; ".join(told) if told else "Nothing yet."


def whole_ticks(last: float) -> list[tuple[float, str]]:
    """At most ten whole numbers from 1 on, at steps that are easy to read."""
    step = next(s * 10**power for power in range(12) for s in (1, 2, 5) if last <= 10 * s * 10**power)
    return [(float(n), str(n)) for n in (range(1, int(last) + 1) if step == 1 else range(step, int(last) + 1, step))]
