"""The lesion table: a row jumps to its lesion, two buttons accept or reject it, a slider fades the overlay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QModelIndex, QPoint, QSize, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QLabel,
    QMenu,
    QSlider,
    QTableView,
    QToolButton,
    QWidget,
)

from ctviewer.core.findings import Lesion, Verdict
from ctviewer.core.read_findings import ReadFinding
from ctviewer.ui import theme
from ctviewer.ui.panels.common import Panel, is_enter, role_label
from ctviewer.ui.panels.findings_delegates import STATE_PX, LinesDelegate, VerdictDelegate
from ctviewer.ui.panels.findings_model import HEADERS, LESION_ROLE, SORT_ROLE, Column, FindingsModel

_LINE_PX, _ROW_PAD = 15, 6
_ROW_PX = 2 * _LINE_PX + _ROW_PAD
_OF_LINES = (Column.CLASS, Column.VOLUME, Column.SCORE)
_HIDDEN = tuple(c for c in Column if c not in (*_OF_LINES, Column.STATE))  # the other lines; still something to sort by
_WIDEST_TEXT = {Column.VOLUME: "GG 88 %", Column.SCORE: "C 100 %"}  # what a column must have room for
_CELL_PAD = 8


class _FindingsView(QTableView):
    """The table; keys say what the reader thinks of the selected lesion.

    Signals:
        verdict_key: accept or reject was pressed for the current row.
        removal_key: the current row's finding shall be removed.
        row_key: a key moved to another row.
    """

    verdict_key = Signal(object)
    removal_key = Signal()
    row_key = Signal(QModelIndex)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter accepts, Backspace rejects, Delete removes, the rest is the table's."""
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if is_enter(event):
            self.verdict_key.emit(Verdict.ACCEPTED)
        elif event.key() == Qt.Key.Key_Backspace:
            self.verdict_key.emit(Verdict.REJECTED)
        elif event.key() == Qt.Key.Key_Delete and plain:
            self.removal_key.emit()
        else:
            before = self.currentIndex().row()
            super().keyPressEvent(event)
            if self.currentIndex().isValid() and self.currentIndex().row() != before:
                self.row_key.emit(self.currentIndex())

    def sizeHint(self) -> QSize:
        """Three rows and the header, more where there is room: a scrolled column gives its parts what they prefer."""
        return QSize(240, self.minimumHeight())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the columns their widths, and the class column what is left."""
        super().resizeEvent(event)
        metrics = self.fontMetrics()
        for column, text in _WIDEST_TEXT.items():
            title = str(self.model().headerData(int(column), Qt.Orientation.Horizontal))
            need = max(metrics.horizontalAdvance(text), metrics.horizontalAdvance(title)) + _CELL_PAD
            self.setColumnWidth(int(column), need)
        self.setColumnWidth(int(Column.STATE), STATE_PX)


class FindingsTable(Panel):
    """Lesions with what was measured of them, and the reader's word on each.

    Signals:
        lesion_activated: id of the lesion whose row was chosen by mouse or arrow keys.
        verdict_requested: lesion id and `Verdict`; the button in force asks for PENDING again.
        removal_requested: lesion id.
        menu_requested: global position and lesion id.
        overlay_toggled: whether overlays shall be shown.
        opacity_changed: opacity of overlays, 0..1.
    """

    lesion_activated = Signal(int)
    verdict_requested = Signal(int, object)
    removal_requested = Signal(int)
    menu_requested = Signal(object, object)
    overlay_toggled = Signal(bool)
    opacity_changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Findings", parent)
        self._model = FindingsModel(self)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self._model)
        self._sorted.setSortRole(SORT_ROLE)
        self._note: QLabel = role_label("", "small", wrap=True)
        self._note.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._eye = self._make_toggle()
        self._opacity = self._make_slider()
        self._view = self._make_view()
        self.header.addWidget(self._opacity)
        self.header.addWidget(self._eye)
        self.body.addWidget(self._note)
        self.body.addWidget(self._view, 1)
        self.set_lesions((), (), (), {})

    def set_lesions(
        self, lesions: Sequence[Lesion], classes: Sequence[str], names: Sequence[str], verdicts: Mapping[int, Verdict]
    ) -> None:
        """Show these lesions.

        Args:
            lesions: in the order shown first.
            classes: the model's lesion classes in order, for colours.
            names: short name of each slice by volume index, e.g. its InstanceNumber "45".
            verdicts: by lesion id; missing means pending.
        """
        self._model.set_lesions(lesions, classes, names, verdicts)
        self._fit_rows(len(lesions))

    def set_findings(self, findings: Sequence[ReadFinding], classes: Sequence[str], names: Sequence[str]) -> None:
        """Show findings as the reader left them; where they are the same ones, rows, sorting and selection stay.

        Args:
            findings: in the order shown first.
            classes: as in `set_lesions`.
            names: likewise.
        """
        self._model.set_findings(findings, classes, names)
        self._fit_rows(len(findings))

    def _fit_rows(self, count: int) -> None:
        self._lines.lines = 3 if self._model.has_shares else 2
        self._view.verticalHeader().setDefaultSectionSize(self._lines.lines * _LINE_PX + _ROW_PAD)
        self.set_title(f"Findings ({count})" if count else "Findings")
        self._view.setVisible(bool(count))
        self._note.setVisible(not count)
        self._opacity.setEnabled(bool(count))

    def set_note(self, text: str) -> None:
        """What stands there while there are no lesions ("No lesion found.", "Not analysed.")."""
        self._note.setText(text)

    def set_verdicts(self, verdicts: Mapping[int, Verdict]) -> None:
        """Show what the reader said; rows, sorting and selection stay."""
        self._model.set_verdicts(verdicts)

    def set_current(self, lesion_id: int | None) -> None:
        """Select a lesion's row without asking for it; None selects none."""
        row = -1 if lesion_id is None else self._model.row_of(lesion_id)
        if row < 0:
            self._view.setCurrentIndex(QModelIndex())
            self._view.clearSelection()
        else:
            index = self._sorted.mapFromSource(self._model.index(row, 0))
            self._view.setCurrentIndex(index)
            self._view.selectRow(index.row())
            self._view.scrollTo(index)

    def current(self) -> int | None:
        """Id of the selected lesion."""
        index = self._view.currentIndex()
        return index.data(LESION_ROLE).lesion_id if index.isValid() else None

    def sort_by(self, column: Column | None) -> None:
        """Sort by a column, largest first for numbers; None brings back the order given."""
        falling = column not in (None, Column.CLASS, Column.SLICES, Column.SIDE, Column.STATE)
        order = Qt.SortOrder.DescendingOrder if falling else Qt.SortOrder.AscendingOrder
        self._view.sortByColumn(-1 if column is None else int(column), order)

    def set_overlay(self, visible: bool, opacity: float) -> None:
        """Show whether overlays are on and how opaque (0..1) they are."""
        for control in (self._eye, self._opacity):
            control.blockSignals(True)
        self._eye.setChecked(visible)
        self._opacity.setValue(round(100 * opacity))
        for control in (self._eye, self._opacity):
            control.blockSignals(False)

    def _make_toggle(self) -> QToolButton:
        button = QToolButton()
        button.setCheckable(True)
        button.setChecked(True)
        theme.set_icon(button, "overlay")
        button.setToolTip("Show lesions on the image")
        button.setAccessibleName("Show lesions on the image")
        button.toggled.connect(self.overlay_toggled)
        return button

    def _make_slider(self) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(0, 100)
        slider.setValue(40)
        slider.setFixedWidth(80)
        slider.setToolTip("Opacity of lesions on the image")
        slider.setAccessibleName("Opacity of lesions on the image")
        slider.valueChanged.connect(lambda value: self.opacity_changed.emit(value / 100))
        return slider

    def _make_view(self) -> _FindingsView:
        view = _FindingsView()
        view.setModel(self._sorted)
        self._lines = LinesDelegate(view)
        for column in _OF_LINES:
            view.setItemDelegateForColumn(int(column), self._lines)
        delegate = VerdictDelegate(view)
        delegate.pressed.connect(self._ask)
        view.setItemDelegateForColumn(int(Column.STATE), delegate)
        view.setFont(theme.small_font(self.font()))
        view.setSortingEnabled(True)
        view.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setFrameShape(QFrame.Shape.NoFrame)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setTabKeyNavigation(False)
        view.setMinimumHeight(4 * _ROW_PX)
        view.setAccessibleName("Findings")
        self._set_headers(view)
        view.verdict_key.connect(self._ask_current)
        view.removal_key.connect(self._remove_current)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._ask_menu)
        view.clicked.connect(self._clicked)
        view.row_key.connect(self._reached)
        header = view.horizontalHeader()
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._offer_orders)
        return view

    @staticmethod
    def _set_headers(view: QTableView) -> None:
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(_ROW_PX)
        header = view.horizontalHeader()
        header.setFont(view.font())
        header.setMinimumSectionSize(16)
        header.setHighlightSections(False)
        header.setSortIndicatorClearable(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(int(Column.CLASS), QHeaderView.ResizeMode.Stretch)
        for column in _HIDDEN:
            view.setColumnHidden(int(column), True)

    def _offer_orders(self, point: QPoint) -> None:
        """All orders, those of the second line too."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("As found").triggered.connect(lambda: self.sort_by(None))
        for column in Column:
            menu.addAction(HEADERS[column][1]).triggered.connect(lambda _=False, by=column: self.sort_by(by))
        menu.popup(self._view.horizontalHeader().mapToGlobal(point))

    def _clicked(self, index: QModelIndex) -> None:
        """A click on the row that is current already asks again: the reader may have scrolled away."""
        if index.column() != Column.STATE:
            self.lesion_activated.emit(index.data(LESION_ROLE).lesion_id)

    def _reached(self, index: QModelIndex) -> None:
        self.lesion_activated.emit(index.data(LESION_ROLE).lesion_id)

    def _ask(self, lesion_id: int, verdict: Verdict) -> None:
        same = self._model.verdict(lesion_id) is verdict
        self.verdict_requested.emit(lesion_id, Verdict.PENDING if same else verdict)

    def _ask_current(self, verdict: Verdict) -> None:
        lesion_id = self.current()
        if lesion_id is not None:
            self._ask(lesion_id, verdict)

    def _remove_current(self) -> None:
        lesion_id = self.current()
        if lesion_id is not None:
            self.removal_requested.emit(lesion_id)

    def _ask_menu(self, point: QPoint) -> None:
        index = self._view.indexAt(point)
        if index.isValid():
            self.menu_requested.emit(self._view.viewport().mapToGlobal(point), index.data(LESION_ROLE).lesion_id)
