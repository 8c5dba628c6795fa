"""The heat strip: slice slider, attention bars, lesion lane and class lane in one place for eye and hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractSlider, QSizePolicy, QToolTip, QWidget

from ctviewer.core.findings import SliceScore
from ctviewer.ui import theme
from ctviewer.ui.strip.bars import paint_strip
from ctviewer.ui.strip.data import StripData
from ctviewer.ui.strip.hover import HoverCard
from ctviewer.ui.strip.lanes import HEADER, Lanes, class_width
from ctviewer.ui.strip.marks import paint_handle
from ctviewer.ui.strip.rows import RowMap

Captions = Callable[[int], tuple[str, ...]]
Preview = Callable[[int], QImage | None]

WIDTH = 116
_HANDLE_REACH = 10  # px above and below the handle's line that its parts cover
_WHEEL_STEP = 120


class HeatStrip(QAbstractSlider):
    """Vertical slice slider with bars. Positions are display positions, 0 on top (head first for axial stacks).

    The position changes only through `set_position`; mouse, wheel and keys send intents.

    Signals:
        position_requested: a display position was asked for by click, drag, Home, End or assistive technology.
        step_requested: so many slices on (positive) or back, by wheel or keys.
    """

    position_requested = Signal(int)
    step_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._data = StripData()
        self._labels: tuple[str, ...] = ()
        self._captions: Captions | None = None
        self._preview: Preview | None = None
        self._cache: QPixmap | None = None
        self._card = HoverCard(self)
        self._following = False  # a value change that comes from `set_position`, not from the reader
        self._dragging = False
        self._requested = -1
        self._hovered = -1
        self._wheel = 0
        self.setOrientation(Qt.Orientation.Vertical)
        self.setRange(0, 0)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Slices")
        self.valueChanged.connect(self._value_changed)

    # What is shown

    def set_slices(self, count: int, labels: Sequence[str] = ()) -> None:
        """Start with another stack: `count` slices and how each is named ("Im 45"), in display order; nothing analysed."""
        old = self._data
        self._data = StripData(count=count, bars=old.bars, classes=old.classes, negative_class=old.negative_class)
        self._labels = tuple(labels)
        self._following = True
        self.setRange(0, max(0, count - 1))
        self.setValue(0)
        self._following = False
        self._card.hide()
        self._describe()
        self._redraw()

    def set_position(self, position: int) -> None:
        """Move the handle to a display position; only the handle is painted anew."""
        if not 0 <= position < self._data.count:
            return
        self.update(self._handle_rect())
        self._following = True
        self.setValue(position)
        self._following = False
        self._describe()
        self.update(self._handle_rect())

    def set_attention(
        self,
        lengths: NDArray[np.float64] | None,
        strength: float = 0.0,
        stands_out: bool = True,
        score: SliceScore = SliceScore.ATTENTION,
    ) -> None:
        """Show one bar per slice.

        Args:
            lengths: `[count]` in display order, as `StudyClassification.bar_lengths`: times uniform for attention (1 =
                uniform), else the value itself; NaN where a slice was not looked at; None removes the bars.
            strength: probability of a finding, 0..1: the bars' colour strength.
            stands_out: False paints them grey and says that no slice stands out.
            score: what the lengths are.

        Raises:
            ValueError: there is not one length per slice.
        """
        self._data.lengths = self._data.checked(lengths)
        self._data.strength = strength
        self._data.stands_out = stands_out
        self._data.score = score
        self._describe()
        self._redraw()

    def set_lesion_area(self, area: NDArray[np.float64] | None, unit: str = "mm2") -> None:
        """Show the lesion area of each slice, `[count]` in display order, NaN where not looked at; None removes the lane.

        Raises:
            ValueError: there is not one area per slice.
        """
        self._data.area = self._data.checked(area)
        self._data.area_unit = unit
        self._redraw()

    def set_slice_classes(self, classes: Sequence[str], negative_class: str = "") -> None:
        """Make room for the classes that a one-shot model tells of slices; none takes the lane away.

        The strip changes its width, so this is for when another model or result comes, not for each of its slices.

        Args:
            classes: in the model's order.
            negative_class: the one that means "no finding": it has no column; "" for none.
        """
        if (tuple(classes), negative_class) != (self._data.classes, self._data.negative_class):
            self._data.classes, self._data.negative_class = tuple(classes), negative_class
            self._data.probabilities = None
            self.updateGeometry()
            self._redraw()

    def set_class_probabilities(self, probabilities: NDArray[np.float64] | None) -> None:
        """Show what the model says of each slice: `[count, classes]` in display order, each class for itself.

        NaN where a slice was not looked at; None before it has begun.

        Raises:
            ValueError: there is not one row per slice and one column per class.
        """
        if probabilities is not None and probabilities.shape != (self._data.count, len(self._data.classes)):
            raise ValueError("one probability per slice and class is needed")
        self._data.probabilities = None if probabilities is None else np.array(probabilities, np.float64)
        self._redraw()

    def set_loaded(self, loaded: NDArray[np.bool_]) -> None:
        """Show which slices are loaded, `[count]` bool in display order; the lane goes when all are.

        Raises:
            ValueError: there is not one flag per slice.
        """
        if loaded.shape != (self._data.count,):
            raise ValueError("one flag per slice is needed")
        self._data.loaded = np.array(loaded, bool)
        self._redraw()

    def set_reviewed(self, reviewed: NDArray[np.bool_] | None) -> None:
        """Show which slices the reader reviewed completely, `[count]` bool in display order; None for none.

        Raises:
            ValueError: there is not one flag per slice.
        """
        if reviewed is not None and reviewed.shape != (self._data.count,):
            raise ValueError("one flag per slice is needed")
        self._data.reviewed = None if reviewed is None else np.array(reviewed, bool)
        self._describe()
        self._redraw()

    def set_top(self, positions: Sequence[int]) -> None:
        """Mark these display positions 1, 2, 3, 4 in this order."""
        self._data.top = tuple(p for p in positions if 0 <= p < self._data.count)
        self._redraw()

    def set_visible_bars(self, visible: bool) -> None:
        """Show or hide bars and marks; slider, ruler and loading stay."""
        self._data.bars = visible
        self._redraw()

    def set_captions(self, captions: Captions | None) -> None:
        """What names a display position on the hover card (lines); the strip adds its values."""
        self._captions = captions

    def set_preview(self, preview: Preview | None) -> None:
        """What gives the small picture of a display position, or None while it is not loaded."""
        self._preview = preview

    def sizeHint(self) -> QSize:
        """A width for its lanes, and as much height as there is."""
        return QSize(WIDTH + class_width(len(self._data.columns)), 400)

    def minimumSizeHint(self) -> QSize:
        """Lanes of a hundred rows."""
        return QSize(self.sizeHint().width(), 140)

    # Where things are

    def position_at(self, y: float, x: float = 0.0) -> int:
        """The display position a click at `y` (logical pixels) goes to; in a row of several, the strongest.

        Over the lesion lane the largest area counts, over the class lane the most probable finding, elsewhere the score.
        """
        lanes, data = self._lanes, self._data
        values: tuple[NDArray[np.float64] | None, ...] = (data.lengths, data.area) if data.bars else ()
        if lanes.area.left() <= x <= lanes.area.right():
            values = values[::-1]
        elif lanes.classes.left() <= x <= lanes.classes.right() and data.bars:
            values = (data.strongest_class, *values)
        return RowMap(max(1, self._data.count), lanes.height).strongest(int(y) - lanes.top, *values)

    @property
    def _lanes(self) -> Lanes:
        return Lanes(self.size(), len(self._data.columns))

    def y_of(self, position: int) -> float:
        """Where the middle of a slice is, in logical pixels from the widget's top."""
        lanes = self._lanes
        return lanes.top + RowMap(max(1, self._data.count), lanes.height).centre(position)

    def hover_text(self, position: int) -> tuple[str, ...]:
        """Lines of the hover card for a display position."""
        data = self._data
        name = self._labels[position] if position < len(self._labels) else ""
        named = f"Slice {position + 1} of {data.count}" + (f" ({name})" if name else "")
        lines = tuple(self._captions(position)) if self._captions else (named,)
        return tuple(line for line in (*lines, *data.values(position)) if line)

    def _handle_rect(self) -> QRect:
        y = round(self.y_of(self.value()))
        return QRect(0, y - _HANDLE_REACH, self.width(), 2 * _HANDLE_REACH)

    def _redraw(self) -> None:
        self._cache = None
        self.update()

    def _describe(self) -> None:
        self.setAccessibleDescription(", ".join(self.hover_text(self.value())) if self._data.count else "No slices")

    def _value_changed(self, value: int) -> None:
        if not self._following:
            self.position_requested.emit(value)

    # Painting

    def sliderChange(self, change: QAbstractSlider.SliderChange) -> None:
        """Nothing: the base class would paint the whole strip for every slice."""

    def paintEvent(self, event: QPaintEvent) -> None:
        """The cached lanes, and the handle over them."""
        ratio = self.devicePixelRatioF()
        if self._cache is None or self._cache.devicePixelRatioF() != ratio:
            self._cache = paint_strip(self.size(), ratio, self._data, theme.small_font(self.font()))
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._cache)
        if self._data.count:
            painter.setFont(theme.small_font(self.font()))
            lanes, y = self._lanes, round(self.y_of(self.value()))
            paint_handle(painter, lanes, y, str(self.value() + 1))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        if self.hasFocus():
            painter.setPen(QColor(theme.colours().focus))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Paint anew in the new size; another slice is under the mouse then, if the strip still is."""
        self._card.hide()
        self._redraw()
        super().resizeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Follow a new theme."""
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._redraw()
        super().changeEvent(event)

    # Mouse, wheel, keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click jumps; on the handle's tag it takes hold without a jump."""
        if event.button() is not Qt.MouseButton.LeftButton or not self._data.count:
            event.ignore()
            return
        self._dragging, self._requested = True, self.value()
        self._card.hide()
        if not self._on_tag(event.position()):
            self._request(event.position())
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag scrubs; otherwise the card follows the mouse."""
        if self._dragging:
            self._request(event.position())
        elif self._data.count:
            self._hover(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """The drag is over."""
        if event.button() is Qt.MouseButton.LeftButton:
            self._dragging = False

    def leaveEvent(self, event: QEvent) -> None:
        """The card goes with the mouse."""
        self._card.hide()
        super().leaveEvent(event)

    def hideEvent(self, event: QEvent) -> None:
        """A card never outlives its strip on the screen."""
        self._card.hide()
        self._dragging = False

    def wheelEvent(self, event: QWheelEvent) -> None:
        """One notch, one slice; fine-grained wheels add up."""
        self._wheel += event.angleDelta().y()
        steps = int(self._wheel / _WHEEL_STEP)
        self._wheel -= steps * _WHEEL_STEP
        if steps:
            self._card.hide()
            self.step_requested.emit(-steps)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows step by one, Page keys by a tenth, Home and End go to the ends."""
        page = max(1, self._data.count // 10)
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -page, Qt.Key.Key_PageDown: page}
        key = Qt.Key(event.key())
        if key in steps and self._data.count:
            self.step_requested.emit(steps[key])
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End) and self._data.count:
            self.position_requested.emit(0 if key is Qt.Key.Key_Home else self._data.count - 1)
        else:
            event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the focus ring."""
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Remove the focus ring."""
        self.update()

    def event(self, event: QEvent) -> bool:
        """The header explains its lanes in a tool tip."""
        if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.help_at(event.pos()), self)
            return True
        return super().event(event)

    def help_at(self, point: QPoint) -> str:
        """What the header at this point explains; empty over the lanes."""
        if point.y() >= HEADER:
            return ""
        if self._data.columns and point.x() >= self._lanes.classes.left():
            return self._data.class_help
        over_area = point.x() >= self._lanes.area.left()
        return self._data.area_help if over_area else self._data.score_help

    def _on_tag(self, point: QPointF) -> bool:
        in_ruler = point.x() >= self._lanes.ruler.left()
        return in_ruler and abs(point.y() - self.y_of(self.value())) <= _HANDLE_REACH

    def _request(self, point: QPointF) -> None:
        position = self.position_at(point.y(), point.x())
        if position != self._requested:
            self._requested = position
            self.position_requested.emit(position)

    def _hover(self, point: QPointF) -> None:
        lanes = self._lanes
        if not lanes.all.contains(point.toPoint()):
            self._card.hide()
            return
        position = self.position_at(point.y(), point.x())
        if position != self._hovered or self._card.isHidden():  # a preview costs milliseconds
            self._hovered = position
            preview = self._preview(position) if self._preview else None
            self._card.set_content(self.hover_text(position), preview)
        self._card.show_beside(self, int(point.y()))
