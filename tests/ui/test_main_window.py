"""The real window with a scripted analysis: open, scroll, analyse, judge, report, close and find it all again."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pydicom
import pypdf
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDropEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QTableView,
    QToolButton,
)

from ctviewer.core.findings import Verdict
from ctviewer.core.windowing import Window
from ctviewer.ui import dialogs
from ctviewer.ui.main_window import NOT_SHOWN
from ctviewer.ui.panels.result_panel import STALE
from ctviewer.ui.panels.top_slices import SliceButton
from ctviewer.ui.presenters.analysing import Phase
from ctviewer.ui.viewport.slice_text import stack_names

HOT = 8


def wheel(view, notches: int, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
    centre = QPointF(view.rect().center())
    event = QWheelEvent(
        centre,
        view.mapToGlobal(centre),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def analyse(qtbot, window) -> None:
    with qtbot.waitSignal(window.analysing.finished, timeout=10_000):
        window.actions_["analyse"].trigger()


def test_opens_head_first_at_the_middle(ready):
    session = ready.session
    z = session.volume.geometry.locations
    assert list(z) == sorted(z)
    assert list(session.display_order) == list(range(11, -1, -1)), "the head, the largest z, is shown first"
    assert session.index == session.volume.middle
    assert ready.parts.view.slice_index == session.index
    assert "12 slices" in ready._status.text() and "research use" in ready._status.text()


def test_wheel_keys_and_strip_scroll(ready, qtbot):
    session, view = ready.session, ready.parts.view
    start = session.position
    wheel(view, -1)
    assert session.position == start + 1, "towards the reader is the next slice, as reading_room.md says"
    QTest.keyClick(view, Qt.Key.Key_Up)
    assert session.position == start
    QTest.keyClick(view, Qt.Key.Key_Home)
    assert session.position == 0
    QTest.keyClick(view, Qt.Key.Key_Up)
    assert session.position == 0, "the stack has an end"
    QTest.keyClick(view, Qt.Key.Key_End)
    assert session.position == 11
    strip = ready.parts.strip
    QTest.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(20, round(strip.y_of(3))))
    assert session.position == 3 and strip.value() == 3


def test_scrolling_never_changes_the_window(ready):
    ready.actions_["preset_4"].trigger()
    window = ready.session.window
    assert (window.width, window.centre) == (2000, 350)
    wheel(ready.parts.view, -3)
    assert ready.session.window == window and ready.parts.view.window_setting == window
    ready.actions_["window_file"].trigger()
    assert ready.session.window == ready.session.volume.initial_window


def test_digits_are_presets_and_typing_in_the_comment_is_not(ready, qtbot):
    QTest.keyClick(ready.parts.view, Qt.Key.Key_2)
    assert ready.session.window.name == "Mediastinum"
    field = ready.parts.comment.findChild(QPlainTextEdit)
    field.setFocus()
    QTest.keyClicks(QApplication.focusWidget(), "1 key t i")
    assert ready.session.window.name == "Mediastinum"
    assert not ready.actions_["invert"].isChecked()
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert ready.parts.view.hasFocus()


def test_analysis_shows_bars_top_slices_and_findings(ready, qtbot):
    analyse(qtbot, ready)
    state = ready.analysing.state
    assert state.phase is Phase.DONE
    assert ready.findings.lesions and ready.findings.lesions[0].slices == (HOT - 1, HOT, HOT + 1)
    ready.session.go_to(0)
    strip = ready.parts.strip
    y = round(strip.y_of(ready.session.position_of(HOT)))
    QTest.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(30, y))
    assert ready.session.index == HOT, "a click on the highest bar goes to its slice"
    QTest.keyClick(ready.parts.view, Qt.Key.Key_T)
    assert ready.session.index != HOT
    QTest.keyClick(ready.parts.view, Qt.Key.Key_T, Qt.KeyboardModifier.ShiftModifier)
    assert ready.session.index == HOT


def test_cancel_answers_at_once_and_drops_the_output(window, services, qtbot, study, open_and_wait):

    held, reached = threading.Event(), threading.Event()

    def hold(step: int) -> None:
        if step == 2:
            reached.set()
            assert held.wait(10)

    services.analysis.before_step = hold
    open_and_wait(window, study)
    window.actions_["analyse"].trigger()
    qtbot.waitUntil(reached.is_set, timeout=5000)
    window.actions_["cancel"].trigger()
    assert window.analysing.state.phase is Phase.IDLE, "the window is free while the step still runs"
    assert window.actions_["analyse"].isEnabled() and not window.actions_["cancel"].isEnabled()
    held.set()
    qtbot.waitUntil(lambda: services.analysis.closed == 1, timeout=5000)
    qtbot.wait(50)
    assert window.analysing.state.result is None and window.analysing.state.classification is None


@pytest.mark.parametrize(("outcome", "phase"), [("abstain", Phase.ABSTAINED), ("fail", Phase.FAILED)])
def test_an_analysis_that_gives_no_answer_says_why(window, services, qtbot, study, open_and_wait, outcome, phase):

    services.analysis.outcome = outcome
    open_and_wait(window, study)
    window.actions_["analyse"].trigger()
    qtbot.waitUntil(lambda: window.analysing.state.phase is phase, timeout=5000)
    texts = " ".join(label.text() for label in window.parts.result.findChildren(type(window._status)))
    assert ("12 slices" if outcome == "abstain" else "damaged") in texts
    assert window.analysing.state.classification is None
    assert window.actions_["analyse"].isEnabled()


def test_work_is_kept_and_undone(open_window, services, make_services, qtbot, study, open_and_wait):

    first = open_window(services)
    open_and_wait(first, study)
    analyse(qtbot, first)
    first.findings.go_to_lesion(1)
    assert first.session.index in (HOT - 1, HOT, HOT + 1)
    QTest.keyClick(first.parts.view, Qt.Key.Key_Backspace)
    assert first.reading.reading.latest.verdict(1) is Verdict.REJECTED
    first.actions_["undo"].trigger()
    assert first.reading.reading.latest.verdict(1) is Verdict.PENDING
    first.actions_["redo"].trigger()
    QTest.keyClick(first.parts.view, Qt.Key.Key_K)
    first.reading.set_comment("Ground glass on the right.")
    first.actions_["preset_1"].trigger()
    first.session.go_to(3)
    first.close()

    again = make_services()
    second = open_window(again)
    open_and_wait(second, study)
    kept = second.reading.reading
    assert kept.comment == "Ground glass on the right." and len(kept.key_slices) == 1
    assert kept.latest.verdict(1) is Verdict.REJECTED
    assert second.session.index == 3 and second.session.window.name == "Lung"
    assert second.analysing.state.phase is Phase.DONE, "the saved result is shown"
    assert again.analysis.runs == 0
    second.close()


def test_typing_is_undone_on_the_same_stack_as_all_else(ready, qtbot):
    analyse(qtbot, ready)
    ready.findings.select_lesion(1)
    QTest.keyClick(ready.parts.view, Qt.Key.Key_Return)
    ready.parts.comment.findChild(QPlainTextEdit).setFocus()
    field = QApplication.focusWidget()
    QTest.keyClicks(field, "first")
    qtbot.wait(600)  # a pause ends a step of undo
    QTest.keyClicks(field, " second")
    assert ready.reading.reading.comment == "first second"
    for expected in ("first", ""):
        QTest.keyClick(field, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        assert ready.reading.reading.comment == field.toPlainText() == expected
    QTest.keyClick(field, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert ready.reading.reading.latest.verdict(1) is Verdict.PENDING
    QTest.keyClick(field, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert ready.reading.reading.latest.verdict(1) is Verdict.ACCEPTED


def test_one_click_writes_the_report(ready, services, qtbot):
    analyse(qtbot, ready)
    ready.reading.set_comment("See slice with ground glass.")
    with qtbot.waitSignal(ready.reporting.written, timeout=20_000) as written:
        ready.actions_["report"].trigger()
    path: Path = written.args[0]
    text = "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
    text = "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
    assert "See slice with ground glass." in text and "T-1" in text and "infection-like" in text
    assert str(path) in ready.parts.messages.text


def test_a_report_into_the_opened_folder_is_refused(ready, study, qtbot):
    with qtbot.waitSignal(ready.reporting.failed, timeout=10_000) as refused:
        ready.reporting.write_to(study / "report.pdf")
    assert "opened folder" in refused.args[0]
    assert not (study / "report.pdf").exists()


def test_a_report_beside_the_series_in_the_opened_folder_is_refused_too(window, study, qtbot, open_and_wait):
    open_and_wait(window, study.parent)
    with qtbot.waitSignal(window.reporting.failed, timeout=10_000) as refused:
        window.reporting.write_to(study.parent / "report.pdf")
    assert "opened folder" in refused.args[0]
    assert not (study.parent / "report.pdf").exists()


def test_bad_folders_get_one_sentence_and_what_is_open_stays(ready, tmp_path, qtbot):
    empty = tmp_path / "empty"
    empty.mkdir()
    volume = ready.session.volume
    for path in (empty, tmp_path / "absent"):
        with qtbot.waitSignal(ready.opening.failed, timeout=5000) as failed:
            ready.open_path(path)
        assert path.name in failed.args[0] and failed.args[0] == ready.parts.messages.text
    assert ready.session.volume is volume


def test_a_series_of_which_nothing_can_be_decoded_is_named(window, tmp_path, qtbot, write_study):
    folder = write_study(tmp_path / "opened" / "bad", description="Thorax thin")
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
        dataset.PixelData = encapsulate([b"\xff\xd8\xff\xf7" + bytes(100)])
        dataset.save_as(path)
    with qtbot.waitSignal(window.opening.failed, timeout=20_000):
        window.open_path(folder)
    assert window.parts.messages.text.startswith("The series Thorax thin cannot be shown. ")
    assert window.parts.view._scene.message == NOT_SHOWN, "no invitation to open what is open"


def test_key_images_wait_until_they_can_be_kept(ready, tmp_path, qtbot, write_study):
    assert ready.actions_["key_image"].isEnabled()
    folder = write_study(tmp_path / "opened" / "other", 7)
    with qtbot.waitSignal(ready.session.series_changed, timeout=10_000):
        ready.open_path(folder)
    assert ready.reading.reading is None and not ready.actions_["key_image"].isEnabled()
    qtbot.waitUntil(ready.actions_["key_image"].isEnabled, timeout=10_000)


def test_the_strip_and_the_image_name_one_place(ready):
    first = ready.session.index_at(0)
    assert stack_names(ready.session.volume.geometry).places[first] in ready.image._captions(0)[1]


def test_drop_opens(window, study, qtbot):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(study))])
    event = QDropEvent(
        QPointF(10, 10), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    with qtbot.waitSignal(window.reading.ready, timeout=10_000):
        window.dropEvent(event)
    assert window.session.slice_count == 12


def test_analysis_asked_for_while_loading_starts_when_loaded(window, services, study, qtbot):
    with qtbot.waitSignal(window.session.volume_changed, timeout=10_000):
        window.open_path(study)
    window.analysing.start(loaded=False)
    assert window.analysing.state.phase is Phase.WAITING
    qtbot.waitUntil(lambda: window.analysing.state.phase is Phase.DONE, timeout=10_000)
    assert services.analysis.runs == 1


def test_analyses_by_itself_when_set(open_window, services, study, qtbot):
    services.set_preference(auto_analyse=True)
    window = open_window(services)
    with qtbot.waitSignal(window.analysing.finished, timeout=10_000):
        window.open_path(study)
    assert services.analysis.runs == 1


def test_page_keys_change_the_series(window, tmp_path, qtbot, write_study, open_and_wait):

    folder = tmp_path / "opened" / "two"
    write_study(folder / "a", 1, series_number=2, kernel="B70f", study_uid="1.2.3")
    write_study(folder / "b", 2, series_number=3, kernel="B40f", study_uid="1.2.3")
    open_and_wait(window, folder)
    first = window.session.series.key
    with qtbot.waitSignal(window.reading.ready, timeout=10_000):
        QTest.keyClick(window.parts.view, Qt.Key.Key_PageDown)
    assert window.session.series.key != first
    with qtbot.waitSignal(window.reading.ready, timeout=10_000):
        QTest.keyClick(window.parts.view, Qt.Key.Key_PageUp)
    assert window.session.series.key == first


def test_space_shows_the_plain_image(ready, qtbot):
    analyse(qtbot, ready)
    ready.session.go_to(HOT)
    QTest.keyClick(ready.parts.view, Qt.Key.Key_Space)
    assert not ready.parts.view.marks_visible
    QTest.keyClick(ready.parts.view, Qt.Key.Key_Space)
    assert ready.parts.view.marks_visible


def test_accept_and_reject_are_for_the_selected_finding_and_toggle(ready, qtbot):
    analyse(qtbot, ready)
    QTest.keyClick(ready.parts.view, Qt.Key.Key_Return)
    assert ready.reading.reading.latest.verdicts == {}, "nothing is selected"
    ready.findings.select_lesion(1)
    QTest.keyClick(ready.parts.view, Qt.Key.Key_Return)
    assert ready.reading.reading.latest.verdict(1) is Verdict.ACCEPTED
    QTest.keyClick(ready.parts.view, Qt.Key.Key_Return)
    assert ready.reading.reading.latest.verdict(1) is Verdict.PENDING


def test_flips_zoom_and_reset(ready):
    view = ready.parts.view
    flips = view.flips
    QTest.keyClick(view, Qt.Key.Key_H)
    assert view.flips == (not flips[0], flips[1])
    ready.actions_["actual_size"].trigger()
    assert view.zoom == pytest.approx(1.0)
    QTest.keyClick(view, Qt.Key.Key_R)
    assert view.flips == flips and view.zoom != pytest.approx(1.0)


def test_dialogs_open_beside_the_reading_and_close(ready, qtbot):
    for name in ("models", "keys", "about"):
        ready.actions_[name].trigger()
    dialogs = [w for w in QApplication.topLevelWidgets() if w.isVisible() and w is not ready]
    assert len(dialogs) == 3 and not any(d.isModal() for d in dialogs)
    for dialog in dialogs:
        dialog.close()


def test_a_store_that_cannot_be_written_is_told_and_nothing_is_lost(ready, services, qtbot, monkeypatch):
    from ctviewer.core.errors import StorageError

    def refuse(_reading: object) -> None:
        raise StorageError("Your work could not be saved: the disk is full.")

    monkeypatch.setattr(services.store, "save_reading", refuse)
    ready.reading.set_comment("kept in memory")
    assert not ready.reading.save()
    assert "disk is full" in ready.parts.messages.text
    assert ready.reading.reading.comment == "kept in memory"
    monkeypatch.undo()
    assert ready.reading.save(), "the next try keeps it"
    digests = ready.reading.reading.slice_digests
    assert services.store.load_reading(ready.session.series.key, digests).comment == "kept in memory"


def test_cine_runs_and_a_movement_stops_it(ready, qtbot):
    start = ready.session.position
    ready.actions_["cine"].setChecked(True)
    qtbot.waitUntil(lambda: ready.session.position not in (start,), timeout=3000)
    wheel(ready.parts.view, 1)
    assert not ready.actions_["cine"].isChecked()


def test_the_image_has_most_of_the_room(ready):
    ready.resize(1280, 800)
    QApplication.processEvents()
    view = ready.parts.view
    assert view.width() >= 600 and view.height() >= 640
    ready.actions_["panels"].setChecked(False)
    QApplication.processEvents()
    assert view.width() >= 1100
    assert np.isclose(ready.parts.strip.height(), view.height(), atol=2)


def test_the_window_comes_back_where_it_was(open_window, services, make_services, qtbot):
    first = open_window(services)
    first.resize(771, 643)  # the off-screen screen is 800 x 800
    first.close()
    again = make_services()
    again.kept = services.kept
    second = open_window(again)
    assert (second.width(), second.height()) == (771, 643)
    second.close()


def test_the_histogram_follows_the_window_and_changes_it(ready):
    ready.actions_["preset_1"].trigger()
    ready.actions_["histogram"].trigger()
    dialog = next(w for w in QApplication.topLevelWidgets() if w.isVisible() and w is not ready)
    assert dialog.region == (-1350, 150)
    dialog.set_region(-160, 240)
    assert (ready.session.window.width, ready.session.window.centre) == (400, 40)
    ready.actions_["preset_4"].trigger()
    assert dialog.region == (-650, 1350)
    wheel(ready.parts.view, -1)
    dialog.close()


def test_says_when_another_series_suits_the_models_better(window, tmp_path, qtbot, write_study, open_and_wait):
    folder = tmp_path / "opened" / "two"
    write_study(folder / "soft", 1, series_number=2, kernel="B40f", study_uid="1.2.3")
    write_study(folder / "lung", 2, series_number=3, kernel="B70f", study_uid="1.2.3")
    open_and_wait(window, folder)
    soft = next(s for s in window.session.catalog.series if s.kernel == "B40f")
    if window.session.series.key != soft.key:
        with qtbot.waitSignal(window.reading.ready, timeout=10_000):
            window.opening.open_series(soft)
    analyse(qtbot, window)
    assert "Series 3 (B70f, 2.5 mm)" in window.parts.messages.text
    button = next(b for b in window.parts.messages.findChildren(QToolButton) if b.text() == "Analyse that one")
    with qtbot.waitSignal(window.analysing.finished, timeout=10_000):
        button.click()
    assert window.session.series.kernel == "B70f" and window.parts.messages.text == ""


def test_the_files_own_windows_are_offered_by_name(window, tmp_path, qtbot, write_study, open_and_wait):
    windows = (Window(50, 350, name="WINDOW1"), Window(-550, 1600, name="WINDOW2"))
    open_and_wait(window, write_study(tmp_path / "opened" / "two windows", windows=windows))
    offered = {a.text(): a for a in window._preset_button.menu().actions()}
    offered["WINDOW2  1600 / -550"].trigger()
    assert (window.session.window.width, window.session.window.centre) == (1600, -550)


def test_paper_is_chosen_in_the_menu_and_kept(window, services):
    assert window.actions_["paper_a4"].isChecked()
    window.actions_["paper_letter"].trigger()
    assert services.kept.page == "Letter" and not window.actions_["paper_a4"].isChecked()


def test_a_click_in_a_panel_leaves_the_keys_with_the_image(ready, qtbot):
    analyse(qtbot, ready)
    parts, table = ready.parts, ready.parts.findings.findChild(QTableView)
    clicks = {
        "a finding": table.viewport(),
        "the open series": parts.series.findChild(QAbstractItemView).viewport(),
        "the overlay's switch": parts.findings.findChild(QToolButton),
        "a top slice": parts.top.findChild(SliceButton),
    }
    for name, target in clicks.items():
        parts.view.setFocus()
        qtbot.mouseClick(target, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(parts.view.hasFocus)
        before = ready.session.position
        qtbot.keyClick(ready.focusWidget(), Qt.Key.Key_Down)
        assert ready.session.position == before + 1, name


def test_tab_goes_from_the_image_through_the_panels_as_they_stand(ready, qtbot):
    analyse(qtbot, ready)
    parts = ready.parts
    parts.view.setFocus()
    seen = []
    while not seen or seen[-1] is not parts.view:
        qtbot.keyClick(ready.focusWidget(), Qt.Key.Key_Tab)
        seen.append(ready.focusWidget())
        assert len(seen) < 30, [type(w).__name__ for w in seen]
    panels = (parts.strip, parts.series, parts.result, parts.top, parts.findings, parts.comment)
    reached = [next((p for p in panels if p is w or p.isAncestorOf(w)), None) for w in seen]
    order = [p for n, p in enumerate(reached) if p is not None and p not in reached[:n]]
    assert order == list(panels), [type(w).__name__ for w in seen]
    assert parts.comment.findChild(QLineEdit) in seen


@pytest.mark.parametrize(("label", "closes"), [("&Close and lose them", True), ("&Keep open", False)])
def test_closing_with_unsaved_work_names_both_ways(ready, label, closes):
    def answer() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        next(button for button in box.buttons() if button.text() == label).click()

    QTimer.singleShot(0, answer)
    assert dialogs.close_anyway(ready) is closes


def told(window) -> str:
    return " ".join(label.text() for label in window.parts.result.findChildren(QLabel) if label.isVisible())


def test_a_result_of_models_no_longer_active_says_so(ready, services, qtbot):
    analyse(qtbot, ready)
    result = ready.analysing.state.result
    assert STALE not in told(ready)
    services.current = False
    ready.analysing.show(result)
    assert STALE in told(ready)


def test_marks_appear_on_the_slice_shown_while_the_detector_works(
    window, services, qtbot, study, open_and_wait, monkeypatch
):
    asked = []
    monkeypatch.setattr(services, "detector_classes", lambda: asked.append(1) or ("background", "lung", "ground glass"))
    window.findings._detector_classes = services.detector_classes
    open_and_wait(window, study)
    window.session.go_to(HOT - 1)  # the second to be marked
    drawn_anew = {}

    def look(index: int, _instances: object) -> None:
        drawn_anew[index] = window.parts.view._frame is None
        window.parts.view.repaint()

    window.analysing.marked.connect(look)
    analyse(qtbot, window)
    assert drawn_anew[HOT - 1], "the slice shown is drawn anew as soon as it is marked"
    assert len(asked) == 1, "the bundles are read once a run, not for each outline"
