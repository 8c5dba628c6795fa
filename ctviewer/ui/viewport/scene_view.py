"""The slice viewport without its mouse: shows a scene, and keeps zoom, pan and flips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ctviewer.core.findings import Roi
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import Voi
from ctviewer.ui.viewport.overlay import OverlayShape, same_shapes
from ctviewer.ui.viewport.painting import Look, draw_info, image_area, info_area, render_frame
from ctviewer.ui.viewport.raster import Canvas
from ctviewer.ui.viewport.scene import Scene, SliceState
from ctviewer.ui.viewport.transform import ViewTransform, reading_flips


class SceneView(QWidget):
    """Shows one slice of a volume with its lesions and texts. State comes in through setters.

    Zoom, pan and flips belong to the view itself; slice, window and selection belong to its owner.

    Signals:
        view_changed: zoom in device pixels per image pixel, after any change of zoom, pan or flips.
    """

    view_changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = Scene()
        self._fits = True
        self._canvas = Canvas()
        self._frame: QImage | None = None  # None: out of date
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 160)
        self.setAccessibleName("Slice view")

    # State that comes in

    def set_volume(self, volume: Volume | None) -> None:
        """Show another volume: its middle slice, its own window, fitted, no lesions; None shows the message alone."""
        self._scene.show(volume)
        self._fits = True
        self._relayout()

    def set_slice(self, index: int) -> None:
        """Show the slice of this volume index; an index outside the volume shows the nearest."""
        volume = self._scene.volume
        if volume is None:
            return
        index = min(max(index, 0), volume.slice_count - 1)
        if index != self._scene.index:
            self._scene.index = index
            self._refresh()

    def slice_loaded(self, index: int) -> None:
        """A slice has arrived: repaint if it is on screen, or nearer than what stands in for the present one."""
        volume, present = self._scene.volume, self._scene.index
        if volume is None:
            return
        stands_in = self._scene.state is SliceState.LOADING and self._scene.shown_index == index
        if index == present or stands_in:
            self._refresh()

    def set_window(self, window: Voi) -> None:
        """Show through this window."""
        if window != self._scene.window:
            self._scene.window = window
            self._refresh()

    def set_inverted(self, inverted: bool) -> None:
        """Invert the grey scale; MONOCHROME1 images are turned round on top of this."""
        self._change(inverted=inverted)

    def set_lesions(self, lesions: Mapping[int, Sequence[OverlayShape]]) -> None:
        """Outlines by volume index. The mapping is kept, not copied: give a new one for each change."""
        same = same_shapes(self._scene.lesions.get(self._scene.index, ()), lesions.get(self._scene.index, ()))
        self._scene.lesions = lesions
        if not same:
            self._refresh()

    def set_rois(self, rois: Mapping[int, Sequence[Roi]]) -> None:
        """Regions of interest by volume index. The mapping is kept, not copied: give a new one for each change."""
        same = tuple(self._scene.rois.get(self._scene.index, ())) == tuple(rois.get(self._scene.index, ()))
        self._scene.rois = rois
        if not same and self._scene.rois_visible:
            self._refresh()

    def set_rois_visible(self, visible: bool) -> None:
        """Show or hide the regions of interest."""
        self._change(rois_visible=visible)

    def set_overlay_visible(self, visible: bool) -> None:
        """Show or hide the lesions."""
        self._change(overlay_visible=visible)

    def set_graphics_visible(self, visible: bool) -> None:
        """Show or hide the overlay planes of the file."""
        self._change(graphics_visible=visible)

    def set_overlay_opacity(self, opacity: float) -> None:
        """Opacity of the lesions' fill, 0..1; contours stay."""
        self._change(opacity=min(max(opacity, 0.0), 1.0))

    def set_selected_lesion(self, lesion_id: int | None) -> None:
        """Make one lesion stand out."""
        self._change(selected=lesion_id)

    def set_marks_visible(self, visible: bool) -> None:
        """Show or hide all text and marks over the image; the banner and the state of a missing slice stay."""
        self._change(marks_visible=visible)

    def set_banner(self, left: Sequence[str], right: Sequence[str] = (), *, danger: bool = False) -> None:
        """Patient and study in the frame above the image; `danger` makes it a red warning (another patient beside)."""
        if self._change(banner_left=tuple(left), banner_right=tuple(right), banner_danger=danger):
            self._relayout()

    def set_message(self, text: str) -> None:
        """Quiet text in the middle; empty for none."""
        self._change(message=text)

    def set_show_pixels(self, show: bool) -> None:
        """Sharp pixels instead of smooth interpolation at 4x and more."""
        self._change(show_pixels=show)

    # The view's own state

    def fit(self) -> None:
        """The whole image, as large as possible, also after the next change of size."""
        self._fits = True
        self._set_transform(self._scene.transform.fitted())

    def zoom_one_to_one(self) -> None:
        """One image pixel on one pixel of the screen."""
        self.set_zoom(1.0)

    def set_zoom(self, zoom: float) -> None:
        """Zoom about the middle, in device pixels per image pixel."""
        self._fits = False
        self._set_transform(self._scene.transform.at_zoom(zoom))

    def set_flips(self, horizontal: bool, vertical: bool) -> None:
        """Mirror the image; the orientation letters follow."""
        self._set_transform(replace(self._scene.transform, flip_h=horizontal, flip_v=vertical))

    def reset_view(self) -> None:
        """Fit, and the flips in which the series is read; the window is the owner's."""
        if self._scene.volume is not None:
            self.set_flips(*reading_flips(self._scene.volume.geometry))
        self.fit()

    @property
    def volume(self) -> Volume | None:
        """What is shown."""
        return self._scene.volume

    @property
    def slice_index(self) -> int:
        """Volume index of the present slice."""
        return self._scene.index

    @property
    def window_setting(self) -> Voi:
        """The present window (`window` is QWidget's own)."""
        return self._scene.window

    @property
    def inverted(self) -> bool:
        """Whether the reader inverted the grey scale."""
        return self._scene.inverted

    @property
    def flips(self) -> tuple[bool, bool]:
        """Mirrored horizontally, vertically."""
        return self._scene.transform.flip_h, self._scene.transform.flip_v

    @property
    def marks_visible(self) -> bool:
        """Whether text and marks are drawn over the image."""
        return self._scene.marks_visible

    @property
    def zoom(self) -> float:
        """Device pixels per image pixel."""
        return self._scene.transform.zoom

    @property
    def transform(self) -> ViewTransform:
        """Where the image lies in the widget."""
        return self._scene.transform

    def sizeHint(self) -> QSize:
        """A chest CT at 1:1."""
        return QSize(512, 560)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the kept frame and, over it, the text that follows the cursor."""
        look = self._look()
        if self._frame is None:
            self._frame = render_frame(self._scene, look, self._canvas)
        painter = QPainter(self)
        painter.drawImage(0, 0, self._frame)
        if self._scene.marks_visible and event.rect().intersects(info_area(self._scene, look).toAlignedRect()):
            draw_info(painter, self._scene, look)
        if self.hasFocus():
            self._draw_focus(painter)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the fit, or the middle of the image in the middle."""
        super().resizeEvent(event)
        self._relayout()

    def changeEvent(self, event: QEvent) -> None:
        """Another font or palette: lay out again."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._relayout()

    def event(self, event: QEvent) -> bool:
        """A screen of another pixel ratio: lay out again."""
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._relayout()
        return super().event(event)

    # Inside

    def _draw_focus(self, painter: QPainter) -> None:
        """A thin ring, as four bars: a translucent outline takes Qt longer than the whole image."""
        colour = QColor(self.palette().color(QPalette.ColorRole.Accent))
        colour.setAlphaF(0.6)
        width, height = self.width(), self.height()
        for bar in ((0, 0, width, 1), (0, height - 1, width, 1), (0, 1, 1, height - 2), (width - 1, 1, 1, height - 2)):
            painter.fillRect(*bar, colour)

    def _set_transform(self, transform: ViewTransform) -> None:
        if transform != self._scene.transform:
            self._scene.transform = transform
            self._refresh()
            self.view_changed.emit(transform.zoom)

    def _relayout(self) -> None:
        """Size, banner, font or screen changed: find the image's place again."""
        transform = replace(
            self._scene.transform,
            area=image_area(self._scene, self._look()),
            device_ratio=self.devicePixelRatioF(),
        )
        self._set_transform(transform.fitted() if self._fits else transform)
        self._refresh()

    def _look(self) -> Look:
        return Look(self.width(), self.height(), self.devicePixelRatioF(), self.font(), self.palette())

    def _change(self, **values: object) -> bool:
        """Take over values of the scene; whether any of them is new."""
        new = {name: value for name, value in values.items() if getattr(self._scene, name) != value}
        for name, value in new.items():
            setattr(self._scene, name, value)
        if new:
            self._refresh()
        return bool(new)

    def _refresh(self) -> None:
        """The picture is out of date."""
        self._frame = None
        self.setAccessibleDescription(", ".join(self._scene.fixed_info()) or self._scene.message)
        self.update()
