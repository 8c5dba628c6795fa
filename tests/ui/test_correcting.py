"""Findings corrected in the real window, by mouse and keys; kept, undone, and there again after a restart."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu

from ctviewer.core.findings import Verdict
from ctviewer.core.read_findings import Origin
from ctviewer.ui.panels.findings_model import EDITED_ROLE, SECOND_ROLE
from ctviewer.ui.presenters.correcting import Hand

HOT = 8  # of the scripted analysis: a lesion on rows 24..33 and columns 16..25 of slices 7, 8 and 9
LEFT = Qt.MouseButton.LeftButton
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def analysed(ready, qtbot):
    with qtbot.waitSignal(ready.analysing.finished, timeout=10_000):
        ready.actions_["analyse"].trigger()
    ready.session.go_to(HOT)
    ready.parts.view.setFocus()
    return ready


def key(window, key: Qt.Key, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(window.parts.view, key, modifiers)


def send(view, kind, row: float, column: float, buttons, modifiers) -> None:
    at = QPointF(*view.transform.to_view(column + 0.5, row + 0.5))
    button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else LEFT
    QApplication.sendEvent(view, QMouseEvent(kind, at, view.mapToGlobal(at), button, buttons, modifiers))


def stroke(window, *pixels: tuple[float, float], modifiers=Qt.KeyboardModifier.NoModifier) -> None:
    """Press at the first pixel (row, column), go through the others, release."""
    view = window.parts.view
    send(view, QEvent.Type.MouseButtonPress, *pixels[0], LEFT, modifiers)
    for pixel in pixels[1:]:
        send(view, QEvent.Type.MouseMove, *pixel, LEFT, modifiers)
    send(view, QEvent.Type.MouseButtonRelease, *pixels[-1], Qt.MouseButton.NoButton, modifiers)


def finding(window, lesion_id: int):
    return window.correcting.finding(lesion_id)


def pixels(window, lesion_id: int, index: int) -> np.ndarray:
    out = np.zeros((64, 64), bool)
    for instance in finding(window, lesion_id).lesion.instances:
        if instance.slice_index == index:
            out |= instance.mask.full(out.shape)
    return out


def smallest_brush(window) -> None:
    window.correcting.resize(-20)


def test_a_stroke_adds_pixels_is_measured_and_is_one_step_of_undo(analysed):
    before = finding(analysed, 1)
    area_before = analysed.parts.strip._data.area.copy()
    analysed.findings.select_lesion(1)
    key(analysed, Qt.Key.Key_M)
    assert analysed.correcting.state.hand is Hand.BRUSH and analysed.actions_["tool_brush"].isChecked()
    assert analysed.parts.edit_bar.isVisible() and "finding 1" in analysed.parts.edit_bar.title
    smallest_brush(analysed)
    stroke(analysed, (30, 26), (30, 30), (30, 35))
    after = finding(analysed, 1)
    wanted = np.zeros((64, 64), bool)
    wanted[24:34, 16:26] = wanted[30, 26:36] = True
    assert np.array_equal(pixels(analysed, 1, HOT), wanted)
    assert after.origin is Origin.CORRECTED and after.verdict is Verdict.ACCEPTED
    assert after.lesion.volume_ml == pytest.approx(before.lesion.volume_ml + 10 * 9.0 * 2.5 / 1000)
    position = analysed.session.position_of(HOT)
    assert analysed.parts.strip._data.area[position] == pytest.approx(area_before[position] + 90.0)
    (shape,) = analysed.parts.view._scene.lesions[HOT]
    assert np.array_equal(shape.mask.full((64, 64)), wanted) and shape.state is Verdict.ACCEPTED
    key(analysed, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert finding(analysed, 1) == before and analysed.reading.reading.latest.corrections == {}
    key(analysed, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | SHIFT)
    assert np.array_equal(pixels(analysed, 1, HOT), wanted)
    assert analysed.analysing.state.result.lesions[0] == before.lesion, "the model's own stays"


def test_a_stroke_is_on_the_disk_when_it_ends(analysed, services):
    analysed.findings.select_lesion(1)
    key(analysed, Qt.Key.Key_U)
    smallest_brush(analysed)
    stroke(analysed, (24, 16), (24, 25))
    reading = analysed.reading.reading
    kept = services.store.load_reading(reading.series_key, reading.slice_digests)
    assert kept.latest.corrections == reading.latest.corrections != {}
    mask = kept.latest.correction(1).outlines[HOT].full((64, 64))
    assert not mask[24].any() and mask[25, 16:26].all()


def test_drawing_with_a_class_and_correcting_it_afterwards(analysed):
    key(analysed, Qt.Key.Key_N)
    bar = analysed.parts.edit_bar
    assert bar.title == "Draw a new finding: ground glass"
    assert list(bar.buttons) == ["ground glass", "consolidation", "Other…"]
    bar.buttons["consolidation"].click()
    analysed.session.go_to(3)
    smallest_brush(analysed)
    stroke(analysed, (28, 40), (28, 44))
    stroke(analysed, (29, 40), (29, 44))
    drawn = finding(analysed, -1)
    assert drawn.origin is Origin.DRAWN and drawn.lesion.label == "consolidation"
    assert pixels(analysed, -1, 3).sum() == 10 and analysed.correcting.selected == -1
    assert bar.title == "Brush: finding D1"
    key(analysed, Qt.Key.Key_L)
    assert finding(analysed, -1).lesion.label == "ground glass"
    for _ in range(3):
        analysed.actions_["undo"].trigger()
    assert finding(analysed, -1) is None and analysed.correcting.selected is None


def test_a_class_in_the_readers_own_words(analysed):
    key(analysed, Qt.Key.Key_N)
    bar = analysed.parts.edit_bar
    bar.buttons["Other…"].click()
    field = bar.findChild(QLineEdit)
    assert field.isVisible()
    QTest.keyClicks(field, "tree in bud")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert not field.isVisible() and analysed.correcting.state.label == "tree in bud"
    stroke(analysed, (40, 40), (40, 44))
    assert finding(analysed, -1).lesion.label == "tree in bud"
    assert "tree in bud" in analysed.correcting.choices()


def test_the_brush_leaves_other_findings_alone_until_shift_is_held(analysed):
    key(analysed, Qt.Key.Key_N)
    smallest_brush(analysed)
    stroke(analysed, (28, 20), (28, 30))
    assert pixels(analysed, -1, HOT).sum() == 5 and pixels(analysed, 1, HOT).sum() == 100
    assert "left alone; hold Shift" in analysed.parts.edit_bar.note
    stroke(analysed, (28, 20), (28, 30), modifiers=SHIFT)
    assert pixels(analysed, -1, HOT).sum() == 11 and pixels(analysed, 1, HOT).sum() == 94
    assert analysed.parts.edit_bar.note == "6 pixels were taken from finding 1."
    analysed.actions_["undo"].trigger()
    assert pixels(analysed, 1, HOT).sum() == 100 and pixels(analysed, -1, HOT).sum() == 5


def test_works_zoomed_and_flipped(analysed):
    analysed.actions_["flip_h"].trigger()
    analysed.actions_["flip_v"].trigger()
    analysed.parts.view.set_zoom(7.0)
    analysed.findings.select_lesion(1)
    key(analysed, Qt.Key.Key_M)
    smallest_brush(analysed)
    stroke(analysed, (35, 30), (35, 33))
    assert np.flatnonzero(pixels(analysed, 1, HOT)[35]).tolist() == [30, 31, 32, 33]


def test_without_a_selection_the_brush_takes_the_finding_it_begins_on(analysed):
    key(analysed, Qt.Key.Key_U)
    stroke(analysed, (50, 50))
    assert "Select a finding" in analysed.parts.edit_bar.note
    smallest_brush(analysed)
    stroke(analysed, (28, 20))
    assert analysed.correcting.selected == 1 and pixels(analysed, 1, HOT).sum() == 99


def test_escape_puts_the_tool_away_and_the_window_drag_is_back(analysed):
    key(analysed, Qt.Key.Key_P)
    key(analysed, Qt.Key.Key_M)
    assert analysed.parts.view.brush is not None and not analysed.actions_["tool_pan"].isChecked()
    key(analysed, Qt.Key.Key_Escape)
    assert analysed.parts.view.brush is None and not analysed.parts.edit_bar.isVisible()
    assert analysed.actions_["tool_pan"].isChecked() and not analysed.actions_["tool_brush"].isChecked()
    key(analysed, Qt.Key.Key_U)
    key(analysed, Qt.Key.Key_W)
    assert analysed.parts.view.brush is None and analysed.actions_["tool_window"].isChecked()


def test_the_plain_image_is_one_key_away_and_nothing_is_painted_on_it(analysed):
    analysed.findings.select_lesion(1)
    key(analysed, Qt.Key.Key_M)
    key(analysed, Qt.Key.Key_Space)
    stroke(analysed, (40, 40))
    assert "hidden" in analysed.parts.edit_bar.note and finding(analysed, 1).origin is Origin.MODEL
    key(analysed, Qt.Key.Key_Space)
    stroke(analysed, (40, 40))
    assert finding(analysed, 1).origin is Origin.CORRECTED


def test_what_the_tool_does_is_in_sight_on_a_small_screen(analysed, qtbot):
    right, bar = analysed.parts.right, analysed.parts.edit_bar
    analysed.resize(1000, 480)
    right.verticalScrollBar().setValue(0)
    qtbot.waitUntil(lambda: right.verticalScrollBar().maximum() > 100)
    key(analysed, Qt.Key.Key_N)

    def whole() -> bool:
        shown = bar.visibleRegion().boundingRect()
        return bar.isVisible() and shown == bar.rect()

    qtbot.waitUntil(whole)
    right.verticalScrollBar().setValue(0)
    analysed.findings.select_lesion(1)
    analysed.correcting.refuse()  # what there is to know is brought into sight too
    qtbot.waitUntil(whole)


def test_with_the_panels_folded_away_words_stand_above_the_image(analysed):
    analysed.actions_["panels"].trigger()
    key(analysed, Qt.Key.Key_M)
    stroke(analysed, (2, 2), (2, 4))
    assert "Select a finding" in analysed.parts.messages.text


def test_sizes_by_keys(analysed):
    key(analysed, Qt.Key.Key_M)
    before = analysed.correcting.state.size
    key(analysed, Qt.Key.Key_BracketRight)
    assert analysed.correcting.state.size > before and analysed.parts.view.brush.diameter > before
    key(analysed, Qt.Key.Key_BracketLeft)
    key(analysed, Qt.Key.Key_Minus)
    assert analysed.correcting.state.size < before
    key(analysed, Qt.Key.Key_Escape)
    assert not analysed.actions_["larger_brush"].isEnabled()


def test_delete_removes_what_was_drawn_and_rejects_what_a_model_found(analysed):
    key(analysed, Qt.Key.Key_N)
    stroke(analysed, (45, 45))
    key(analysed, Qt.Key.Key_Delete)
    assert finding(analysed, -1) is None
    analysed.actions_["undo"].trigger()
    assert finding(analysed, -1) is not None
    analysed.findings.select_lesion(1)
    key(analysed, Qt.Key.Key_Delete)
    assert finding(analysed, 1).verdict is Verdict.REJECTED


def test_taken_off_slice_by_slice_it_is_rejected_at_the_end(analysed):
    analysed.findings.select_lesion(1)
    for index in (HOT - 1, HOT):
        analysed.session.go_to(index)
        key(analysed, Qt.Key.Key_Delete, SHIFT)
    assert finding(analysed, 1).lesion.slices == (HOT + 1,)
    analysed.session.go_to(HOT + 1)
    key(analysed, Qt.Key.Key_Delete, SHIFT)
    assert finding(analysed, 1).verdict is Verdict.REJECTED
    assert analysed.parts.messages.text == "Finding 1 has no pixel left: it is rejected."


def test_the_table_shows_what_was_corrected(analysed):
    analysed.correcting.relabel(1, "consolidation")
    model = analysed.parts.findings._model
    index = model.index(0, 0)
    assert index.data() == "consolidation" and index.data(EDITED_ROLE)
    assert "the model said ground glass" in index.data(Qt.ItemDataRole.ToolTipRole)
    key(analysed, Qt.Key.Key_N)
    stroke(analysed, (45, 45))
    row = model.index(1, 0)
    assert row.data(EDITED_ROLE) and "Im" in row.data(SECOND_ROLE)
    assert "drawn by the reader" in row.data(Qt.ItemDataRole.ToolTipRole)
    assert model.index(1, 6).data() == "–", "a drawing has no score"


def test_rows_and_selection_stay_while_a_finding_is_edited(analysed):
    resets = []
    analysed.parts.findings._model.modelReset.connect(lambda: resets.append(True))
    analysed.findings.select_lesion(1)
    key(analysed, Qt.Key.Key_M)
    stroke(analysed, (40, 40))
    assert resets == [] and analysed.parts.findings.current() == 1 == analysed.correcting.selected


def test_a_slice_is_reviewed_only_when_its_findings_are_judged(analysed, services):
    key(analysed, Qt.Key.Key_Y)
    assert not analysed.parts.review.box.isChecked() and not analysed.actions_["reviewed_slice"].isChecked()
    assert analysed.parts.messages.text.startswith("1 finding on this slice is not judged yet.")
    button = next(b for b in analysed.parts.messages._buttons if b.text() == "Accept and mark")
    button.click()
    assert analysed.parts.review.box.isChecked() and finding(analysed, 1).verdict is Verdict.ACCEPTED
    assert analysed.parts.review.count_text == "1 of 12"
    position = analysed.session.position_of(HOT)
    assert np.flatnonzero(analysed.parts.strip._data.reviewed).tolist() == [position]
    assert "reviewed completely" in analysed.parts.strip.hover_text(position)
    analysed.session.go_to(2)
    assert not analysed.parts.review.box.isChecked()
    QTest.mouseClick(analysed.parts.review.box, LEFT, pos=QPoint(8, analysed.parts.review.box.height() // 2))
    assert analysed.parts.review.count_text == "2 of 12"
    analysed.actions_["undo"].trigger()
    analysed.actions_["undo"].trigger()
    assert analysed.parts.review.count_text == "" and finding(analysed, 1).verdict is Verdict.PENDING
    analysed.findings.select_lesion(1)
    key(analysed, Qt.Key.Key_Backspace)
    key(analysed, Qt.Key.Key_Y, SHIFT)
    assert analysed.parts.review.count_text == "whole series" and analysed.actions_["reviewed_study"].isChecked()
    reading = analysed.reading.reading
    kept = services.store.load_reading(reading.series_key, reading.slice_digests)
    assert set(kept.marks.reviewed) == set(reading.slice_digests)


def test_drawn_findings_and_reviews_survive_a_new_analysis(analysed, qtbot):
    key(analysed, Qt.Key.Key_N)
    stroke(analysed, (45, 45))
    analysed.session.go_to(2)
    key(analysed, Qt.Key.Key_Y)
    with qtbot.waitSignal(analysed.analysing.finished, timeout=10_000):
        analysed.actions_["analyse"].trigger()
    assert finding(analysed, -1) is not None and finding(analysed, 1).verdict is Verdict.PENDING
    state = analysed.correcting.review()
    assert state.here and state.stale and "earlier analysis" in analysed.parts.review.box.toolTip()


def test_everything_is_there_after_a_restart(analysed, open_window, make_services, open_and_wait, study):
    key(analysed, Qt.Key.Key_N)
    stroke(analysed, (45, 45))
    analysed.correcting.relabel(1, "consolidation")
    before = analysed.correcting.findings
    analysed.close()
    again = make_services()
    second = open_window(again)
    open_and_wait(second, study)
    assert second.correcting.findings == before
    second.close()


def test_a_stroke_under_way_is_kept_when_the_window_closes(analysed, services, qtbot):
    reading = analysed.reading.reading
    key(analysed, Qt.Key.Key_N)
    send(analysed.parts.view, QEvent.Type.MouseButtonPress, 50, 40, LEFT, Qt.KeyboardModifier.NoModifier)
    kept = []
    save = services.store.save_reading
    services.store.save_reading = lambda one: (kept.append(one), save(one))
    analysed.close()
    assert [len(one.marks.drawn) for one in kept][-1:] == [1] and not reading.marks.drawn


def test_drawing_needs_no_analysis(ready):
    ready.parts.view.setFocus()
    key(ready, Qt.Key.Key_N)
    stroke(ready, (30, 40), (30, 44))
    assert [f.origin for f in ready.correcting.findings] == [Origin.DRAWN]
    assert ready.parts.findings._model.rowCount() == 1
    key(ready, Qt.Key.Key_Y)
    assert ready.parts.review.count_text == "1 of 12"


def test_what_was_drawn_stays_in_sight_while_a_model_works(ready, services, qtbot):
    ready.parts.view.setFocus()
    key(ready, Qt.Key.Key_N)
    stroke(ready, (45, 45))
    here, seen = ready.session.index, []
    ready.analysing.marked.connect(lambda _i, _found: seen.append(dict(ready.parts.view._scene.lesions)))
    with qtbot.waitSignal(ready.analysing.finished, timeout=10_000):
        ready.actions_["analyse"].trigger()
    assert all(any(s.lesion_id == -1 for s in lesions[here]) for lesions in seen) and len(seen) == 3


def test_the_menu_of_a_finding_and_of_the_image(analysed, qtbot):
    window = analysed

    def menu() -> QMenu:
        found = [m for m in window.findChildren(QMenu, "findings_menu") if m.isVisible()]
        assert len(found) == 1
        return found[0]

    def texts(one: QMenu) -> list[str]:
        return [a.text().replace("&", "") for a in one.actions() if a.text()]

    window.findings.show_menu(window.mapToGlobal(QPoint(50, 50)), 1)
    shown = menu()
    assert texts(shown)[:4] == ["1  ground glass", "Accept", "Reject", "Class"]
    next(a for a in shown.actions() if a.text() == "Re&ject").trigger()
    shown.close()
    assert finding(window, 1).verdict is Verdict.REJECTED
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    window.findings.show_menu(window.mapToGlobal(QPoint(50, 50)), None)
    shown = menu()
    assert texts(shown) == ["New finding", "Slice reviewed completely"]
    begin = shown.actions()[0].menu()
    begin.actions()[1].trigger()
    shown.close()
    assert window.correcting.state.label == "consolidation" and window.correcting.state.begins


def test_the_list_of_keys_names_them(analysed):
    analysed.actions_["keys"].trigger()
    texts = [label.text() for label in analysed.findChildren(type(analysed._status)) if label.isVisible()]
    told = " ".join(texts)
    for wanted in ("New finding", "Brush", "Eraser", "Slice reviewed completely", "Shift + wheel"):
        assert wanted in told
    (dialog,) = [w for w in QApplication.topLevelWidgets() if w.isVisible() and w.windowTitle() == "Keys and mouse"]
    size = dialog.sizeHint()
    dialog.close()
    assert size.width() <= 1280 and size.height() <= 760, "it fits a small screen"


def test_nothing_is_offered_before_a_study_is_open(window):
    for name in ("new_finding", "tool_brush", "tool_eraser", "reviewed_slice", "remove_finding", "larger_brush"):
        assert not window.actions_[name].isEnabled()
    assert not window.parts.review.isEnabled()


def test_one_click_and_a_folder_write_the_training_set(analysed, services, qtbot, monkeypatch, tmp_path):
    from PySide6.QtWidgets import QFileDialog

    target = tmp_path / "sets"
    target.mkdir()
    (target / "else").write_text("of somebody")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(target))
    with qtbot.waitSignal(analysed.exporting.written, timeout=5000):
        analysed.actions_["export_training"].trigger()
    ((folder, opened),) = services.exports
    assert folder.parent == target and folder.name.startswith("ctviewer training set 20")
    assert opened == (analysed.session.catalog.root,)
    assert analysed.parts.messages.text.startswith("3 findings were written. The training set is in ")
    assert [b.text() for b in analysed.parts.messages._buttons] == ["Show folder"]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "new"))
    with qtbot.waitSignal(analysed.exporting.written, timeout=5000):
        analysed.actions_["export_training"].trigger()
    assert services.exports[1][0] == tmp_path / "new", "a new or empty folder is taken as it is"


def test_why_a_training_set_cannot_be_written_is_said(analysed, services, qtbot, monkeypatch, tmp_path):
    from PySide6.QtWidgets import QFileDialog

    from ctviewer.core.errors import StorageError

    def refuse(folder, opened):
        raise StorageError("There is nothing to export.")
        yield

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "new"))
    monkeypatch.setattr(services, "write_training_set", refuse)
    with qtbot.waitSignal(analysed.exporting.failed, timeout=5000):
        analysed.actions_["export_training"].trigger()
    assert analysed.parts.messages.text == "There is nothing to export."


def test_findings_as_the_reader_left_them_are_saved_as_json(analysed, services, qtbot, monkeypatch, tmp_path):
    import json

    from PySide6.QtWidgets import QFileDialog

    key(analysed, Qt.Key.Key_N)
    smallest_brush(analysed)
    stroke(analysed, (45, 45), (45, 47))
    analysed.correcting.relabel(1, "consolidation")
    analysed.session.go_to(2)
    key(analysed, Qt.Key.Key_Y)
    target = tmp_path / "out" / "findings.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    with qtbot.waitSignal(analysed.exporting.saved, timeout=5000):
        analysed.actions_["save_findings"].trigger()
    told = json.loads(target.read_text())
    first, drawn = told["reader"]["findings"]
    assert (first["id"], first["label"], first["model_label"]) == ("1", "consolidation", "ground glass")
    assert (drawn["id"], drawn["origin"], drawn["score"]) == ("D1", "drawn by the reader", None)
    assert drawn["volume_ml"] == pytest.approx(3 * 9.0 * 2.5 / 1000)
    assert told["reader"]["reviewed_slices"] == [2]
    assert told["result"]["lesions"][0]["label"] == "ground glass", "what the model said stays beside it"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(services.opened / "x.json"), ""))
    with qtbot.waitSignal(analysed.exporting.failed, timeout=5000):
        analysed.actions_["save_findings"].trigger()
    assert "lies inside the opened folder" in analysed.parts.messages.text
