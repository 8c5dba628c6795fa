"""What there is to tell about the folder and the series: one line or more each, worst first.

A notice that concerns slices says so below its sentence; a click, or Enter, goes through them.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QResizeEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from ctviewer.core.series import Notice, Severity
from ctviewer.ui import palette, theme
from ctviewer.ui.panels.common import Panel, is_enter, plain_tip
from ctviewer.ui.panels.series_delegate import Index

NOTICE_ROLE = int(Qt.ItemDataRole.UserRole) + 1
LEAD_ROLE = NOTICE_ROLE + 1  # what leads to its slices, "" where it names none
_ORDER = (Severity.DANGER, Severity.WARNING, Severity.INFO)
_ICON_PX, _PAD = 16, 4
_FLAGS = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap)


class _NoticeDelegate(QStyledItemDelegate):
    """An icon, and the sentence wrapped to the view's width."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """As high as the wrapped sentence."""
        view = self.parent()
        width = view.viewport().width() if isinstance(view, QAbstractItemView) else 200
        metrics = option.fontMetrics
        room = QRect(0, 0, max(40, width - _ICON_PX - 3 * _PAD), 10_000)
        height = metrics.boundingRect(room, _FLAGS, index.data(NOTICE_ROLE).text).height()
        height += metrics.height() if index.data(LEAD_ROLE) else 0
        return QSize(0, max(_ICON_PX, height) + 2 * _PAD)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Icon and text; raised under the mouse where a click leads somewhere."""
        notice, c, rect = index.data(NOTICE_ROLE), theme.colours(), option.rect
        painter.save()
        if notice.slices and option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(c.raised))
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QColor(c.focus))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))
        colour = palette.severity_colour(notice.severity).name()
        box = QRect(rect.left() + _PAD, rect.top() + _PAD - 1, _ICON_PX, _ICON_PX)
        theme.draw_icon(painter, palette.severity_icon(notice.severity), box, colour)
        painter.setFont(option.font)
        painter.setPen(QColor(c.text if notice.severity is not Severity.INFO else c.muted))
        inner = rect.adjusted(_ICON_PX + 2 * _PAD, _PAD, -_PAD, -_PAD)
        painter.drawText(inner, _FLAGS, notice.text)
        if index.data(LEAD_ROLE):
            painter.setPen(QColor(c.focus))
            painter.drawText(
                inner, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom), index.data(LEAD_ROLE)
            )
        painter.restore()


class _NoticeView(QListView):
    """A list that lays out anew when its width changes, since its rows wrap. Enter counts as a click."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter clicks, the rest is the list's."""
        if is_enter(event) and self.currentIndex().isValid():
            self.clicked.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Wrap anew."""
        super().resizeEvent(event)
        self.scheduleDelayedItemsLayout()


def lead(slices: int, shown: int = 0) -> str:
    """The words that lead to a notice's slices; which of them is shown, once one is."""
    if not slices:
        return ""
    if shown:
        return "Slice shown" if slices == 1 else f"Slice {shown} of {slices}: click for the next ›"
    return "Go to the slice ›" if slices == 1 else f"Go through {slices} slices ›"


class NoticesPanel(Panel):
    """Notices of the folder and the open series, worst first; hidden where there are none.

    Signals:
        slice_requested: volume index; further clicks on the same notice go through its slices.
    """

    slice_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Notices", parent)
        self._next: dict[int, int] = {}
        self._model = QStandardItemModel(self)
        self._view = _NoticeView()
        self._view.setModel(self._model)
        self._view.setItemDelegate(_NoticeDelegate(self._view))
        self._view.setFont(theme.small_font(self.font()))
        self._view.setMouseTracking(True)
        self._view.setFrameShape(QFrame.Shape.NoFrame)
        self._view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self._view.setAccessibleName("Notices")
        self._view.clicked.connect(self._activate)
        self.body.addWidget(self._view, 1)
        self.hide()

    def set_notices(self, notices: Sequence[Notice]) -> None:
        """Show these notices; the panel is away where there are none."""
        self._model.clear()
        self._next.clear()
        for notice in sorted(notices, key=lambda n: _ORDER.index(n.severity)):
            item = QStandardItem()
            item.setData(notice, NOTICE_ROLE)
            item.setData(lead(len(notice.slices)), LEAD_ROLE)
            spoken = f"{notice.severity.value}: {notice.text} {lead(len(notice.slices))}".rstrip()
            item.setData(spoken, Qt.ItemDataRole.AccessibleTextRole)
            item.setToolTip(plain_tip("\n".join((notice.text, *(str(p) for p in notice.paths[:12])))))
            item.setEditable(False)
            self._model.appendRow(item)
        self.set_title(f"Notices ({len(notices)})" if notices else "Notices")
        self.setVisible(bool(notices))

    @property
    def notices(self) -> tuple[Notice, ...]:
        """As shown, worst first."""
        return tuple(self._model.item(row).data(NOTICE_ROLE) for row in range(self._model.rowCount()))

    def _activate(self, index: QModelIndex) -> None:
        slices = index.data(NOTICE_ROLE).slices
        if slices:
            turn = self._next.get(index.row(), 0)
            self._next[index.row()] = turn + 1
            self._model.setData(index, lead(len(slices), turn % len(slices) + 1), LEAD_ROLE)
            self.slice_requested.emit(slices[turn % len(slices)])
