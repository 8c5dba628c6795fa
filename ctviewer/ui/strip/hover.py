"""The card beside the strip while the mouse is over it: what a slice is, its values, and a small preview."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPixmap
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

PREVIEW_PX = 128
_GAP = 8


class HoverCard(QFrame):
    """A window of its own that never takes the focus, never catches the mouse, and stays beside its anchor."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.ToolTip)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setObjectName("hoverCard")
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._text = QLabel(self)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._image = QLabel(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(self._image, alignment=Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self._text)

    def set_content(self, lines: tuple[str, ...], preview: QImage | None) -> None:
        """Show these lines, and the preview scaled to fit, keeping its proportions."""
        self._text.setText("\n".join(line for line in lines if line))
        self._image.setVisible(preview is not None and not preview.isNull())
        if preview is not None and not preview.isNull():
            self._image.setPixmap(self._scaled(preview))
        self.adjustSize()

    def text(self) -> str:
        """The lines shown."""
        return self._text.text()

    def show_beside(self, anchor: QWidget, y: int) -> None:
        """Show left of `anchor` (right of it where the screen ends), centred on `y` in the anchor's coordinates."""
        origin = anchor.mapToGlobal(QPoint(0, y))
        screen = (QGuiApplication.screenAt(origin) or anchor.screen()).availableGeometry()
        left = origin.x() - self.width() - _GAP
        if left < screen.left():
            left = origin.x() + anchor.width() + _GAP
        top = min(
            max(origin.y() - self.height() // 2, screen.top()), max(screen.top(), screen.bottom() - self.height())
        )
        self.move(left, top)
        self.show()

    def _scaled(self, preview: QImage) -> QPixmap:
        ratio = self.devicePixelRatioF()
        side = round(PREVIEW_PX * ratio)
        scaled = preview.scaled(
            side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        pixmap = QPixmap.fromImage(scaled)
        pixmap.setDevicePixelRatio(ratio)
        return pixmap
