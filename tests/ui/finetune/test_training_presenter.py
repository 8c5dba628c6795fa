"""Training as the window drives it: a real process that speaks like the real one, wishes, deaths and resuming."""

from __future__ import annotations

import os
import signal
from datetime import datetime

import pytest
from fake_training import STEPS, FakeTraining

from ctviewer.core.errors import InputError
from ctviewer.core.events import Progress
from ctviewer.training.config import DataConfig, RunConfig
from ctviewer.ui.finetune.state import Phase
from ctviewer.ui.presenters.training import TrainingPresenter

pytestmark = pytest.mark.usefixtures("qapp")
posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
ENDED = (Phase.PAUSED, Phase.CANCELLED, Phase.FINISHED, Phase.FAILED)


@pytest.fixture
def services(tmp_path) -> FakeTraining:
    return FakeTraining(tmp_path)


@pytest.fixture
def training(services, qtbot):
    made = TrainingPresenter(services, clock=lambda: datetime(2026, 11, 22, 14, 2))
    made.phases, made.told = [], []
    made.changed.connect(lambda state: made.phases.append(state.phase))
    made.failed.connect(made.told.append)
    yield made
    made.shut_down()
    made.deleteLater()


@pytest.fixture
def until(training, qtbot):
    """Run the event loop until the presenter is in one of these phases."""

    def act(*phases: Phase) -> None:
        qtbot.waitUntil(lambda: training.state.phase in phases, timeout=20_000)

    return act


@pytest.fixture
def begin(training, until, tmp_path, qtbot):
    """Check and start a run; wait until it learns."""

    def act(wait: bool = True) -> None:
        training.check(RunConfig(DataConfig(str(tmp_path))))
        until(Phase.CHECKED)
        training.train()
        if wait:
            until(Phase.RUNNING, *ENDED)
            qtbot.waitUntil(lambda: training.history.step is not None or training.state.phase in ENDED)

    return act


def test_a_run_from_the_check_to_the_model(training, services, begin, until):
    heard = []
    training.progressed.connect(heard.append)
    begin()
    until(*ENDED)
    state = training.state
    assert state.phase is Phase.FINISHED and state.text == "Finished. The new model is lung 1.1.0."
    assert state.result.key == "lung 1.1.0" and not state.result.active and state.folder == services.folder
    order = [Phase.CHECKING, Phase.CHECKED, Phase.STARTING, Phase.RUNNING, Phase.FINISHED]
    assert list(dict.fromkeys(training.phases)) == order
    assert Progress("Reading studies", 1, 2) in heard and Progress("Computing features", 3, 60) in heard
    assert heard[-1] is None
    steps, losses, smooth = training.history.current.steps
    assert steps.tolist() == list(range(1, STEPS + 1)) and losses[3] == 0.25 and smooth[0] == 1.0
    assert training.history.begun.train == 42 and len(training.history.current.epochs) == 5
    training.activate()
    assert services.active == "lung 1.1.0" and training.state.result.active
    training.roll_back()
    assert services.active == "lung 1.0.0" and not training.state.result.active


@pytest.mark.parametrize(("behaviour", "blocked", "doubts"), [("doubt", False, 1), ("blocked", True, 0)])
def test_the_report_of_the_check_decides_whether_a_run_may_begin(training, services, begin, behaviour, blocked, doubts):
    services.behaviour = behaviour
    begin(wait=False)
    report = training.state.report
    assert report.blocked is blocked and len(report.doubts) == doubts
    assert training.state.phase is (Phase.CHECKED if blocked else Phase.STARTING)


def test_a_check_that_cannot_be_done_says_why_in_the_process_s_own_words(
    training, services, until, tmp_path, expected_logs
):
    services.behaviour = "unreadable"
    training.check(RunConfig(DataConfig(str(tmp_path))))
    until(Phase.IDLE)
    assert training.state.text == "The table labels.csv has no column 'study'." and training.state.config is not None
    training.leave_check()
    assert training.state.text == "" and training.state.phase is Phase.IDLE


def test_leaving_the_check_ends_its_process_at_once(training, services, until, qtbot, tmp_path):
    services.behaviour = "slow check"
    heard, ended = [], []
    training.progressed.connect(heard.append)
    training.ended.connect(lambda: ended.append(1))
    training.check(RunConfig(DataConfig(str(tmp_path))))
    qtbot.waitUntil(lambda: Progress("Reading studies", 1, 2) in heard, timeout=20_000)
    training.leave_check()
    assert training.state.phase is Phase.IDLE and ended == [1]
    services.behaviour = ""
    training.check(RunConfig(DataConfig(str(tmp_path))))
    until(Phase.CHECKED)


def test_pausing_is_confirmed_at_once_and_when_obeyed_and_resuming_goes_on(training, services, begin, until):
    services.behaviour = "endless"
    begin()
    training.pause()
    assert training.state.phase is Phase.PAUSING and training.state.text == "Pausing after this chunk of slices…"
    training.stop()  # one wish at a time
    assert training.state.phase is Phase.PAUSING
    until(*ENDED)
    last = training.history.step.step
    assert training.state.phase is Phase.PAUSED and training.state.resumable
    assert training.state.text == f"Paused at step {last} of {STEPS}; checkpoint saved 14:02."
    assert (services.folder / "words").read_text() == "pause"
    services.behaviour = ""
    training.resume(services.folder)
    assert training.state.phase is Phase.STARTING and len(training.history.current.steps[0]) == 12, (
        "what it said before"
    )
    until(*ENDED)
    assert training.state.phase is Phase.FINISHED and training.history.begun.resumed == last
    assert training.history.current.steps[0][-1] == STEPS


