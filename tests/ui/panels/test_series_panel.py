from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QToolButton

from ctviewer.core.events import Progress
from ctviewer.core.series import Notice, Severity, Study
from ctviewer.ui.panels.series_delegate import series_lines
from ctviewer.ui.panels.series_panel import NOTHING_OPEN, SeriesPanel, study_lines


def click(panel, key):
    view = panel._view
    index = panel._model.item_of(key).index()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center())


def test_a_series_in_words(series):
    assert series_lines(series(kernel="Br59")) == ("3  Lung 2.0", "148 slices · 2 mm", "CT · 512 × 512 · Br59")
    assert series_lines(series(count=1, slice_spacing=None, number=None, description=""))[:2] == ("CT", "1 slice")
    assert series_lines(series(slice_spacing=0.0))[1] == "148 slices"
    unreadable = series(readable=False, reason="Holds no images.")
    assert series_lines(unreadable)[1:] == ("CT · 148 files", "Holds no images.")


def test_parts_of_a_split_series_are_told_apart_by_their_images(series):
    split = Notice("series-split", Severity.INFO, "This series is part 1 of 2.")
    part = replace(series("a", count=20), notices=(split,))
    part = replace(part, slices=tuple(replace(s, instance_number=21 + n) for n, s in enumerate(part.slices)))
    assert series_lines(part)[2].startswith("Im 21–40 · CT · 512 × 512")
    assert series_lines(replace(part, notices=()))[2].startswith("CT · 512 × 512")


def test_a_study_in_words(series):
    assert study_lines(series()) == ("Müller, Anna", "P001 · 2020-03-12 10:15", "CT thorax")
    one = series()
    assert study_lines(replace(one, patient=replace(one.patient, name="", patient_id=""), study=Study())) == (
        "Study without a date",
    )


def test_studies_are_headings_and_a_click_activates_a_series(show, series, qtbot):
    panel = show(SeriesPanel(), width=210, height=500)
    panel.set_series([series("a"), series("b", description="Mediastinum"), series("c", study="s0")])
    assert panel._model.rowCount() == 2
    assert panel._model.item(0).rowCount() == 2
    for key in ("b", "c"):
        with qtbot.waitSignal(panel.series_activated) as asked:
            click(panel, key)
        assert asked.args == [key]


def test_two_patients_who_share_a_study_uid_have_a_heading_each(show, series):
    panel = show(SeriesPanel(), width=210, height=500)
    other = replace(series("b"), patient=replace(series("b").patient, patient_id="P002"))
    panel.set_series([series("a"), other])
    assert panel._model.rowCount() == 2
    assert "P002" in panel._model.item(1).data(Qt.ItemDataRole.AccessibleTextRole)


def test_a_heading_activates_nothing(show, series):
    panel = show(SeriesPanel(), width=210, height=500)
    panel.set_series([series("a")])
    asked = []
    panel.series_activated.connect(asked.append)
    rect = panel._view.visualRect(panel._model.item(0).index())
    QTest.mouseClick(panel._view.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    assert asked == []


def test_arrows_move_and_enter_activates(show, series, qtbot):
    panel = show(SeriesPanel(), width=210, height=500)
    panel.set_series([series("a"), series("b")])
    panel.set_current("a")
    asked = []
    panel.series_activated.connect(asked.append)
    QTest.keyClick(panel._view, Qt.Key.Key_Down)
    assert asked == []
    QTest.keyClick(panel._view, Qt.Key.Key_Return)
    assert asked == ["b"]


def test_a_double_click_activates_once(show, series):
    panel = show(SeriesPanel(), width=210, height=500)
    panel.set_series([series("a"), series("b")])
    asked = []
    panel.series_activated.connect(asked.append)
    at = panel._view.visualRect(panel._model.item_of("b").index()).center()
    click(panel, "b")
    QTest.mouseDClick(panel._view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert asked == ["b"]


def test_the_open_series_is_highlighted(show, series, dark, has_colour):
    panel = show(SeriesPanel(), width=210, height=500)
    panel.set_series([series("a"), series("b")])
    assert not has_colour(panel._view, dark.selection)
    panel.set_current("b")
    assert has_colour(panel._view, dark.selection)
    panel.set_series([series("c"), series("b")])
    assert has_colour(panel._view, dark.selection)
    panel.set_current("")
    assert not has_colour(panel._view, dark.selection)


def test_thumbnails_may_come_before_and_after_their_series(show, series, picture, has_colour):
    panel = show(SeriesPanel(), width=210, height=500)
    panel.set_thumbnail("gone", picture)
    panel.set_series([series("a")])
    assert not has_colour(panel._view, "#b4b4b4")
    panel.set_thumbnail("a", picture)
    assert has_colour(panel._view, "#b4b4b4")
    panel.set_series([series("a"), series("b")])
    assert has_colour(panel._view, "#b4b4b4")
    assert set(panel._thumbnails) == {"a"}


def test_what_cannot_be_read_is_grey_with_its_reason(show, series, dark, has_colour):
    panel = show(SeriesPanel(), width=210, height=500)
    panel.set_series([series("a", readable=False, reason="Holds no images.")])
    assert "Holds no images." in panel._model.item_of("a").toolTip()
    assert has_colour(panel._view, dark.warning)


@pytest.mark.parametrize("width", [150, 210])
def test_it_fits_a_narrow_column_with_names_in_any_script(show, series, width):
    panel = show(SeriesPanel(), width=width, height=200)
    panel.set_series([series(str(n), description="肺野 Ж محمد" * 20) for n in range(12)])
    assert panel.width() == width
    assert panel._view.horizontalScrollBar().maximum() == 0
    assert panel._view.verticalScrollBar().maximum() > 0
    panel.grab()


def test_without_series_it_says_how_to_open_one(show):
    panel = show(SeriesPanel(), width=210)
    assert any(label.isVisible() and label.text() == NOTHING_OPEN for label in panel.findChildren(QLabel))


def test_a_scan_shows_how_far_it_is_and_can_be_cancelled(show, qtbot):
    panel = show(SeriesPanel(), width=210)
    line = panel._progress
    assert line.isHidden()
    panel.set_scanning(Progress("Reading headers", 120, 400))
    assert line.isVisible()
    assert (line._bar.value(), line._bar.maximum()) == (120, 400)
    assert line._text.text() == "Reading headers 120/400"
    with qtbot.waitSignal(panel.cancel_requested):
        QTest.mouseClick(line.findChild(QToolButton), Qt.MouseButton.LeftButton)
    panel.set_scanning(Progress("Reading headers", 7, 0))
    assert line._bar.isHidden()
    panel.set_scanning(None)
    assert line.isHidden()
