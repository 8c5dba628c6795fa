"""Small plots painted by hand: a value with its interval, how probabilities hold, a confusion matrix.

Shape tells what colour tells: old is a square with a dashed line, new a disc with a drawn one; a value that could be
chance is hollow. Each plot says in words, for screen readers and as a tool tip, what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from ctviewer.ui import theme
from ctviewer.ui.panels.common import plain_tip

_MARK = 4.0  # half the size of a mark, px
_ROW_PX = 20
_PAD = 10.0  # left and right of the scale


@dataclass(frozen=True)
class Scale:
    """What lies between the left and the right end of a plot.

    Attributes:
        low, high: ends.
        reference: where a line is drawn: no difference, a limit.
        ticks: values that are named below.
    """

    low: float
    high: float
    reference: float
    ticks: tuple[float, ...] = ()

    def x(self, value: float, width: float) -> float:
        """Where a value lies, in px; what is outside lies at the end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return _PAD + share * (width - 2 * _PAD)


class IntervalPlot(QWidget):
    """A dot with whiskers on a scale; hollow where it may be chance.

    Args:
        scale: shared by the rows of a table.
        value: NaN draws nothing.
        low, high: 95 % interval; None for none.
        hollow: whether the dot is.
        words: what it shows, for screen readers.
        warns: whether what is not hollow is a warning.
    """

    def __init__(
        self,
        scale: Scale,
        value: float,
        low: float | None,
        high: float | None,
        hollow: bool,
        words: str,
        warns: bool = False,
    ) -> None:
        super().__init__()
        self._warns = warns
        self._scale, self._value, self._low, self._high, self._hollow = scale, value, low, high, hollow
        self.setAccessibleName(words)
        self.setToolTip(plain_tip(words))
        self.setMinimumWidth(110)
        self.setFixedHeight(_ROW_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Reference, whiskers, dot."""
        c, width, middle = theme.colours(), self.width(), self.height() / 2
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        at = self._scale.x(self._scale.reference, width)
        painter.setPen(QPen(QColor(c.faint), 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(at, 0), QPointF(at, self.height()))
        if self._value == self._value:
            ink = QColor(c.muted if self._hollow else c.warning if self._warns else c.focus)
            painter.setPen(QPen(ink, 2))
            if self._low is not None and self._high is not None:
                self._whiskers(painter, self._scale.x(self._low, width), self._scale.x(self._high, width), middle)
            painter.setBrush(QColor(c.panel) if self._hollow else ink)
            painter.drawEllipse(QPointF(self._scale.x(self._value, width), middle), _MARK, _MARK)
        painter.end()

    def _whiskers(self, painter: QPainter, left: float, right: float, middle: float) -> None:
        painter.drawLine(QPointF(left, middle), QPointF(right, middle))
        for value, x in ((self._low, left), (self._high, right)):
            if value is not None and self._scale.low <= value <= self._scale.high:  # no end where it goes on
                painter.drawLine(QPointF(x, middle - _MARK), QPointF(x, middle + _MARK))


class ScaleAxis(QWidget):
    """The numbers below a column of `IntervalPlot`."""

    def __init__(self, scale: Scale, left: str = "", right: str = "") -> None:
        super().__init__()
        self._scale, self._left, self._right = scale, left, right
        self.setFont(theme.small_font(self.font()))
        lines = 2 if left or right else 1
        self.setFixedHeight(lines * self.fontMetrics().height() + 2)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ticks in numbers, and what the two sides mean."""
        painter = QPainter(self)
        painter.setPen(QColor(theme.colours().muted))
        line = self.fontMetrics().height()
        for tick in self._scale.ticks:
            text = f"{tick:g}".replace("-", "−")
            half = self.fontMetrics().horizontalAdvance(text) / 2 + 1
            x = min(max(self._scale.x(tick, self.width()), half), self.width() - half)
            painter.drawText(QRectF(x - half, 0, 2 * half, line), int(Qt.AlignmentFlag.AlignHCenter), text)
        below = QRectF(0, line, self.width(), line)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignLeft), self._left)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignRight), self._right)
        painter.end()


@dataclass(frozen=True)
class Trace:
    """Points of one model in a reliability plot.

    Attributes:
        name: of the model.
        points: mean probability, share that was positive, and its interval.
        old: whether it is the old one: squares and a dashed line.
    """

    name: str
    points: tuple[tuple[float, float, float, float], ...]
    old: bool


