"""The slice viewport with its mouse: what the reader does goes out as signals."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QEnterEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QWidget

from ctviewer.core.volume import Volume
from ctviewer.core.windowing import Voi, as_window
from ctviewer.ui.viewport.gestures import CURSORS, Drag, Tool, tool_of_button
from ctviewer.ui.viewport.interaction import WheelSteps, drag_slices, drag_window, drag_zoom, wheel_zoom
from ctviewer.ui.viewport.overlay import shape_at
from ctviewer.ui.viewport.painting import info_area
from ctviewer.ui.viewport.rois import roi_at
from ctviewer.ui.viewport.scene_view import SceneView
from ctviewer.ui.viewport.slice_text import HoverInfo, hover_info


class SliceView(SceneView):
    """A slice to read: wheel, drags, clicks, and the value under the cursor.

    Slice, window, selection and tool belong to the owner, which answers the signals with the setters.

    Signals:
        slice_requested: steps in display order (-1 is the previous slice), from the wheel.
        slice_jump_requested: volume index, from a drag with the scroll tool.
        window_changed: the window that a drag asks for; a table of the file becomes the window over its range.
        hovered: `HoverInfo`, or None where there is no pixel under the cursor.
        lesion_clicked: lesion_id.
        maximise_requested: double click.
    """

    slice_requested = Signal(int)
    slice_jump_requested = Signal(int)
    window_changed = Signal(object)
    hovered = Signal(object)
    lesion_clicked = Signal(int)
    maximise_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tool = Tool.WINDOW
        self._drag: Drag | None = None
        self._cursor: QPointF | None = None
        self._wheel = WheelSteps()
        self.setMouseTracking(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)

    @property
    def tool(self) -> Tool:
        """What the left button drags."""
        return self._tool

    def set_tool(self, tool: Tool) -> None:
        """What the left button drags."""
        self._tool = tool
        self.setCursor(CURSORS[tool])

    def set_volume(self, volume: Volume | None) -> None:
        """Show another volume; a drag on the old one ends."""
        self._drag = None
        super().set_volume(volume)

    def event(self, event: QEvent) -> bool:
        """Pinching, and Esc while dragging, which no shortcut may take first."""
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self._zoom_at(event.position(), max(0.1, 1.0 + event.value()))
            return True
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._drag is not None:
            event.setAccepted(event.key() == Qt.Key.Key_Escape)
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a drag, unless one is under way."""
        tool = tool_of_button(event.button(), self._tool)
        scene = self._scene
        if self._drag is None and tool is not None and scene.volume is not None:
            place = scene.names.numbers[scene.index] - 1
            self._drag = Drag(tool, event.button(), event.position(), scene.window, scene.transform, place, self._fits)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with the drag; tell what is under the cursor."""
        self._cursor = event.position()
        if self._drag is not None:
            if not event.buttons() & self._drag.button:  # the release was lost, for instance to a dialog
                self._drag = None
            else:
                self._drag_to(self._drag, event.position())
        self._hover()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the drag; a press without movement is a click."""
        drag = self._drag
        if drag is None or event.button() != drag.button:
            return
        self._drag = None
        if not drag.moved and drag.button == Qt.MouseButton.LeftButton:
            hit = shape_at(self._scene.shapes, self._scene.transform, event.position().x(), event.position().y())
            if hit is not None:
                self.lesion_clicked.emit(hit.lesion_id)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Ask for the whole window."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.maximise_requested.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Slices, or zoom at the cursor with Ctrl."""
        angle = event.angleDelta().y()
        if event.phase() == Qt.ScrollPhase.ScrollBegin:
            self._wheel.clear()
        if self._scene.volume is None:
            event.ignore()
        elif event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._zoom_at(event.position(), wheel_zoom(angle))
        else:
            steps = self._wheel.add(angle)
            if steps:
                self.slice_requested.emit(steps)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc takes a drag back; all other keys are the window's."""
        if event.key() == Qt.Key.Key_Escape and self._drag is not None:
            self._take_back(self._drag)
            self._drag = None
        else:
            super().keyPressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the cursor any more."""
        super().leaveEvent(event)
        self._cursor = None
        self._hover()

    def enterEvent(self, event: QEnterEvent) -> None:
        """The cursor is back."""
        super().enterEvent(event)
        self._cursor = event.position()
        self._hover()

    def hideEvent(self, event: QHideEvent) -> None:
        """A drag ends with the view."""
        super().hideEvent(event)
        self._drag = None

    def closeEvent(self, event: QCloseEvent) -> None:
        """A drag ends with the view."""
        self._drag = None
        super().closeEvent(event)

    def _drag_to(self, drag: Drag, position: QPointF) -> None:
        delta = position - drag.start
        if not drag.moved:
            drag.moved = delta.manhattanLength() >= max(3, QApplication.startDragDistance() // 3)
        if not drag.moved:
            return
        if drag.tool is Tool.WINDOW:
            self._ask_window(drag_window(as_window(drag.window), delta.x(), delta.y(), self._least_step()))
        elif drag.tool is Tool.PAN:
            self._fits = False
            self._set_transform(drag.transform.panned(delta.x(), delta.y()))
        elif drag.tool is Tool.ZOOM:
            self._fits = False
            zoom = drag_zoom(drag.transform.zoom, delta.y())
            self._set_transform(drag.transform.at_zoom(zoom, drag.start.x(), drag.start.y()))
        else:
            self._ask_slice(drag, delta.y())

    def _take_back(self, drag: Drag) -> None:
        if not drag.moved:
            return
        if drag.tool is Tool.WINDOW:
            self._ask_window(drag.window)
        elif drag.tool is Tool.SCROLL:
            self._ask_slice(drag, 0.0)
        else:
            self._fits = drag.fits
            self._set_transform(drag.transform)

    def _ask_window(self, window: Voi) -> None:
        if window != self._scene.window:
            self.window_changed.emit(window)

    def _ask_slice(self, drag: Drag, dy: float) -> None:
        volume = self._scene.volume
        if volume is None:
            return
        place = drag.place + drag_slices(dy, self.height(), volume.slice_count)
        index = int(volume.geometry.display_order[min(max(place, 0), volume.slice_count - 1)])
        if index != self._scene.index:
            self.slice_jump_requested.emit(index)

    def _least_step(self) -> float:
        """One pixel of a window drag is at least this much: a quarter HU, or its like in units of another range."""
        volume = self._scene.volume
        return 0.25 if volume is None or volume.unit == "HU" else as_window(volume.initial_window).width / 4096

    def _zoom_at(self, position: QPointF, factor: float) -> None:
        if self._scene.volume is not None:
            self._fits = False
            transform = self._scene.transform
            self._set_transform(transform.at_zoom(transform.zoom * factor, position.x(), position.y()))

    def _refresh(self) -> None:
        super()._refresh()
        self._hover()

    def _hover(self) -> None:
        """Tell and show what is under the cursor, if that has changed."""
        self._hover_rois()
        info = self._under_cursor()
        if info != self._scene.hover:
            self._scene.hover = info
            self.hovered.emit(info)
            self.update(info_area(self._scene, self._look()).toAlignedRect())

    def _hover_rois(self) -> None:
        """Tell the region of interest under the cursor, where they are shown."""
        at, found = self._cursor, None
        if at is not None and self._drag is None:
            found = roi_at(self._scene.shown_rois, self._scene.transform, at.x(), at.y())
        if found != self._scene.roi_under_cursor:
            self._scene.roi_under_cursor = found
            super()._refresh()

    def _under_cursor(self) -> HoverInfo | None:
        volume = self._scene.volume
        if volume is None or self._cursor is None:
            return None
        pixel = self._scene.transform.pixel_at(self._cursor.x(), self._cursor.y())
        return None if pixel is None else hover_info(volume, self._scene.index, *pixel)
