"""The slice viewport with a brush in the reader's hand: strokes go out as signals, the findings belong to the owner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QColor,
    QHideEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from ctviewer.core.volume import Volume
from ctviewer.ui.viewport.brush import Stroke, sweep
from ctviewer.ui.viewport.gestures import CURSORS, Tool
from ctviewer.ui.viewport.interaction import WheelSteps
from ctviewer.ui.viewport.overlay import shape_at
from ctviewer.ui.viewport.scene import SliceState
from ctviewer.ui.viewport.transform import Point
from ctviewer.ui.viewport.view import SliceView

_PREVIEW_ALPHA = 0.5
_ERASED = QColor(0, 0, 0)
_RIM, _LINE = QColor(0, 0, 0, 170), QColor(255, 255, 255, 230)
_MARGIN = 4.0  # logical pixels around what is painted anew


@dataclass(frozen=True)
class Brush:
    """What the left button paints with.

    Attributes:
        diameter: in shorter sides of a pixel.
        colour: of the class that it paints.
        erase: whether it takes pixels away.
    """

    diameter: int
    colour: QColor
    erase: bool = False


@dataclass(eq=False)
class _Pending:
    """A stroke under way.

    Attributes:
        index: volume index of its slice.
        mask: `[rows, columns]`, what it went over so far.
        start: row and column of its first pixel.
        last: image coordinates of where it is.
        take: whether Shift was held when it began.
    """

    index: int
    mask: NDArray[np.bool_]
    start: tuple[int, int]
    last: Point
    take: bool


class EditableView(SliceView):
    """A slice to read and to mark.

    While there is a brush the left button paints; wheel, middle and right button do what they always do. The view shows
    where a stroke goes and tells it when it ends.

    Signals:
        stroke_made: `Stroke`.
        resize_requested: steps by which the brush shall grow.
        refused: a stroke was begun where the findings cannot be seen.
        menu_requested: global position, id of the finding under it or None.
    """

    stroke_made = Signal(object)
    resize_requested = Signal(int)
    refused = Signal()
    menu_requested = Signal(object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._brush: Brush | None = None
        self._stroke: _Pending | None = None
        self._sizes = WheelSteps()

    @property
    def brush(self) -> Brush | None:
        """What the left button paints with; None where it paints nothing."""
        return self._brush

    def set_brush(self, brush: Brush | None) -> None:
        """Give the left button a brush, or what it had before."""
        if brush is None:
            self._drop()
        self._brush = brush
        self.setCursor(Qt.CursorShape.CrossCursor if brush is not None else CURSORS[self.tool])
        self.update()

    def set_tool(self, tool: Tool) -> None:
        """What the left button drags where it does not paint."""
        super().set_tool(tool)
        if self._brush is not None:
            self.setCursor(Qt.CursorShape.CrossCursor)

    def set_volume(self, volume: Volume | None) -> None:
        """Show another volume; a stroke on the old one is dropped."""
        self._drop()
        super().set_volume(volume)

    def set_slice(self, index: int) -> None:
        """Show another slice; a stroke under way ends on the one that it was made on."""
        self.end_stroke()
        super().set_slice(index)

    # The mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a stroke, or what the button does otherwise; with Ctrl a click selects."""
        paints = self._brush is not None and event.button() == Qt.MouseButton.LeftButton and self._drag is None
        if not paints or event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            if self._stroke is None:
                super().mousePressEvent(event)
            return
        scene, at = self._scene, event.position()
        if scene.volume is None or scene.state is not SliceState.READY:
            return
        if not (scene.overlay_visible and scene.marks_visible):
            self.refused.emit()
            return
        pixel = scene.transform.pixel_at(at.x(), at.y())
        if pixel is None:
            return
        mask = np.zeros((scene.transform.rows, scene.transform.columns), bool)
        take = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._stroke = _Pending(scene.index, mask, pixel, scene.transform.to_image(at.x(), at.y()), take)
        self._go_on(at)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with the stroke; the brush's outline follows the cursor."""
        before = self._cursor
        if self._stroke is not None and not event.buttons() & Qt.MouseButton.LeftButton:
            self._drop()  # the release was lost, for instance to a dialog
        super().mouseMoveEvent(event)
        if self._stroke is not None:
            self._go_on(event.position())
        if self._brush is not None:
            for at in (before, self._cursor):
                self._update_around(at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the stroke; the right button without a drag asks for the menu."""
        if self._stroke is not None and event.button() == Qt.MouseButton.LeftButton:
            self.end_stroke()
            return
        drag = self._drag
        super().mouseReleaseEvent(event)
        if drag is not None and event.button() == drag.button == Qt.MouseButton.RightButton and not drag.moved:
            at = event.position()
            hit = shape_at(self._scene.shapes, self._scene.transform, at.x(), at.y())
            self.menu_requested.emit(event.globalPosition().toPoint(), hit.lesion_id if hit is not None else None)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """With a brush the second click is one more stroke."""
        if self._brush is not None:
            self.mousePressEvent(event)
        else:
            super().mouseDoubleClickEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """With a brush and Shift its size; the slice stays while a stroke is under way."""
        if self._brush is not None and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            delta = event.angleDelta()
            steps = -self._sizes.add(delta.y() or delta.x())  # some systems turn a wheel with Shift to the side
            if steps:
                self.resize_requested.emit(steps)
        elif self._stroke is None:
            super().wheelEvent(event)

    def event(self, event: QEvent) -> bool:
        """Esc while painting is the stroke's, whatever shortcut there is."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._stroke is not None:
            event.setAccepted(event.key() == Qt.Key.Key_Escape)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc drops the stroke under way."""
        if event.key() == Qt.Key.Key_Escape and self._stroke is not None:
            self._drop()
        else:
            super().keyPressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """The brush's outline goes with the cursor."""
        super().leaveEvent(event)
        self.update()

    def hideEvent(self, event: QHideEvent) -> None:
        """A stroke ends with the view."""
        self.end_stroke()
        super().hideEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """A stroke ends with the view."""
        self.end_stroke()
        super().closeEvent(event)

    # The stroke

    def _go_on(self, at: QPointF) -> None:
        stroke, brush = self._stroke, self._brush
        if stroke is None or brush is None:
            return
        here = self._scene.transform.to_image(at.x(), at.y())
        sweep(stroke.mask, stroke.last, here, brush.diameter, self._scene.transform.aspect)
        before = QPointF(*self._scene.transform.to_view(*stroke.last))
        stroke.last = here
        self._update_around(before, at)

    def end_stroke(self) -> None:
        """Tell the stroke under way, where there is one."""
        stroke, brush, self._stroke = self._stroke, self._brush, None
        if stroke is not None and brush is not None:
            self.update()
            self.stroke_made.emit(Stroke(stroke.index, stroke.mask, stroke.start, brush.erase, stroke.take))

    def _drop(self) -> None:
        self._stroke = None
        self.update()

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Over the image: the stroke under way, and the brush around the cursor."""
        super().paintEvent(event)
        if self._brush is None or not (self._scene.marks_visible and self._scene.overlay_visible):
            return
        painter = QPainter(self)
        painter.setClipRect(QRectF(*self._scene.transform.area))
        self._draw_stroke(painter, self._brush)
        self._draw_outline(painter, self._brush)
        painter.end()

    def _draw_stroke(self, painter: QPainter, brush: Brush) -> None:
        stroke = self._stroke
        if stroke is None or not stroke.mask.any():
            return
        rows, columns = np.flatnonzero(stroke.mask.any(axis=1)), np.flatnonzero(stroke.mask.any(axis=0))
        top, left = int(rows[0]), int(columns[0])
        box = stroke.mask[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
        colour = _ERASED if brush.erase else brush.colour
        alpha = round(255 * _PREVIEW_ALPHA)
        parts = ((colour.red(), 16), (colour.green(), 8), (colour.blue(), 0))
        value = alpha << 24 | sum(round(c * _PREVIEW_ALPHA) << shift for c, shift in parts)
        pixels = np.where(box, np.uint32(value), np.uint32(0))
        image = QImage(
            pixels.data, box.shape[1], box.shape[0], pixels.strides[0], QImage.Format.Format_ARGB32_Premultiplied
        )
        (sx, sy), (ox, oy) = self._scene.transform.step, self._scene.transform.origin
        painter.save()
        painter.setTransform(QTransform(sx, 0, 0, sy, ox, oy), combine=True)
        painter.drawImage(QPointF(left, top), image)
        painter.restore()

    def _draw_outline(self, painter: QPainter, brush: Brush) -> None:
        """A circle on the screen: pixels are shown in the patient's proportions."""
        if self._cursor is None or self._drag is not None:
            return
        radius = max(1.5, brush.diameter * self._scene.transform.scale / 2)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for colour, width in ((_RIM, 3.0), (_LINE if brush.erase else brush.colour.lighter(140), 1.2)):
            pen = QPen(colour, width)
            if brush.erase and width < 2:
                pen.setDashPattern([3.0, 3.0])
            painter.setPen(pen)
            painter.drawEllipse(self._cursor, radius, radius)

    def _update_around(self, *places: QPointF | None) -> None:
        """Paint anew where the brush is, and was."""
        if self._brush is None:
            return
        reach = max(1.5, self._brush.diameter * self._scene.transform.scale / 2) + _MARGIN + self._pixel_reach()
        found = [QRectF(p.x() - reach, p.y() - reach, 2 * reach, 2 * reach) for p in places if p is not None]
        if found:
            area = found[0]
            for one in found[1:]:
                area = area.united(one)
            self.update(area.toAlignedRect())

    def _pixel_reach(self) -> float:
        """A pixel that is touched at its edge is painted whole."""
        return max(abs(step) for step in self._scene.transform.step)
