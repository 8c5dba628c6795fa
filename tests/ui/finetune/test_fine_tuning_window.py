"""Fine-tuning from the main window: its dialog beside the reading, the sign in the status line, closing, resuming."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_training import FakeTraining
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox

from ctviewer.core.errors import InputError
from ctviewer.datasets.phantom import Family, PhantomSpec, Variant, generate
from ctviewer.datasets.slices.samples import SAMPLES
from ctviewer.training.config import DataConfig, RunConfig, SliceSet
from ctviewer.ui import theme
from ctviewer.ui.finetune import closing
from ctviewer.ui.finetune.services import BaseModel
from ctviewer.ui.finetune.state import Phase
from ctviewer.ui.presenters import analysing

ENDED = (Phase.PAUSED, Phase.CANCELLED, Phase.FINISHED, Phase.FAILED)


@pytest.fixture
def training(services) -> FakeTraining:
    return services.training


@pytest.fixture
def begin(window, training, qtbot, tmp_path):
    """Begin a run that goes on until it is told something; wait until it learns."""

    def act(behaviour: str = "endless") -> None:
        training.behaviour = behaviour
        window.training.check(RunConfig(DataConfig(str(tmp_path))))
        qtbot.waitUntil(lambda: window.training.state.phase is Phase.CHECKED, timeout=20_000)
        window.training.train()
        qtbot.waitUntil(lambda: window.training.history.step is not None, timeout=20_000)

    return act


@pytest.fixture
def until(window, qtbot):
    def act(*phases: Phase) -> None:
        qtbot.waitUntil(lambda: window.training.state.phase in phases, timeout=20_000)

    return act


@pytest.fixture
def desk(window):
    """The dialog, brought up from the menu."""
    window.actions_["fine_tune"].trigger()
    return window.fine_tuning.dialog


def offered(window) -> list[str]:
    return [button.text() for button in window.parts.messages._buttons] if window.parts.messages.isVisible() else []


def press(window, text: str) -> None:
    button = next(b for b in window.parts.messages._buttons if b.text() == text)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def answer(monkeypatch, *answers: closing.Answer) -> list[str]:
    """Answer the questions on closing; the list of those that were asked."""
    asked, left = [], list(answers)

    def say(which):
        def ask(_parent):
            asked.append(which)
            return left.pop(0)

        return ask

    monkeypatch.setattr(closing, "ask", say("ask"))
    monkeypatch.setattr(closing, "ask_again", say("again"))
    return asked


def test_pages_follow_the_run_and_reading_goes_on_beside_it(
    window, services, desk, begin, until, open_and_wait, study, qtbot
):
    dialog = desk.dialog
    assert dialog.isVisible() and not dialog.isModal() and dialog.page is desk.data
    begin()
    assert dialog.page is desk.run and dialog._back.isVisible() is False
    open_and_wait(window, study)
    window.actions_["analyse"].trigger()
    qtbot.waitUntil(lambda: window.analysing.state.phase is analysing.Phase.DONE, timeout=20_000)
    window.session.go_to_position(0)
    assert window.training.state.phase is Phase.RUNNING, "it trained meanwhile"
    QTest.mouseClick(desk.run._stop, Qt.MouseButton.LeftButton)
    until(*ENDED)
    assert window.training.state.phase is Phase.FINISHED and dialog.page is desk.comparison
    QTest.mouseClick(dialog._back, Qt.MouseButton.LeftButton)
    assert dialog.page is desk.run and dialog._next.isEnabled()
    QTest.mouseClick(dialog._next, Qt.MouseButton.LeftButton)
    assert dialog.page is desk.comparison
    desk.comparison.activate_requested.emit()
    assert services.training.active == "lung 1.1.0"


@pytest.mark.parametrize(
    ("behaviour", "phase", "text"),
    [
        ("", Phase.CHECKED, "The data for training were checked. Nothing stands against this run."),
        (
            "doubt",
            Phase.CHECKED,
            "The data for training were checked. Nothing blocks this run; 1 doubt wants your tick.",
        ),
        ("unreadable", Phase.IDLE, "The table labels.csv has no column 'study'."),
    ],
)
def test_a_check_that_ends_while_the_dialog_is_closed_is_told(
    window, training, desk, until, tmp_path, behaviour, phase, text
):
    training.behaviour = behaviour
    window.training.check(RunConfig(DataConfig(str(tmp_path))))
    desk.dialog.close()
    until(phase)
    assert text in window.parts.messages._text.text() and offered(window) == ["Show"]
    press(window, "Show")
    assert desk.dialog.isVisible() and desk.dialog.page is desk.preflight


def test_a_window_that_stays_open_after_all_does_not_say_that_it_closes(window, begin, monkeypatch):
    begin("deaf")
    answer(monkeypatch, closing.Answer.PAUSE, closing.Answer.GO_ON)
    for says_so in (True, False):
        event = QCloseEvent()
        window.closeEvent(event)
        assert not event.isAccepted() and window.parts.messages.isVisible() is says_so
    window.training.shut_down()


def test_the_dialog_may_lie_behind_the_window_that_shows_its_studies(window, desk):
    assert desk.dialog.windowHandle().transientParent() is None
    assert desk.dialog.parent() is window, "and ends with it"


def test_the_step_on_show_is_bold_in_each_theme(window, desk, begin, qapp):
    begin()
    for name in ("light", "dark"):
        theme.apply_theme(qapp, name)
        assert [label.font().bold() for label in desk.dialog._headings] == [False, False, True, False]


def test_going_back_from_the_check_and_a_check_that_fails(window, training, desk, until, tmp_path, qtbot):
    training.behaviour = "unreadable"
    window.training.check(RunConfig(DataConfig(str(tmp_path))))
    assert desk.dialog.page is desk.preflight and desk.dialog._back.isVisible()
    until(Phase.IDLE)
    assert desk.dialog.page is desk.preflight and not desk.dialog._next.isEnabled()
    QTest.mouseClick(desk.dialog._back, Qt.MouseButton.LeftButton)
    assert desk.dialog.page is desk.data and window.training.state.text == ""
    training.error = InputError("The disk is full.")
    window.training.check(RunConfig(DataConfig(str(tmp_path))))
    assert desk.dialog.page is desk.data and desk.dialog._problem.text() == "The disk is full."


def test_the_status_line_shows_that_a_training_runs_and_opens_it(window, desk, begin, until):
    sign = window.fine_tuning._sign
    assert not sign.isVisible()
    begin()
    desk.dialog.close()
    assert window.training.state.active and not desk.dialog.isVisible(), "closing the dialog ends nothing"
    window.fine_tuning._show_sign()
    assert sign.isVisible() and sign.text().startswith("Training: step ") and sign.text().endswith(" left")
    assert "Open the fine-tuning window" in sign.accessibleName()
    QTest.mouseClick(sign, Qt.MouseButton.LeftButton)
    assert desk.dialog.isVisible() and desk.dialog.page is desk.run
    desk.dialog.close()
    window.training.pause()
    until(*ENDED)
    assert not sign.isVisible() and window.parts.messages.text.startswith("Training: Paused at step ")
    press(window, "Show")
    assert desk.dialog.isVisible()


def test_esc_hides_the_dialog_and_the_run_goes_on(window, desk, begin):
    begin()
    QTest.keyClick(desk.dialog, Qt.Key.Key_Escape)
    assert not desk.dialog.isVisible() and window.training.state.active


def test_closing_pauses_first_and_closes_by_itself(window, training, begin, qtbot, monkeypatch):
    begin()
    asked = answer(monkeypatch, closing.Answer.PAUSE)
    window.close()
    assert asked == ["ask"] and window.isVisible() and window.training.state.phase is Phase.PAUSING
    assert "closes as soon as" in window.parts.messages.text
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=20_000)
    assert window.training.state.phase is Phase.PAUSED and training.unfinished()


def test_closing_may_cancel_the_run(window, training, begin, qtbot, monkeypatch):
    begin()
    answer(monkeypatch, closing.Answer.CANCEL)
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=20_000)
    assert window.training.state.phase is Phase.CANCELLED and not training.unfinished()


def test_closing_may_be_taken_back(window, begin, monkeypatch, qtbot):
    begin()
    answer(monkeypatch, closing.Answer.GO_ON)
    window.close()
    qtbot.wait(50)
    assert window.isVisible() and window.training.state.phase is Phase.RUNNING


def test_a_process_that_does_not_listen_holds_the_window_only_until_it_is_closed_at_once(
    window, begin, monkeypatch, qtbot
):
    begin("deaf")
    asked = answer(monkeypatch, closing.Answer.PAUSE, closing.Answer.PAUSE, closing.Answer.AT_ONCE)
    window.close()
    window.close()
    assert window.isVisible() and window.training.state.phase is Phase.PAUSING
    child = window.training._child
    window.close()
    assert asked == ["ask", "again", "again"] and not window.isVisible() and not child.running


def test_a_check_is_ended_without_a_question(window, training, tmp_path, monkeypatch):
    training.behaviour = "slow check"
    window.training.check(RunConfig(DataConfig(str(tmp_path))))
    asked = answer(monkeypatch)
    window.close()
    assert asked == [] and not window.isVisible()


@pytest.mark.parametrize(
    ("key", "expected"), [(Qt.Key.Key_Escape, closing.Answer.GO_ON), (Qt.Key.Key_Return, closing.Answer.PAUSE)]
)
@pytest.mark.parametrize("ask", [closing.ask, closing.ask_again])
def test_the_question_s_keys(window, ask, key, expected):
    def press_key() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox) and len(box.buttons()) == 3
        QTest.keyClick(box, key)

    QTimer.singleShot(50, press_key)
    assert ask(window) is expected


def test_a_paused_run_is_offered_at_the_next_start(make_services, open_window, qtbot):
    services = make_services()
    services.training.folder.mkdir()
    (services.training.folder / "checkpoint").write_text("10")
    window = open_window(services)
    window.fine_tuning._offer.setInterval(1)
    window.fine_tuning._offer.start()
    qtbot.waitUntil(lambda: offered(window) == ["Resume", "Not now"], timeout=5000)
    assert window.parts.messages.text == "The training of Lung was paused today 14:02."
    assert not any(isinstance(w, QMessageBox) for w in QApplication.topLevelWidgets() if w.isVisible())
    press(window, "Resume")
    assert window.fine_tuning.dialog.dialog.isVisible() and window.training.state.phase is Phase.STARTING
    qtbot.waitUntil(lambda: window.training.state.phase is Phase.FINISHED, timeout=20_000)
    services.store.close()


def test_the_offer_waits_while_something_else_is_said_and_may_be_declined(window, training, qtbot):
    training.folder.mkdir()
    (training.folder / "checkpoint").write_text("10")
    window.parts.messages.say("Something else.")
    window.fine_tuning._offer.setInterval(20)
    window.fine_tuning._offer.start()
    qtbot.wait(100)
    assert window.parts.messages.text == "Something else."
    window.parts.messages.clear()
    qtbot.waitUntil(lambda: offered(window) == ["Resume", "Not now"], timeout=5000)
    press(window, "Not now")
    qtbot.wait(100)
    assert offered(window) == [] and not window.fine_tuning._offer.isActive()
    assert training.unfinished(), "it stays"


def test_the_dialog_offers_what_is_unfinished_and_removes_it_when_asked_twice(window, training, qtbot, until):
    training.folder.mkdir()
    (training.folder / "checkpoint").write_text("10")
    window.actions_["fine_tune"].trigger()
    desk = window.fine_tuning.dialog
    assert desk.dialog._offer.isVisible() and "was paused today 14:02" in desk.dialog._offer_text.text()
    desk.dialog._ask_remove()
    keep, remove = (
        next(b for b in desk.dialog._question.buttons() if b.text() == text) for text in ("&Keep", "Re&move")
    )
    QTest.mouseClick(keep, Qt.MouseButton.LeftButton)
    assert training.discarded == []
    desk.dialog._ask_remove()
    remove = next(b for b in desk.dialog._question.buttons() if b.text() == "Re&move")
    QTest.mouseClick(remove, Qt.MouseButton.LeftButton)
    assert training.discarded == [training.folder] and not desk.dialog._offer.isVisible()


def test_a_study_of_the_run_is_opened_in_the_viewer(window, services, desk, begin, until, study, qtbot):
    begin()
    window.training.stop()
    until(*ENDED)
    with qtbot.waitSignal(window.reading.ready, timeout=10_000):
        desk.comparison.study_requested.emit("opened/study")
    assert window.session.series is not None


def test_a_close_event_of_the_system_asks_too(window, begin, monkeypatch):
    begin()
    asked = answer(monkeypatch, closing.Answer.GO_ON)
    event = QCloseEvent()
    assert event.type() == QEvent.Type.Close
    window.closeEvent(event)
    assert asked == ["ask"] and not event.isAccepted()
    window.training.cancel()


@pytest.fixture(autouse=True)
def end_what_runs(window):
    """A run that a test leaves is ended, else closing the window would ask."""
    yield
    window.training.shut_down()
    window.training.state = type(window.training.state)()


def test_sets_of_slices_are_looked_at_and_go_into_the_check(desk, training, window, qtbot, tmp_path):
    page, checked = desk.data, []
    training.check = lambda config: checked.append(config) or training._command("check")
    training.made_choices = replace(
        training.made_choices,
        bases=(BaseModel("shot 1.0.0", "Shot", (), task="one_shot", outlined=("nodule",)),),
        findings=tmp_path / "corrected-findings",
    )
    desk._look_anew()
    page.task.choice.button("one_shot").click()
    page.lesions.add_findings.click()
    (row,) = page.lesions.rows
    qtbot.waitUntil(lambda: row._error.text() == "No finding was corrected yet.", timeout=20_000)
    assert not page.ready
    row.remove.click()
    phantom = generate(PhantomSpec(1, Variant.COVID, Family.A, matrix=64, slices=6))
    SAMPLES["cncb"](tmp_path / "cncb", [phantom])
    page.lesions.add.click()
    (row,) = page.lesions.rows
    row.format.setCurrentIndex(row.format.findData("cncb"))
    row.folder._give(str(tmp_path / "cncb"))
    qtbot.waitUntil(lambda: page.ready, timeout=20_000)
    assert row.found.scans == 1 and window.services.opened == tmp_path / "cncb", "its name is kept out of the log"
    desk.dialog.next_pressed.emit()
    qtbot.waitUntil(lambda: window.training.state.phase is Phase.CHECKED, timeout=20_000)
    assert checked[0].lesions == (SliceSet("cncb", str(tmp_path / "cncb")),) and checked[0].model.base == "shot 1.0.0"
