"""Draws the rows of the series list: study headings, and series with thumbnail, description and size."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from ctviewer.core.series import Series
from ctviewer.ui import theme
from ctviewer.ui.panels.common import draw_thumbnail

SERIES_ROLE = int(Qt.ItemDataRole.UserRole) + 1
IMAGE_ROLE = SERIES_ROLE + 1
CURRENT_ROLE = SERIES_ROLE + 2
LINES_ROLE = SERIES_ROLE + 3
THUMBNAIL_PX = 48
_PAD = 5
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)

Index = QModelIndex | QPersistentModelIndex


def series_lines(series: Series) -> tuple[str, str, str]:
    """Three lines for a series: description, count and spacing, modality and size; a reason where it cannot be read."""
    number = f"{series.number}  " if series.number is not None else ""
    title = f"{number}{series.description or series.modality or 'no description'}"
    found = len(series.slices)
    if not series.readable:
        return title, f"{series.modality} · {found} file{'' if found == 1 else 's'}", series.reason
    count = f"{found} slice{'' if found == 1 else 's'}"
    if series.slice_spacing:  # zero: all slices at one position, which a notice tells
        count += f" · {series.slice_spacing:.3g} mm"
    detail = f"{series.modality} · {series.columns} × {series.rows}"
    detail = f"{detail} · {series.kernel}" if series.kernel else detail
    return title, count, f"{images} · {detail}" if (images := _images_of_part(series)) else detail


def _images_of_part(series: Series) -> str:
    """`Im 21–40`: what tells one part of a split series from the others, which share its number and description."""
    numbers = [one.instance_number for one in series.slices if one.instance_number is not None]
    if not numbers or all(notice.code != "series-split" for notice in series.notices):
        return ""
    first, last = min(numbers), max(numbers)
    return f"Im {first}" if first == last else f"Im {first}\N{EN DASH}{last}"


class SeriesDelegate(QStyledItemDelegate):
    """Paints one row; the model's items carry what is drawn under the roles above."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Height of a heading by its lines, of a series by its thumbnail; the width is the view's."""
        if index.data(SERIES_ROLE) is None:
            return QSize(0, 17 * len(index.data(LINES_ROLE) or ("",)) + 2 * _PAD)
        return QSize(0, THUMBNAIL_PX + 2 * _PAD)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Heading or series."""
        painter.save()
        series = index.data(SERIES_ROLE)
        if series is None:
            self._paint_heading(painter, option, index.data(LINES_ROLE) or ())
        else:
            self._paint_series(painter, option, index, series)
        painter.restore()

    def _paint_heading(self, painter: QPainter, option: QStyleOptionViewItem, lines: tuple[str, ...]) -> None:
        c = theme.colours()
        area = option.rect.adjusted(_PAD, _PAD, -_PAD, -_PAD)
        for number, line in enumerate(lines):
            bold = QFont(theme.small_font(option.font))
            bold.setWeight(QFont.Weight.DemiBold if number == 0 else QFont.Weight.Normal)
            painter.setFont(bold)
            painter.setPen(QColor(c.text if number == 0 else c.muted))
            rect = QRect(area.left(), area.top() + 17 * number, area.width(), 17)
            painter.drawText(rect, _LEFT, _elided(painter, line, rect.width()))

    def _paint_series(self, painter: QPainter, option: QStyleOptionViewItem, index: Index, series: Series) -> None:
        c, rect = theme.colours(), option.rect
        state = option.state
        current = bool(index.data(CURRENT_ROLE))
        if current:
            painter.fillRect(rect, QColor(c.selection))
            painter.fillRect(rect.left(), rect.top(), 3, rect.height(), QColor(c.focus))
        elif state & QStyle.StateFlag.State_MouseOver and series.readable:
            painter.fillRect(rect, QColor(c.raised))
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QColor(c.focus))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))
        left = rect.left() + _PAD + 2
        image = index.data(IMAGE_ROLE)
        painter.setOpacity(1.0 if series.readable else 0.45)
        draw_thumbnail(painter, image if isinstance(image, QImage) else QImage(), left, rect.top() + _PAD, THUMBNAIL_PX)
        painter.setOpacity(1.0)
        text = rect.adjusted(left - rect.left() + THUMBNAIL_PX + 7, _PAD, -_PAD, -_PAD)
        self._paint_lines(painter, option, text, series)

    def _paint_lines(self, painter: QPainter, option: QStyleOptionViewItem, area: QRect, series: Series) -> None:
        c = theme.colours()
        inks = (c.text, c.muted, c.muted) if series.readable else (c.faint, c.faint, c.warning)
        for number, (line, ink) in enumerate(zip(series_lines(series), inks, strict=True)):
            painter.setFont(option.font if number == 0 else theme.small_font(option.font))
            painter.setPen(QColor(ink))
            rect = QRect(area.left(), area.top() + number * area.height() // 3, area.width(), area.height() // 3)
            painter.drawText(rect, _LEFT, _elided(painter, line, rect.width()))


def _elided(painter: QPainter, text: str, width: int) -> str:
    return painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, width)
