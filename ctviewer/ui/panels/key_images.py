"""Key images in the order in which the reader marked them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from ctviewer.ui import theme
from ctviewer.ui.panels.common import Panel, draw_thumbnail, is_enter, role_label
from ctviewer.ui.panels.series_delegate import Index

KEY_IMAGE_ROLE = int(Qt.ItemDataRole.UserRole) + 1
_THUMB_PX, _CAPTION_PX, _PAD = 48, 15, 3


@dataclass(frozen=True, eq=False)
class KeyImage:
    """One key image.

    Attributes:
        index: volume index.
        caption: how the slice is named, e.g. "Im 45".
        image: its picture; a null image while it is not there.
    """

    index: int
    caption: str
    image: QImage


class _KeyImageDelegate(QStyledItemDelegate):
    """A thumbnail with its caption below."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """The same for all."""
        return QSize(_THUMB_PX + 2 * _PAD, _THUMB_PX + _CAPTION_PX + 2 * _PAD)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Thumbnail, caption, frame under mouse and focus."""
        key, c = index.data(KEY_IMAGE_ROLE), theme.colours()
        painter.save()
        box = QRect(option.rect.left() + _PAD, option.rect.top() + _PAD, _THUMB_PX, _THUMB_PX)
        draw_thumbnail(painter, key.image, box.left(), box.top(), _THUMB_PX)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(QColor(c.focus if selected else c.faint))
            painter.drawRect(box.adjusted(0, 0, -1, -1))
        painter.setFont(option.font)
        painter.setPen(QColor(c.muted))
        line = QRect(box.left() - _PAD, box.bottom() + 1, box.width() + 2 * _PAD, _CAPTION_PX)
        text = painter.fontMetrics().elidedText(key.caption, Qt.TextElideMode.ElideRight, line.width())
        painter.drawText(line, int(Qt.AlignmentFlag.AlignCenter), text)
        painter.restore()


class _KeyImageView(QListView):
    """The list; Delete asks for removal.

    Signals:
        delete_pressed: Delete or Backspace was pressed on a key image.
    """

    delete_pressed = Signal(QModelIndex)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete removes, Enter opens, the rest is the list's."""
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self.currentIndex().isValid():
            self.delete_pressed.emit(self.currentIndex())
        elif is_enter(event) and self.currentIndex().isValid():
            self.clicked.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)


class KeyImages(Panel):
    """Key images as a row of thumbnails.

    Signals:
        slice_requested: volume index of a key image that was clicked.
        removal_requested: volume index of a key image that shall be one no longer.
    """

    slice_requested = Signal(int)
    removal_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Key images", parent)
        self._model = QStandardItemModel(self)
        self._empty = role_label("None yet. Press K on a slice.", "small", wrap=True)
        self._view = _KeyImageView()
        self._view.setModel(self._model)
        self._view.setItemDelegate(_KeyImageDelegate(self._view))
        self._view.setFont(theme.small_font(self.font()))
        self._view.setFlow(QListView.Flow.LeftToRight)
        self._view.setWrapping(True)
        self._view.setResizeMode(QListView.ResizeMode.Adjust)
        self._view.setUniformItemSizes(True)
        self._view.setMouseTracking(True)
        self._view.setFrameShape(QFrame.Shape.NoFrame)
        self._view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._view.setFixedHeight(_THUMB_PX + _CAPTION_PX + 2 * _PAD + 4)
        self._view.setAccessibleName("Key images")
        self._view.clicked.connect(self._activate)
        self._view.delete_pressed.connect(self._remove)
        self.body.addWidget(self._empty)
        self.body.addWidget(self._view)
        self.set_images(())

    def set_images(self, images: Sequence[KeyImage]) -> None:
        """Show these key images."""
        self._model.clear()
        for key in images:
            item = QStandardItem()
            item.setData(key, KEY_IMAGE_ROLE)
            item.setData(key.caption, Qt.ItemDataRole.AccessibleTextRole)
            item.setToolTip(f"{key.caption}. Click to go there, Delete to remove the mark.")
            item.setEditable(False)
            self._model.appendRow(item)
        self.set_title(f"Key images ({len(images)})" if images else "Key images")
        self._view.setVisible(bool(images))
        self._empty.setVisible(not images)

    def _activate(self, index: QModelIndex) -> None:
        self.slice_requested.emit(index.data(KEY_IMAGE_ROLE).index)

    def _remove(self, index: QModelIndex) -> None:
        self.removal_requested.emit(index.data(KEY_IMAGE_ROLE).index)
