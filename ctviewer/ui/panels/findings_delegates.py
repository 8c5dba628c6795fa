"""Draws cells of the lesion table: a finding with its place and measurements, and the buttons that accept or reject it."""

from __future__ import annotations

from PySide6.QtCore import QAbstractItemModel, QEvent, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from ctviewer.core.findings import Verdict
from ctviewer.ui import theme
from ctviewer.ui.panels.findings_model import (
    EDITED_ROLE,
    LESION_ROLE,
    SECOND_ROLE,
    THIRD_ROLE,
    VERDICT_ROLE,
    Index,
)

_BUTTON_PX = 20
STATE_PX = 2 * _BUTTON_PX + 4
_SWATCH_PX = 10
_MARK_PX = 12
_PAD = 3


class LinesDelegate(QStyledItemDelegate):
    """A cell of two lines, or three where anything is in the third; all but the first muted.

    A colour swatch stands before the first where the model gives a colour, a brush in the second where the reader drew.

    Attributes:
        lines: how many lines a row has room for.
    """

    lines = 2

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """The lines over the row's background."""
        plain = QStyleOptionViewItem(option)
        self.initStyleOption(plain, index)
        font, first, align = plain.font, plain.text, plain.displayAlignment
        paint_background(painter, option)
        rejected, c = index.data(VERDICT_ROLE) is Verdict.REJECTED, theme.colours()
        painter.save()
        cell = option.rect.adjusted(_PAD, _PAD, -_PAD, -_PAD)
        colour = index.data(Qt.ItemDataRole.DecorationRole)
        if colour is not None:
            top = cell.top() + (cell.height() // self.lines - _SWATCH_PX) // 2
            painter.setOpacity(0.4 if rejected else 1.0)
            painter.fillRect(cell.left(), top, _SWATCH_PX, _SWATCH_PX, colour)
            painter.setOpacity(1.0)
            cell.setLeft(cell.left() + _SWATCH_PX + 5)
        painter.setFont(font)
        texts = (first, index.data(SECOND_ROLE), index.data(THIRD_ROLE))[: self.lines]
        for number, line in enumerate(texts):
            painter.setPen(QColor(c.faint if rejected else c.muted if number else c.text))
            top = cell.top() + number * cell.height() // self.lines
            rect = QRect(cell.left(), top, cell.width(), cell.height() // self.lines)
            if number == 1 and index.data(EDITED_ROLE):
                rect.setRight(rect.right() - _MARK_PX - _PAD)
                place = QRect(rect.right() + _PAD, top + (rect.height() - _MARK_PX) // 2, _MARK_PX, _MARK_PX)
                theme.draw_icon(painter, "brush", place, c.faint if rejected else c.muted)
            elided = painter.fontMetrics().elidedText(line, Qt.TextElideMode.ElideRight, rect.width())
            painter.drawText(rect, int(align), elided)
        painter.restore()


def paint_background(painter: QPainter, option: QStyleOptionViewItem) -> None:
    """A cell's selection and hover, without its contents."""
    blank = QStyleOptionViewItem(option)
    blank.features = QStyleOptionViewItem.ViewItemFeature.None_
    style = option.widget.style()
    style.drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, blank, painter, option.widget)


class VerdictDelegate(QStyledItemDelegate):
    """Accept and reject as two small buttons in the last column; the one in force is coloured.

    Signals:
        pressed: lesion id and the verdict whose button was pressed.
    """

    pressed = Signal(int, object)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Both buttons, over the row's background."""
        paint_background(painter, option)
        c, verdict = theme.colours(), index.data(VERDICT_ROLE)
        near = option.state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver)
        idle = c.muted if near else c.faint  # faint is too little on a row's own colour
        for wanted, name, colour in ((Verdict.ACCEPTED, "accept", c.focus), (Verdict.REJECTED, "reject", c.text)):
            box = self.button_rect(option.rect, wanted).adjusted(2, 2, -2, -2)
            theme.draw_icon(painter, name, box, colour if verdict is wanted else idle)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Two buttons."""
        return QSize(STATE_PX, _BUTTON_PX)

    def editorEvent(self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index) -> bool:
        """A release over a button presses it; the row is not activated."""
        if not isinstance(event, QMouseEvent) or event.button() is not Qt.MouseButton.LeftButton:
            return False
        for wanted in (Verdict.ACCEPTED, Verdict.REJECTED):
            if self.button_rect(option.rect, wanted).contains(event.position().toPoint()):
                if event.type() == QEvent.Type.MouseButtonRelease:
                    self.pressed.emit(index.data(LESION_ROLE).lesion_id, wanted)
                return True
        return False

    @staticmethod
    def button_rect(cell: QRect, verdict: Verdict) -> QRect:
        """Where a verdict's button is in its cell."""
        left = cell.right() - 2 * _BUTTON_PX + (0 if verdict is Verdict.ACCEPTED else _BUTTON_PX)
        return QRect(left, cell.top() + (cell.height() - _BUTTON_PX) // 2, _BUTTON_PX, _BUTTON_PX)