class ReliabilityPlot(QWidget):
    """How often what was given a probability was true: on the diagonal where probabilities hold."""

    _LEFT, _BELOW, _ABOVE = 38.0, 34.0, 8.0

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._traces: tuple[Trace, ...] = ()
        self.setFont(theme.small_font(self.font()))
        self.setMinimumSize(220, 220)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def sizeHint(self) -> QSize:
        """Square, of a readable size."""
        return QSize(280, 270)

    def hasHeightForWidth(self) -> bool:
        """It stays about square."""
        return True

    def heightForWidth(self, width: int) -> int:
        """A little lower than wide: the axis to the left takes more than the one below."""
        return min(max(220, width - 6), 310)

    def set_traces(self, traces: Sequence[Trace]) -> None:
        """Show these."""
        self._traces = tuple(traces)
        said = [
            f"{one.name}: " + ", ".join(f"{p:.2f} given, {share:.2f} true" for p, share, _low, _high in one.points)
            for one in traces
        ]
        self.setAccessibleName(". ".join(("Reliability", *said)))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Frame, diagonal, traces."""
        side = min(self.width() - self._LEFT - 10, self.height() - self._BELOW - self._ABOVE)
        left = self._LEFT + max(0.0, (self.width() - self._LEFT - 10 - side) / 2)
        box = QRectF(left, self._ABOVE, side, side)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._frame(painter, box)
        for number, trace in enumerate(self._traces):
            self._trace(painter, box, trace, (number - (len(self._traces) - 1) / 2) * 3.0)
        painter.end()

    def _frame(self, painter: QPainter, box: QRectF) -> None:
        c, line = theme.colours(), self.fontMetrics().height()
        painter.setPen(QPen(QColor(c.border), 1))
        painter.drawRect(box)
        painter.setPen(QPen(QColor(c.faint), 1, Qt.PenStyle.DashLine))
        painter.drawLine(box.bottomLeft(), box.topRight())
        painter.setPen(QColor(c.muted))
        for value in (0.0, 0.5, 1.0):
            x, y = box.left() + value * box.width(), box.bottom() - value * box.height()
            painter.drawText(
                QRectF(x - 30, box.bottom() + 1, 60, line), int(Qt.AlignmentFlag.AlignHCenter), f"{value:g}"
            )
            right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            painter.drawText(QRectF(0, y - line / 2, box.left() - 4, line), right, f"{value:g}")
        below = QRectF(box.left() - 20, box.bottom() + line, box.width() + 40, line + 2)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignHCenter), "probability given")
        painter.save()
        painter.translate(box.left() - self._LEFT + line - 3, box.center().y())
        painter.rotate(-90)
        painter.drawText(
            QRectF(-box.height() / 2, -line, box.height(), line),
            int(Qt.AlignmentFlag.AlignHCenter),
            "share that was true",
        )
        painter.restore()

    def _trace(self, painter: QPainter, box: QRectF, trace: Trace, shift: float) -> None:
        """Whiskers are moved apart a little, so that those of two models do not hide each other."""
        ink = QColor(trace_colour(trace.old))
        places = [
            QPointF(box.left() + p * box.width() + shift, box.bottom() - share * box.height())
            for p, share, _low, _high in trace.points
        ]
        painter.setPen(QPen(ink, 1))
        for place, (_p, _share, low, high) in zip(places, trace.points, strict=True):
            ends = (box.bottom() - low * box.height(), box.bottom() - high * box.height())
            painter.drawLine(QPointF(place.x(), ends[0]), QPointF(place.x(), ends[1]))
        painter.setPen(QPen(ink, 1.6, Qt.PenStyle.DashLine if trace.old else Qt.PenStyle.SolidLine))
        painter.drawPolyline(places)
        for place in places:
            draw_mark(painter, place, trace.old)


def trace_colour(old: bool) -> str:
    """Old is grey, new is blue: apart in lightness too."""
    c = theme.colours()
    return c.muted if old else c.focus


def draw_mark(painter: QPainter, place: QPointF, old: bool) -> None:
    """A hollow square for the old model, a filled disc for the new."""
    c = theme.colours()
    painter.setPen(QPen(QColor(trace_colour(old)), 1.6))
    if old:
        painter.setBrush(QColor(c.panel))
        painter.drawRect(QRectF(place.x() - _MARK, place.y() - _MARK, 2 * _MARK, 2 * _MARK))
    else:
        painter.setBrush(QColor(c.focus))
        painter.drawEllipse(place, _MARK, _MARK)


class LegendMark(QWidget):
    """The mark of a model beside its name."""

    def __init__(self, old: bool) -> None:
        super().__init__()
        self._old = old
        self.setFixedSize(26, 14)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A piece of line with the mark."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        style = Qt.PenStyle.DashLine if self._old else Qt.PenStyle.SolidLine
        painter.setPen(QPen(QColor(trace_colour(self._old)), 1.6, style))
        painter.drawLine(QPointF(0, middle), QPointF(self.width(), middle))
        draw_mark(painter, QPointF(self.width() / 2, middle), self._old)
        painter.end()
