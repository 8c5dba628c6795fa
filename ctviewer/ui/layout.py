"""Where the parts of the main window stand: series left, image and strip in the middle, results right."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QSplitter, QVBoxLayout, QWidget

from ctviewer.ui.focus import KeepKeysOnImage, order_tabs
from ctviewer.ui.message_bar import MessageBar
from ctviewer.ui.panels.comment_panel import CommentPanel
from ctviewer.ui.panels.edit_bar import EditBar
from ctviewer.ui.panels.findings_table import FindingsTable
from ctviewer.ui.panels.key_images import KeyImages
from ctviewer.ui.panels.notices_panel import NoticesPanel
from ctviewer.ui.panels.result_panel import ResultPanel
from ctviewer.ui.panels.review_line import ReviewLine
from ctviewer.ui.panels.series_panel import SeriesPanel
from ctviewer.ui.panels.slice_class_panel import SliceClassPanel
from ctviewer.ui.panels.top_slices import TopSlices
from ctviewer.ui.strip.heat_strip import HeatStrip
from ctviewer.ui.viewport import EditableView

LEFT_WIDTH, RIGHT_WIDTH = 214, 300


@dataclass(frozen=True)
class Parts:
    """The widgets of the main window."""

    view: EditableView
    strip: HeatStrip
    messages: MessageBar
    licences: MessageBar
    edit_bar: EditBar
    series: SeriesPanel
    notices: NoticesPanel
    result: ResultPanel
    slice_class: SliceClassPanel
    top: TopSlices
    findings: FindingsTable
    review: ReviewLine
    comment: CommentPanel
    key_images: KeyImages
    left: QWidget
    right: QScrollArea
    centre: QWidget
    splitter: QSplitter


def _column(*widgets: tuple[QWidget, int]) -> QWidget:
    column = QWidget()
    box = QVBoxLayout(column)
    box.setContentsMargins(0, 0, 0, 0)
    box.setSpacing(1)
    for widget, stretch in widgets:
        box.addWidget(widget, stretch)
    return column


def _scrolled(column: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(column)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area


def build_parts() -> Parts:
    """Make all widgets and put them in their places."""
    view, strip, messages, edit_bar = EditableView(), HeatStrip(), MessageBar(), EditBar()
    licences = MessageBar()
    series, notices = SeriesPanel(), NoticesPanel()
    result, slice_class, top, findings = ResultPanel(), SliceClassPanel(), TopSlices(), FindingsTable()
    review, comment, key_images = ReviewLine(), CommentPanel(), KeyImages()

    image = QWidget()
    row = QHBoxLayout(image)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(0)
    row.addWidget(view, 1)
    row.addWidget(strip)
    centre = _column((messages, 0), (licences, 0), (image, 1))

    left = _column((series, 3), (notices, 2))
    found = _column((findings, 1), (edit_bar, 0), (review, 0))  # beside the image: taking a tool must not move it
    right = _scrolled(_column((result, 0), (slice_class, 0), (top, 0), (found, 3), (comment, 1), (key_images, 0)))
    splitter = QSplitter(Qt.Orientation.Horizontal)
    splitter.setChildrenCollapsible(False)
    splitter.setHandleWidth(1)
    for widget, stretch in ((left, 0), (centre, 1), (right, 0)):
        splitter.addWidget(widget)
        splitter.setStretchFactor(splitter.count() - 1, stretch)
    left.setMinimumWidth(170)
    right.setMinimumWidth(272)
    splitter.setSizes([LEFT_WIDTH, 900, RIGHT_WIDTH])
    order_tabs(view, strip, left)  # the right column was made in its order and follows by itself
    KeepKeysOnImage(view, left, right)
    return Parts(
        view=view,
        strip=strip,
        messages=messages,
        licences=licences,
        edit_bar=edit_bar,
        series=series,
        notices=notices,
        result=result,
        slice_class=slice_class,
        top=top,
        findings=findings,
        review=review,
        comment=comment,
        key_images=key_images,
        left=left,
        right=right,
        centre=centre,
        splitter=splitter,
    )
