from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from ctviewer.core.series import Notice, Severity
from ctviewer.ui.panels.notices_panel import LEAD_ROLE, NOTICE_ROLE, NoticesPanel

NOTICES = (
    Notice("lossy", Severity.INFO, "Lossy compression was used at some time."),
    Notice("missing-slices", Severity.WARNING, "2 slices are missing between -212.0 mm and -206.0 mm. " * 3, (30, 31)),
    Notice("same-uid", Severity.DANGER, "Two slices have the same UID and other pixels.", (7,), (Path("a.dcm"),)),
)


def click(panel, row):
    rect = panel._view.visualRect(panel._model.index(row, 0))
    QTest.mouseClick(panel._view.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())


def test_without_notices_it_is_away(show):
    panel = show(NoticesPanel())
    panel.set_notices(NOTICES)
    assert panel.isVisible()
    panel.set_notices(())
    assert panel.isHidden()


def test_worst_first_and_red_only_for_danger(show, dark, has_colour):
    panel = show(NoticesPanel(), width=210)
    panel.set_notices(NOTICES[:2])
    assert not has_colour(panel, dark.danger)
    panel.set_notices(NOTICES)
    shown = [panel._model.index(r, 0).data(NOTICE_ROLE).severity for r in range(3)]
    assert shown == [Severity.DANGER, Severity.WARNING, Severity.INFO]
    assert has_colour(panel, dark.danger)
    assert "a.dcm" in panel._model.item(0).toolTip()


def test_a_click_goes_through_the_slices(show):
    panel = show(NoticesPanel(), width=210)
    panel.set_notices(NOTICES)
    asked = []
    panel.slice_requested.connect(asked.append)
    for row in (1, 1, 1, 0, 2):
        click(panel, row)
    QTest.keyClick(panel._view, Qt.Key.Key_Up)
    QTest.keyClick(panel._view, Qt.Key.Key_Return)
    assert asked == [30, 31, 30, 7, 31]


def test_a_notice_says_that_it_leads_to_slices_and_which_is_shown(show):
    panel = show(NoticesPanel(), width=210)
    panel.set_notices(NOTICES)

    def leads():
        return [panel._model.item(row).data(LEAD_ROLE) for row in range(3)]

    assert leads() == ["Go to the slice ›", "Go through 2 slices ›", ""]
    spoken = panel._model.item(1).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken.startswith("warning: ") and spoken.endswith("Go through 2 slices ›")
    click(panel, 1)
    click(panel, 0)
    assert leads() == ["Slice shown", "Slice 1 of 2: click for the next ›", ""]
    click(panel, 1)
    assert leads()[1] == "Slice 2 of 2: click for the next ›"


def test_long_sentences_wrap_to_the_width(show):
    panel = show(NoticesPanel(), width=400)
    panel.set_notices(NOTICES)
    panel.grab()
    wide = panel._view.visualRect(panel._model.index(1, 0)).height()
    panel.resize(200, 420)
    panel.grab()
    QTest.qWait(1)
    assert panel._view.visualRect(panel._model.index(1, 0)).height() > wide
    assert panel._view.horizontalScrollBar().maximum() == 0
