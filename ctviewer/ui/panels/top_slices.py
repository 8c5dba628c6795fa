"""The slices the model weighed most, as thumbnails by rank; a click goes there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QEnterEvent, QImage, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QGridLayout, QLabel, QSizePolicy, QWidget

from ctviewer.core.findings import SliceScore
from ctviewer.core.palette import ATTENTION
from ctviewer.ui import palette, theme
from ctviewer.ui.panels.common import Panel, draw_thumbnail, is_enter, role_label
from ctviewer.ui.strip.scale import short_area

PER_ROW = 4
_CAPTION_PX = 30
_LEAST_PX, _SIDE_PX = 56, 68


@dataclass(frozen=True, eq=False)
class TopSlice:
    """One ranked slice.

    Attributes:
        index: volume index.
        caption: how it is named, e.g. "Im 45".
        weight: its share of the attention, or its probability, 0..1; an area in `unit` for lesion areas.
        image: its picture; a null image while it is not there.
    """

    index: int
    caption: str
    weight: float
    image: QImage


def weight_text(weight: float, score: SliceScore, unit: str = "mm2") -> str:
    """A weight for the caption: per cent for attention and probability, an area for lesion areas."""
    if score is SliceScore.LESION_AREA:
        return short_area(weight, unit)
    return f"{100 * weight:.0f} %" if weight >= 0.0995 or weight == 0 else f"{100 * weight:.1f} %"


class SliceButton(QAbstractButton):
    """A thumbnail with rank, weight and name that can be pressed by mouse, Enter and Space.

    Signals:
        chosen: volume index, when it was pressed.
    """

    chosen = Signal(int)

    def __init__(self, rank: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rank = rank
        self._top = TopSlice(-1, "", 0.0, QImage())
        self._weight = ""
        self._current = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click goes there and leaves the keys with the image
        self.clicked.connect(self._choose)

    def set_slice(self, top: TopSlice, weight: str) -> None:
        """Show another slice of this rank, with its weight in words."""
        self._top, self._weight = top, weight
        self.setToolTip(f"Rank {self._rank}: {weight}, {top.caption}")
        self.setAccessibleName(self.toolTip())
        self.update()

    @property
    def index(self) -> int:
        """Volume index."""
        return self._top.index

    def set_current(self, current: bool) -> None:
        """Highlight the slice that is shown."""
        if current != self._current:
            self._current = current
            self.update()

    def is_current(self) -> bool:
        """Whether this is the slice that is shown."""
        return self._current

    def _choose(self) -> None:
        self.chosen.emit(self._top.index)

    def sizeHint(self) -> QSize:
        """Four fit a column of 300 px."""
        return QSize(_SIDE_PX, _SIDE_PX + _CAPTION_PX)

    def minimumSizeHint(self) -> QSize:
        """Four fit a narrow column."""
        return QSize(_LEAST_PX, _SIDE_PX + _CAPTION_PX)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter presses, as Space does; arrows are the panel's, which keeps the focus in the row."""
        if is_enter(event):
            self.click()
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down):
            event.ignore()
        else:
            super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show that it can be pressed."""
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Back to rest."""
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Picture, rank in its corner, weight and name below, a frame for current and focus."""
        c, painter = theme.colours(), QPainter(self)
        side = min(self.width(), _SIDE_PX)
        box = QRect((self.width() - side) // 2, 0, side, side)
        draw_thumbnail(painter, self._top.image, box.left(), box.top(), box.width())
        painter.setFont(theme.small_font(self.font()))
        badge = QRect(box.left(), box.top(), 14, 14)
        painter.fillRect(badge, QColor(c.image))
        painter.setPen(QColor(*ATTENTION))  # the badge is black in both themes
        painter.drawText(badge, int(Qt.AlignmentFlag.AlignCenter), str(self._rank))
        line = QRect(0, side + 1, self.width(), _CAPTION_PX // 2)
        painter.setPen(QColor(c.text))
        painter.drawText(line, int(Qt.AlignmentFlag.AlignCenter), self._weight)
        painter.setPen(QColor(c.muted))
        caption = painter.fontMetrics().elidedText(self._top.caption, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(line.translated(0, _CAPTION_PX // 2 - 1), int(Qt.AlignmentFlag.AlignCenter), caption)
        self._paint_frame(painter, box)
        painter.end()

    def _paint_frame(self, painter: QPainter, box: QRect) -> None:
        c = theme.colours()
        if self._current:
            painter.fillRect(box.left(), box.bottom() - 2, box.width(), 3, palette.attention_colour())
        if self.hasFocus() or self.underMouse():
            painter.setPen(QColor(c.focus if self.hasFocus() else c.faint))
            painter.drawRect(box.adjusted(0, 0, -1, -1))


class TopSlices(Panel):
    """Ranked slices; left and right keys go through them.

    Signals:
        slice_requested: volume index.
    """

    slice_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Top slices", parent)
        self._buttons: list[SliceButton] = []
        self._note: QLabel = role_label("", "small", wrap=True)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(theme.SPACE // 2)
        self._grid.setVerticalSpacing(theme.SPACE // 2)
        for column in range(PER_ROW):
            self._grid.setColumnStretch(column, 1)
        self.body.addWidget(self._note)
        self.body.addLayout(self._grid)
        self._spare = [self._make(rank) for rank in range(1, PER_ROW + 1)][::-1]  # now, so that Tab meets them in place
        self.set_slices(())

    def set_slices(
        self,
        slices: Sequence[TopSlice],
        score: SliceScore = SliceScore.ATTENTION,
        stands_out: bool = True,
        unit: str = "mm2",
    ) -> None:
        """Show these slices, best first.

        Args:
            slices: in order of rank.
            score: what the weights are; names the panel.
            stands_out: False says that no slice stands out.
            unit: "mm2" or "px", for lesion areas.
        """
        while len(self._buttons) > len(slices):
            self._drop()
        while len(self._buttons) < len(slices):
            self._add()
        for button, top in zip(self._buttons, slices, strict=True):
            button.set_slice(top, weight_text(top.weight, score, unit))
        self.set_title(f"Top slices by {score.value}" if slices else "Top slices")
        note = "" if stands_out else "No slice stands out."
        self._note.setText(note or ("" if slices else "None yet."))
        self._note.setVisible(bool(self._note.text()))

    def _make(self, rank: int) -> SliceButton:
        button = SliceButton(rank, self)
        button.chosen.connect(self.slice_requested)
        button.hide()
        self._grid.addWidget(button, (rank - 1) // PER_ROW, (rank - 1) % PER_ROW)
        return button

    def _add(self) -> None:
        button = self._spare.pop() if self._spare else self._make(len(self._buttons) + 1)
        button.show()
        self._buttons.append(button)

    def _drop(self) -> None:
        button = self._buttons.pop()
        button.hide()
        self._spare.append(button)

    def set_current(self, index: int) -> None:
        """Highlight the slice that is shown, by volume index."""
        for button in self._buttons:
            button.set_current(button.index == index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right move the focus; the focus never leaves the row."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        focused = next((n for n, b in enumerate(self._buttons) if b.hasFocus()), None)
        if step is None or focused is None:
            super().keyPressEvent(event)
            return
        self._buttons[min(max(focused + step, 0), len(self._buttons) - 1)].setFocus(Qt.FocusReason.TabFocusReason)
