"""What stands on every page outside the text: whose report it is, which page, and that no one has verified it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPdfWriter, QPen

from ctviewer.core.printing import PrintJob
from ctviewer.pdf.fonts import print_font

_INK, _MUTED, _RULE = QColor("#1b2530"), QColor("#5c6773"), QColor("#ccd3da")
_HEADER_MM, _LINE_MM = 9.0, 4.2
_LABEL_PT, _VALUE_PT, _FOOT_PT = 6.5, 8.5, 7.5
_SHARES = (0.46, 0.24, 0.16, 0.14)  # of the width: the name has the most room


class PageFrame:
    """Header and footer of one job.

    Args:
        job: gives the texts.
        writer: the device painted on.
        body: where the document's text goes, in layout units.
        mm: layout units per mm.
    """

    def __init__(self, job: PrintJob, writer: QPdfWriter, body: QRectF, mm: float) -> None:
        self._job = job
        self._body = body
        self._mm = mm
        text = "".join((*(part for field in job.header for part in field), *job.footer, job.page_label))
        self._fonts = {size: print_font(text, size) for size in (_LABEL_PT, _VALUE_PT, _FOOT_PT)}
        self._writer = writer

    def paint(self, painter: QPainter, page: int, pages: int) -> None:
        """Header and footer of one page, counted from 1."""
        self._paint_header(painter)
        self._paint_footer(painter, page, pages)

    def _paint_header(self, painter: QPainter) -> None:
        top, x = _HEADER_MM * self._mm, self._body.left()
        shares = (
            _SHARES if len(self._job.header) == len(_SHARES) else [1 / len(self._job.header)] * len(self._job.header)
        )
        for (label, value), share in zip(self._job.header, shares, strict=True):
            width = self._body.width() * share
            room = width - 3 * self._mm
            self._line(painter, QRectF(x, top, room, _LINE_MM * self._mm), label, _LABEL_PT, _MUTED)
            self._line(painter, QRectF(x, top + 3.6 * self._mm, room, _LINE_MM * self._mm), value, _VALUE_PT, _INK)
            x += width
        self._rule(painter, top + 9.2 * self._mm)

    def _paint_footer(self, painter: QPainter, page: int, pages: int) -> None:
        top = self._body.bottom() + 5.0 * self._mm
        self._rule(painter, top)
        box = QRectF(self._body.left(), top + 1.4 * self._mm, self._body.width(), _LINE_MM * self._mm)
        left, middle = self._job.footer
        self._line(painter, box, left, _FOOT_PT, _INK, bold=True)
        self._line(painter, box, middle, _FOOT_PT, _MUTED, Qt.AlignmentFlag.AlignHCenter)
        number = self._job.page_label.format(page=page, pages=pages)
        self._line(painter, box, number, _FOOT_PT, _INK, Qt.AlignmentFlag.AlignRight)

    def _line(
        self,
        painter: QPainter,
        box: QRectF,
        text: str,
        size: float,
        colour: QColor,
        side: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
        bold: bool = False,
    ) -> None:
        """One line of text; too long for its box, it is set smaller down to 60 %, then cut with an ellipsis."""
        font = QFont(self._fonts[size])
        font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
        metrics = QFontMetricsF(font, self._writer)
        wide = metrics.horizontalAdvance(text)
        if wide > box.width():
            font.setPointSizeF(size * max(0.6, box.width() / wide * 0.99))
            metrics = QFontMetricsF(font, self._writer)
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, box.width())
        painter.setFont(font)
        painter.setPen(colour)
        painter.drawText(box, int(side | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine), text)

    def _rule(self, painter: QPainter, y: float) -> None:
        painter.setPen(QPen(_RULE, 0.2 * self._mm))
        painter.drawLine(round(self._body.left()), round(y), round(self._body.right()), round(y))
