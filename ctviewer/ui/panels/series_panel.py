"""Studies and series of the opened folder, and how far a scan is."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QToolButton,
    QTreeView,
    QWidget,
)

from ctviewer.core.events import Progress
from ctviewer.core.people import date_text, person_name, time_text
from ctviewer.core.series import Series
from ctviewer.ui import theme
from ctviewer.ui.panels.common import ElidedLabel, Panel, is_enter, plain_tip, role_label
from ctviewer.ui.panels.series_delegate import (
    CURRENT_ROLE,
    IMAGE_ROLE,
    LINES_ROLE,
    SERIES_ROLE,
    SeriesDelegate,
    series_lines,
)

NOTHING_OPEN = "No folder is open. Open one, or drop it on the window."


class ProgressLine(QWidget):
    """One quiet line: what is being done, a thin bar, and a button that cancels.

    Signals:
        cancel_requested: the button was pressed.
    """

    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ElidedLabel("", "small")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(4)
        self._bar.setFixedWidth(64)
        self._cancel = QToolButton()
        theme.set_icon(self._cancel, "cancel")
        self._cancel.setToolTip("Cancel")
        self._cancel.setAccessibleName("Cancel")
        self._cancel.clicked.connect(self.cancel_requested)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.SPACE // 2)
        row.addWidget(self._text, 1)
        row.addWidget(self._bar)
        row.addWidget(self._cancel)
        self.hide()

    def set_progress(self, progress: Progress | None) -> None:
        """Show a stage; None hides the line. An unknown total leaves the bar empty: nothing moves by itself."""
        self.setVisible(progress is not None)
        if progress is None:
            return
        of = f" {progress.done}/{progress.total}" if progress.total else f" {progress.done}" if progress.done else ""
        self._text.setText(progress.stage + of)
        self._bar.setVisible(progress.total > 0)
        self._bar.setRange(0, max(1, progress.total))
        self._bar.setValue(progress.done)


class _SeriesModel(QStandardItemModel):
    """Headings per study with their series below, as given."""

    def fill(self, series: Sequence[Series], thumbnails: dict[str, QImage], current: str) -> None:
        """Show these series, grouped by study in the order of their first series."""
        self.clear()
        headings: dict[tuple[str, str, str], QStandardItem] = {}
        for one in series:
            if one.study_key not in headings:
                headings[one.study_key] = heading = QStandardItem()
                heading.setData(study_lines(one), LINES_ROLE)
                heading.setData("\n".join(study_lines(one)), Qt.ItemDataRole.AccessibleTextRole)
                heading.setToolTip(plain_tip("\n".join(study_lines(one))))
                heading.setFlags(Qt.ItemFlag.ItemIsEnabled)
                self.appendRow(heading)
            headings[one.study_key].appendRow(self._row(one, thumbnails.get(one.key), one.key == current))

    def _row(self, series: Series, image: QImage | None, current: bool) -> QStandardItem:
        item = QStandardItem()
        item.setData(series, SERIES_ROLE)
        item.setData(image, IMAGE_ROLE)
        item.setData(current, CURRENT_ROLE)
        text = "\n".join(line for line in series_lines(series) if line)
        item.setToolTip(plain_tip(text))
        item.setData(text, Qt.ItemDataRole.AccessibleTextRole)
        item.setEditable(False)
        return item

    def item_of(self, key: str) -> QStandardItem | None:
        """The row of a series."""
        for number in range(self.rowCount()):
            study = self.item(number)
            for row in range(study.rowCount()):
                if study.child(row).data(SERIES_ROLE).key == key:
                    return study.child(row)
        return None


def study_lines(series: Series) -> tuple[str, ...]:
    """Heading of a study: patient, then ID and date, then description; a long name never hides the ID."""
    when = " ".join(p for p in (date_text(series.study.date), time_text(series.study.time)) if p)
    ids = " · ".join(p for p in (series.patient.patient_id, when) if p)
    lines = (person_name(series.patient.name), ids, series.study.description)
    return tuple(line for line in lines if line) or ("Study without a date",)


class _SeriesView(QTreeView):
    """The list. Enter counts as a click; `activated` is not used, since some desktops send it with every click."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter clicks, the rest is the list's."""
        if is_enter(event) and self.currentIndex().isValid():
            self.clicked.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)


class SeriesPanel(Panel):
    """Studies and series of the opened folder.

    Signals:
        series_activated: the key of a series that the reader chose, readable or not.
        cancel_requested: the scan shall stop.
    """

    series_activated = Signal(str)
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Studies and series", parent)
        self._series: tuple[Series, ...] = ()
        self._thumbnails: dict[str, QImage] = {}
        self._current = ""
        self._model = _SeriesModel(self)
        self._view = self._make_view()
        self._empty: QLabel = role_label(NOTHING_OPEN, "small", wrap=True)
        self._progress = ProgressLine()
        self._progress.cancel_requested.connect(self.cancel_requested)
        self.body.addWidget(self._progress)
        self.body.addWidget(self._empty)
        self.body.addWidget(self._view, 1)
        self.body.addStretch(0)
        self._view.hide()

    def set_series(self, series: Sequence[Series]) -> None:
        """Show these series; thumbnails of keys that stay are kept."""
        self._series = tuple(series)
        keys = {s.key for s in series}
        self._thumbnails = {k: image for k, image in self._thumbnails.items() if k in keys}
        self._model.fill(self._series, self._thumbnails, self._current)
        self._view.expandAll()
        self._view.setVisible(bool(series))
        self._empty.setVisible(not series)

    def set_thumbnail(self, key: str, image: QImage) -> None:
        """Give a series its picture; it may come before or after the series."""
        self._thumbnails[key] = image
        item = self._model.item_of(key)
        if item is not None:
            item.setData(image, IMAGE_ROLE)

    def set_current(self, key: str) -> None:
        """Highlight the series that is open; "" for none."""
        for old in (self._current, key):
            item = self._model.item_of(old)
            if item is not None:
                item.setData(old == key, CURRENT_ROLE)
        self._current = key
        item = self._model.item_of(key)
        if item is not None:
            self._view.setCurrentIndex(item.index())
            self._view.scrollTo(item.index())

    def set_scanning(self, progress: Progress | None) -> None:
        """Show how far a scan is; None when none runs."""
        self._progress.set_progress(progress)

    def _make_view(self) -> QTreeView:
        view = _SeriesView()
        view.setModel(self._model)
        view.setItemDelegate(SeriesDelegate(view))
        view.setHeaderHidden(True)
        view.setIndentation(0)
        view.setRootIsDecorated(False)
        view.setExpandsOnDoubleClick(False)
        view.setMouseTracking(True)
        view.setFrameShape(QFrame.Shape.NoFrame)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setAccessibleName("Studies and series")
        view.clicked.connect(self._activate)
        return view

    def _activate(self, index: QModelIndex) -> None:
        series = index.data(SERIES_ROLE)
        if series is not None:
            self.series_activated.emit(series.key)
