"""The reader states what the study shows: before and after a model's answer, undone, kept, listed for training."""

from __future__ import annotations

import shutil

import pypdf
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from ctviewer.datasets.read_studies import ReadStudies
from ctviewer.ui.panels.reader_class import NOT_STATED, OTHER
from ctviewer.ui.services import StudyClasses

NEGATIVE, POSITIVE = "no finding", "infection-like"  # of the scripted model, which says the second


def click(window, name: str) -> None:
    QTest.mouseClick(window.parts.result.reader_class.buttons[name], Qt.MouseButton.LeftButton)


def key(window, key: Qt.Key, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(window.parts.view, key, modifier)


def stated(window) -> tuple[str, ...]:
    label = window.reading.reading.label
    return () if label is None else label.classes


def analyse(qtbot, window) -> None:
    with qtbot.waitSignal(window.analysing.finished, timeout=10_000):
        window.actions_["analyse"].trigger()


def restarted(open_window, make_services, open_and_wait, study):
    window = open_window(make_services())
    open_and_wait(window, study)
    return window


def test_before_any_analysis_it_is_the_readers_own_and_kept_at_once(
    ready, services, study, open_window, make_services, open_and_wait
):
    assert not ready.actions_["accept_class"].isEnabled()
    click(ready, POSITIVE)
    (kept,) = services.store.labelled_studies()
    assert kept.place == study and kept.label.seen == () and kept.label.classes == (POSITIVE,)
    assert "before any model's answer" in ready.parts.result.reader_class._origin.text()
    ready.close()
    again = restarted(open_window, make_services, open_and_wait, study)
    assert stated(again) == (POSITIVE,)
    assert again.parts.result.reader_class.buttons[POSITIVE].isChecked()


def test_one_key_accepts_what_the_model_says_and_one_corrects_it(ready, services, qtbot):
    analyse(qtbot, ready)
    key(ready, Qt.Key.Key_A)
    label = ready.reading.reading.label
    assert label.classes == (POSITIVE,) and label.accepted.sha256 == "a" * 64
    assert ready.parts.result.reader_class._origin.text() == "Accepted from Test classifier 1.0.0."
    assert not ready.actions_["accept_class"].isEnabled(), "it is accepted"
    key(ready, Qt.Key.Key_A, Qt.KeyboardModifier.ShiftModifier)
    label = ready.reading.reading.label
    assert label.classes == (NEGATIVE,) and label.accepted is None and label.seen[0].classes == (POSITIVE,)
    source = ReadStudies(services.store.labelled_studies(), {"a" * 64})
    assert [source.split(one) for one in source.ids()] == ["train-only"]


def test_a_click_on_the_models_class_is_accepting_it(ready, qtbot):
    analyse(qtbot, ready)
    click(ready, POSITIVE)
    assert ready.reading.reading.label.accepted is not None


def test_a_word_said_before_stays_the_readers_own_when_the_model_agrees_later(ready, qtbot):
    click(ready, POSITIVE)
    analyse(qtbot, ready)
    assert not ready.actions_["accept_class"].isEnabled()
    click(ready, POSITIVE)
    assert ready.reading.reading.label.seen == ()


def test_undo_and_redo_are_kept_too(ready, services, qtbot):
    click(ready, POSITIVE)
    click(ready, NEGATIVE)
    assert ready.actions_["undo"].text() == f"&Undo state {NEGATIVE}"
    ready.actions_["undo"].trigger()
    assert stated(ready) == (POSITIVE,) and services.store.labelled_studies()[0].label.classes == (POSITIVE,)
    ready.actions_["undo"].trigger()
    assert stated(ready) == () and services.store.labelled_studies() == ()
    ready.actions_["redo"].trigger()
    assert stated(ready) == (POSITIVE,)
    click(ready, NOT_STATED)
    assert stated(ready) == () and ready.actions_["undo"].text() == "&Undo take the class back"
    ready.actions_["undo"].trigger()
    assert stated(ready) == (POSITIVE,)


def test_going_through_the_classes_is_one_step_of_undo(ready):
    for _ in range(3):
        key(ready, Qt.Key.Key_A, Qt.KeyboardModifier.ShiftModifier)
    assert stated(ready) == (NEGATIVE,), "the first again, after the last"
    ready.actions_["undo"].trigger()
    assert stated(ready) == ()


def type_own(window, text: str) -> None:
    click(window, OTHER)
    field = window.parts.result.reader_class._field
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)


