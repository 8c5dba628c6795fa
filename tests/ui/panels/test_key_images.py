import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from ctviewer.ui.panels.key_images import KeyImage, KeyImages


@pytest.fixture
def panel(show, picture):
    shown = show(KeyImages())
    shown.set_images([KeyImage(45, "Im 12", picture), KeyImage(3, "Im 88", picture)])
    return shown


def centre(panel, row):
    return panel._view.visualRect(panel._model.index(row, 0)).center()


def test_a_click_goes_to_the_slice(panel):
    asked = []
    panel.slice_requested.connect(asked.append)
    for row in (1, 0):
        QTest.mouseClick(panel._view.viewport(), Qt.MouseButton.LeftButton, pos=centre(panel, row))
    QTest.keyClick(panel._view, Qt.Key.Key_Return)
    assert asked == [3, 45, 45]


def test_delete_asks_for_removal(panel):
    asked = []
    panel.removal_requested.connect(asked.append)
    QTest.keyClick(panel._view, Qt.Key.Key_Delete)
    assert asked == []
    QTest.mouseClick(panel._view.viewport(), Qt.MouseButton.LeftButton, pos=centre(panel, 1))
    QTest.keyClick(panel._view, Qt.Key.Key_Delete)
    assert asked == [3]
    assert panel._model.rowCount() == 2


def test_pictures_are_drawn_and_an_empty_list_says_how_to_fill_it(panel, has_colour):
    assert has_colour(panel, "#b4b4b4")
    panel.set_images(())
    assert not panel._view.isVisible()
    assert panel._empty.isVisible()


def test_many_key_images_scroll_down_not_sideways(panel, picture):
    panel.set_images([KeyImage(n, f"Im {n}", picture) for n in range(12)])
    panel.grab()
    assert panel._view.horizontalScrollBar().maximum() == 0
    assert panel._view.verticalScrollBar().maximum() > 0