def test_stopping_keeps_the_best(training, services, begin, until):
    services.behaviour = "endless"
    begin()
    training.stop()
    assert training.state.phase is Phase.STOPPING
    until(*ENDED)
    assert training.state.phase is Phase.FINISHED
    assert training.state.text == "Stopped. The new model is lung 1.1.0 from the best state at that time."


def test_cancelling_keeps_nothing(training, services, begin, until):
    services.behaviour = "endless"
    begin()
    training.cancel()
    assert training.state.phase is Phase.CANCELLING
    until(*ENDED)
    assert training.state.phase is Phase.CANCELLED and not training.state.resumable
    assert "Nothing of this run was kept" in training.state.text and not services.unfinished()


def test_cancelling_may_follow_pausing_and_ends_a_process_that_does_not_listen(
    training, services, begin, until, monkeypatch
):
    services.behaviour = "deaf"
    training._patience.setInterval(50)
    begin()
    training.pause()
    training.cancel()
    until(*ENDED)
    assert training.state.phase is Phase.CANCELLED and services.discarded == [services.folder]


@posix
def test_a_process_that_is_killed_is_told_in_words_and_can_go_on(training, services, begin, until, expected_logs):
    services.behaviour = "killed"
    begin()
    until(*ENDED)
    state = training.state
    assert state.phase is Phase.FAILED and state.resumable
    assert state.text == (
        "The training process ended. It was killed by the system (signal 9), most often for lack of memory. "
        "The last checkpoint is of step 10 (14:02); Resume goes on from there."
    )
    services.behaviour = ""
    training.resume(services.folder)
    until(*ENDED)
    assert training.state.phase is Phase.FINISHED
    assert training.history.current.steps[0].tolist() == list(range(1, STEPS + 1)), "steps done twice count once"


def test_a_paused_run_that_was_removed_by_hand_is_not_offered_any_more(training, services, begin, until):
    services.behaviour = "endless"
    begin()
    training.pause()
    until(*ENDED)
    (services.folder / "checkpoint").unlink()
    services.error = InputError("The run is not there any more.")
    training.resume(services.folder)
    assert training.state.phase is Phase.FAILED and not training.state.resumable
    assert training.state.text == "The run is not there any more." and training.told == []


@posix
def test_a_check_that_is_killed_says_what_to_do(training, services, until, qtbot, tmp_path, expected_logs):
    services.behaviour = "slow check"
    training.check(RunConfig(DataConfig(str(tmp_path))))
    qtbot.waitUntil(lambda: training._child.pid > 0)
    os.kill(training._child.pid, signal.SIGKILL)
    until(Phase.IDLE)
    assert "(signal 9)" in training.state.text and training.state.text.endswith("Go back to try again.")


def test_an_error_of_the_run_is_told_in_its_words(training, services, begin, until):
    services.behaviour = "fails"
    begin()
    until(*ENDED)
    assert training.state.phase is Phase.FAILED and training.state.resumable
    assert training.state.text.startswith("The loss is not finite any more; the last good state was kept.")


def test_a_crash_names_no_patient(training, services, begin, until, expected_logs):
    services.behaviour = "crashes"
    begin()
    until(*ENDED)
    assert training.state.text.startswith("The training process ended. It ended with an error (exit code 1).")
    told = training.state.text + "".join(record.getMessage() for record in expected_logs)
    assert "DOE" not in told and "ValueError" in told


def test_a_process_that_ends_without_a_word_is_no_success(training, services, begin, until):
    services.behaviour = "silent"
    begin()
    until(*ENDED)
    assert training.state.phase is Phase.FAILED and training.state.resumable


def test_a_run_that_is_paused_before_it_learns_is_told(training, services, begin, until):
    services.behaviour = "ends before"
    begin(wait=False)
    training.pause()
    until(*ENDED)
    assert training.state.phase is Phase.CANCELLED
    assert training.state.text == "Ended before training began; nothing was kept."


def test_what_cannot_be_done_is_said_and_nothing_changes(training, services, begin, until, tmp_path):
    services.error = InputError("The disk is full.")
    training.check(RunConfig(DataConfig(str(tmp_path))))
    assert training.told == ["The disk is full."] and training.state.phase is Phase.IDLE
    services.error = None
    begin()
    until(*ENDED)
    services.error = InputError("The model is not installed.")
    training.activate()
    assert training.told[-1] == "The model is not installed." and not training.state.result.active


def test_shutting_down_leaves_no_process_and_says_nothing_more(training, services, begin):
    services.behaviour = "endless"
    begin()
    child, phases = training._child, list(training.phases)
    training.shut_down()
    assert not child.running and training.phases == phases


def test_a_run_is_removed_on_request(training, services, begin, until):
    services.behaviour = "endless"
    begin()
    training.pause()
    until(*ENDED)
    assert training.unfinished() == (), "the one at hand is not offered beside itself"
    training.cancel()
    assert services.discarded == [services.folder] and training.state.phase is Phase.CANCELLED