def test_a_class_of_ones_own_is_offered_again_and_known_spellings_win(ready, write_study, tmp_path, open_and_wait):
    type_own(ready, " Sarcoidosis |a")
    assert stated(ready) == ("Sarcoidosis a",)
    type_own(ready, "NO FINDING")
    assert stated(ready) == (NEGATIVE,), "the model's spelling"
    type_own(ready, "sarcoid")
    other = write_study(tmp_path / "other" / "study", seed=5, patient_id="T-2")
    open_and_wait(ready, other)
    assert stated(ready) == ()
    assert ready.parts.result.reader_class._view.known == ("sarcoid",)


def test_without_a_model_classes_used_before_are_offered(services, open_window, study, open_and_wait, qtbot, tmp_path, write_study):  # fmt: skip
    services.study_classes = StudyClasses
    window = open_window(services)
    open_and_wait(window, study)
    assert list(window.parts.result.reader_class.buttons) == [NOT_STATED, OTHER]
    type_own(window, "Oedema")
    open_and_wait(window, write_study(tmp_path / "other" / "study", seed=5, patient_id="T-2"))
    assert list(window.parts.result.reader_class.buttons) == [NOT_STATED, "Oedema", OTHER]


def test_where_several_may_be_there_each_click_adds_or_takes_away(services, open_window, study, open_and_wait):
    services.study_classes = lambda: StudyClasses(("none", "nodule", "effusion"), "none", exclusive=False)
    window = open_window(services)
    open_and_wait(window, study)
    for name in ("nodule", "effusion"):
        click(window, name)
    assert stated(window) == ("effusion", "nodule")
    click(window, "nodule")
    assert stated(window) == ("effusion",)
    click(window, "none")
    assert stated(window) == ("none",)
    click(window, "nodule")
    assert stated(window) == ("nodule",)


@pytest.mark.parametrize("outcome", ["abstain", "fail"])
def test_where_no_model_answers_the_reader_still_can(ready, services, qtbot, outcome):
    services.analysis.outcome = outcome
    ready.actions_["analyse"].trigger()
    qtbot.waitUntil(lambda: not ready.analysing.busy, timeout=5000)
    click(ready, NEGATIVE)
    assert ready.reading.reading.label.seen == ()


def test_other_slices_have_no_class_until_it_is_stated_again(
    ready, services, study, open_window, make_services, open_and_wait
):
    click(ready, POSITIVE)
    ready.close()
    next(study.glob("*.dcm")).unlink()
    again = restarted(open_window, make_services, open_and_wait, study)
    assert stated(again) == ()
    source = ReadStudies(again.services.store.labelled_studies())
    with pytest.raises(Exception, match="changed since its class was stated"):
        source.load(source.ids()[0])


def test_a_study_that_moved_is_found_where_it_was_opened_last(
    ready, study, tmp_path, open_window, make_services, open_and_wait
):
    click(ready, POSITIVE)
    ready.close()
    moved = tmp_path / "archive" / "study"
    shutil.copytree(study, moved)
    shutil.rmtree(study)
    again = restarted(open_window, make_services, open_and_wait, moved)
    again.reading.save()
    (kept,) = again.services.store.labelled_studies()
    assert kept.place == moved
    source = ReadStudies([kept])
    volume, _ = source.load(source.ids()[0])
    assert volume.slice_count == 12


def test_the_report_has_the_readers_word_beside_the_models(ready, services, qtbot):
    analyse(qtbot, ready)
    click(ready, NEGATIVE)
    with qtbot.waitSignal(ready.reporting.written, timeout=20_000) as told:
        ready.actions_["report"].trigger()
    text = " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(told.args[0]).pages).split())
    assert "Reader: no finding (reader's own, against Test classifier 1.0.0)" in text
