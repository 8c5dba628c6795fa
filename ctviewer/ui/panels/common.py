"""What the panels share: a titled frame, a label that elides, pictures from arrays."""

from __future__ import annotations

import html

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QImage, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtGui import Qt as RichText
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from ctviewer.ui import theme

_HEADER_PX = 24  # panels with and without controls in their header line up
DASH = "–"  # what stands for an unknown value


class Panel(QWidget):
    """A titled part of a side column.

    Attributes:
        body: layout that takes the panel's contents.
        header: layout right of the title, for small controls.
    """

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(title)
        self._title = role_label(title, "title")
        self.header = QHBoxLayout()
        self.header.setSpacing(theme.SPACE // 2)
        self.header.addWidget(self._title)
        self._title.setMinimumHeight(_HEADER_PX)
        self.header.addStretch(1)
        self.body = QVBoxLayout()
        self.body.setSpacing(theme.SPACE // 2)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(theme.SPACE, theme.SPACE // 2, theme.SPACE, theme.SPACE)
        outer.setSpacing(theme.SPACE // 2)
        outer.addLayout(self.header)
        outer.addLayout(self.body, 1)

    def set_title(self, title: str) -> None:
        """Change the title, for a count for instance."""
        self._title.setText(title)
        self.setAccessibleName(title)


def role_label(text: str, role: str, *, wrap: bool = False) -> QLabel:
    """A plain-text label in one of the theme's roles: title, small, faint, warning, danger."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setProperty("role", role)
    label.setWordWrap(wrap)
    return label


def shortened(text: str, longest: int) -> str:
    """A path without its middle where it is too long: its end, which tells it from others, stays."""
    if len(text) <= longest:
        return text
    head = longest // 3
    return f"{text[:head]}…{text[len(text) - (longest - head - 1) :]}"


def plain_tip(text: str) -> str:
    """A tool tip that shows a text from a file as it is: Qt would take "<b>" in a patient's name for markup."""
    if not RichText.mightBeRichText(text):
        return text
    return f"<qt>{html.escape(text)}</qt>".replace("\n", "<br>")


def is_enter(event: QKeyEvent) -> bool:
    """Whether Enter was pressed, on either side of the keyboard."""
    return event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class ElidedLabel(QLabel):
    """One line that ends in an ellipsis where there is no room, with the whole text as tool tip."""

    def __init__(self, text: str = "", role: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self._details = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        if role:
            self.setProperty("role", role)

    def minimumSizeHint(self) -> QSize:
        """Any width will do."""
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The tool tip is there only where something is cut."""
        super().resizeEvent(event)
        self._refresh_tip()

    def setText(self, text: str) -> None:
        """Show another text."""
        super().setText(text)
        self.setAccessibleName(text)
        self._refresh_tip()

    def set_details(self, details: str) -> None:
        """What the tool tip says besides the text itself; "" for nothing."""
        self._details = details
        self._refresh_tip()

    def changeEvent(self, event: QEvent) -> None:
        """Another font cuts elsewhere."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._refresh_tip()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw what fits."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.contentsRect(), self.alignment(), text)
        painter.end()

    def _refresh_tip(self) -> None:
        cut = self.fontMetrics().horizontalAdvance(self.text()) > self.width()
        self.setToolTip(plain_tip("\n".join(part for part in (self.text() if cut else "", self._details) if part)))


def grey_image(pixels: NDArray[np.uint8]) -> QImage:
    """A QImage of its own memory from `[rows, columns]` grey levels."""
    rows, columns = pixels.shape
    contiguous = np.ascontiguousarray(pixels)
    return QImage(contiguous.data, columns, rows, columns, QImage.Format.Format_Grayscale8).copy()


def draw_thumbnail(painter: QPainter, image: QImage, left: float, top: float, side: float) -> None:
    """Draw an image into a square, keeping its proportions, sharp on any screen."""
    c = theme.colours()
    painter.fillRect(round(left), round(top), round(side), round(side), c.window if image.isNull() else c.image)
    if image.isNull():
        return
    ratio = painter.device().devicePixelRatioF()
    scaled = image.scaled(
        round(side * ratio),
        round(side * ratio),
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    scaled.setDevicePixelRatio(ratio)
    width, height = scaled.width() / ratio, scaled.height() / ratio
    painter.drawImage(round(left + (side - width) / 2), round(top + (side - height) / 2), scaled)
