"""The crash dialog and the bridge to it."""

from __future__ import annotations

import threading

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel

from ctviewer.core.findings import RESEARCH_USE
from ctviewer.ui.crash_dialog import CrashDialog, CrashReporter

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dialog(qtbot):
    shown = CrashDialog("ValueError\n  in fail")
    qtbot.addWidget(shown)
    shown.show()
    return shown


@pytest.fixture
def reporter(qtbot):
    made = CrashReporter()
    yield made
    if made.dialog is not None:
        made.dialog.close()


def test_it_says_what_happened_and_for_what_it_is_used(dialog):
    text = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert "Something went wrong" in text
    assert "no patient data" in text
    assert RESEARCH_USE in text
    assert dialog.report == "ValueError\n  in fail"
    assert not dialog.isModal()


def test_copy(dialog, qtbot):
    qtbot.mouseClick(dialog.copy_button, LEFT)
    assert QGuiApplication.clipboard().text() == dialog.report
    assert dialog.isVisible()


def test_continue_closes_and_no_more(dialog, qtbot):
    asked = []
    dialog.quit_requested.connect(lambda: asked.append(True))
    qtbot.mouseClick(dialog.continue_button, LEFT)
    assert not dialog.isVisible()
    assert asked == []


def test_quit_asks_for_the_end(dialog, qtbot):
    with qtbot.waitSignal(dialog.quit_requested):
        qtbot.mouseClick(dialog.quit_button, LEFT)


def test_a_report_from_another_thread_is_shown(reporter, qtbot):
    thread = threading.Thread(target=reporter.report, args=("from afar",))
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: reporter.dialog is not None)
    assert reporter.dialog.report == "from afar"


def test_a_burst_fills_one_dialog_and_ends(reporter, qtbot):
    for number in range(50):
        reporter.report(f"report {number}.")
    qtbot.waitUntil(lambda: reporter.dialog is not None and "report 4." in reporter.dialog.report)
    qtbot.wait(20)
    assert reporter.dialog.report.count("report") == 5


def test_after_closing_a_new_report_opens_a_new_dialog(reporter, qtbot):
    reporter.report("one")
    qtbot.waitUntil(lambda: reporter.dialog is not None)
    reporter.dialog.close()
    qtbot.waitUntil(lambda: reporter.dialog is None)
    reporter.report("two")
    qtbot.waitUntil(lambda: reporter.dialog is not None)
    assert reporter.dialog.report == "two"


def test_quit_reaches_who_owns_the_reporter(reporter, qtbot):
    reporter.report("one")
    qtbot.waitUntil(lambda: reporter.dialog is not None)
    with qtbot.waitSignal(reporter.quit_requested):
        qtbot.mouseClick(reporter.dialog.quit_button, LEFT)
