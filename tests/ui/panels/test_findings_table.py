import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu, QSlider, QToolButton

from ctviewer.core.findings import Verdict
from ctviewer.ui.panels.findings_delegates import VerdictDelegate
from ctviewer.ui.panels.findings_model import LESION_ROLE, Column
from ctviewer.ui.panels.findings_table import FindingsTable

CLASSES = ("ground glass", "consolidation")


@pytest.fixture
def table(show, lesion):
    panel = show(FindingsTable())
    lesions = [
        lesion(1, slices=(9, 10), volume=12.0, score=0.97),
        lesion(2, "consolidation", slices=(2, 3), volume=None, score=0.91, side="right"),
        lesion(3, slices=(5,), volume=130.0, score=0.42),
    ]
    panel.set_lesions(lesions, CLASSES, [str(n + 1) for n in range(20)], {})
    return panel


def order(table):
    model = table._sorted
    return [model.index(r, 0).data(LESION_ROLE).lesion_id for r in range(model.rowCount())]


def cell(table, row, column=Column.CLASS):
    return table._view.visualRect(table._sorted.index(row, int(column)))


def click(table, point):
    QTest.mouseClick(table._view.viewport(), Qt.MouseButton.LeftButton, pos=point)


def test_rows_come_in_the_order_given(table):
    assert order(table) == [1, 2, 3]


def test_a_click_on_a_row_goes_to_its_lesion_each_time(table):
    asked = []
    table.lesion_activated.connect(asked.append)
    for row in (1, 1, 2):
        click(table, cell(table, row).center())
    assert asked == [2, 2, 3]
    assert table.current() == 3


def test_arrows_go_to_the_lesion_they_reach(table):
    asked = []
    table.lesion_activated.connect(asked.append)
    table.set_current(1)
    assert asked == []
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up):
        QTest.keyClick(table._view, key)
    assert asked == [2, 3, 2]


def test_buttons_ask_for_a_verdict_and_do_not_jump(table):
    asked, gone = [], []
    table.verdict_requested.connect(lambda *args: asked.append(args))
    table.lesion_activated.connect(gone.append)
    for verdict in (Verdict.ACCEPTED, Verdict.REJECTED):
        click(table, VerdictDelegate.button_rect(cell(table, 1, Column.STATE), verdict).center())
    assert asked == [(2, Verdict.ACCEPTED), (2, Verdict.REJECTED)]
    assert gone == []
    table.set_verdicts({2: Verdict.REJECTED})
    click(table, VerdictDelegate.button_rect(cell(table, 1, Column.STATE), Verdict.REJECTED).center())
    assert asked[-1] == (2, Verdict.PENDING)


def test_keys_ask_for_a_verdict_on_the_selected_lesion(table):
    asked = []
    table.verdict_requested.connect(lambda *args: asked.append(args))
    QTest.keyClick(table._view, Qt.Key.Key_Backspace)
    removed = []
    table.removal_requested.connect(removed.append)
    table.set_current(3)
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
        QTest.keyClick(table._view, key)
    assert asked == [(3, Verdict.ACCEPTED), (3, Verdict.REJECTED)]
    assert removed == [3]


def test_sorting_by_what_is_shown_and_by_what_is_not(table):
    table.sort_by(Column.VOLUME)
    assert order(table) == [3, 1, 2]
    table.sort_by(Column.SLICES)
    assert order(table) == [2, 3, 1]
    table.sort_by(Column.SIDE)
    assert order(table)[-1] == 2
    table.sort_by(None)
    assert order(table) == [1, 2, 3]


def test_a_click_on_a_header_sorts(table):
    header = table._view.horizontalHeader()
    x = header.sectionViewportPosition(int(Column.SCORE)) + 10
    QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(x, header.height() // 2))
    assert order(table) == [3, 2, 1]


def test_the_header_menu_offers_every_order(table):
    table._offer_orders(QPoint(5, 5))
    menu = table.findChild(QMenu)
    assert len(menu.actions()) == 1 + len(Column)
    menu.actions()[1 + Column.SLICES].trigger()
    assert order(table) == [2, 3, 1]
    menu.close()


def test_verdicts_keep_selection_and_order(table):
    table.sort_by(Column.VOLUME)
    table.set_current(1)
    table.set_verdicts({1: Verdict.REJECTED})
    assert table.current() == 1
    assert order(table) == [3, 1, 2]
    table.set_current(None)
    assert table.current() is None
    table.set_current(99)
    assert table.current() is None


def test_the_verdict_in_force_is_seen(table, dark, has_colour):
    assert not has_colour(table._view, dark.focus)
    table.set_verdicts({1: Verdict.ACCEPTED})
    image = table._view.viewport().grab(cell(table, 0, Column.STATE)).toImage()
    colours = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}
    assert dark.focus in colours


@pytest.mark.parametrize("width", [220, 260, 300, 420])
def test_no_horizontal_scroll_bar_and_the_range_is_readable(table, width):
    table.resize(width, 300)
    table.grab()
    assert table._view.horizontalScrollBar().maximum() == 0
    assert cell(table, 0, Column.STATE).right() <= table._view.viewport().width()
    assert width < 300 or cell(table, 0).width() > 90


def test_overlay_controls(table, qtbot):
    eye, slider = table.findChild(QToolButton), table.findChild(QSlider)
    toggled, opacities = [], []
    table.overlay_toggled.connect(toggled.append)
    table.opacity_changed.connect(opacities.append)
    table.set_overlay(False, 0.25)
    assert (toggled, opacities) == ([], [])
    assert not eye.isChecked()
    assert slider.value() == 25
    QTest.mouseClick(eye, Qt.MouseButton.LeftButton)
    slider.setValue(70)
    assert (toggled, opacities) == ([True], [0.7])


def test_without_lesions_a_note_stands_there(table):
    table.set_lesions((), CLASSES, (), {})
    table.set_note("No lesion found.")
    assert not table._view.isVisible()
    assert table._note.isVisible()
    assert table._note.text() == "No lesion found."
    assert table.current() is None
