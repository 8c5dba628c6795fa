"""The page of a run: buttons as the state wants them, figures, curves, and the question before work is destroyed."""

from __future__ import annotations

import math

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox, QWidget

from ctviewer.core.events import Progress
from ctviewer.training.events import EpochDone, RunBegun, StepDone
from ctviewer.ui import theme
from ctviewer.ui.finetune.curves import whole_ticks
from ctviewer.ui.finetune.history import RunHistory
from ctviewer.ui.finetune.run_page import RunPage
from ctviewer.ui.finetune.services import FinishedRun
from ctviewer.ui.finetune.state import Phase, TrainingState


@pytest.fixture
def page(qtbot, qapp):
    theme.apply_theme(qapp, "dark")
    made = RunPage()
    qtbot.addWidget(made)
    made.resize(960, 560)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def history() -> RunHistory:
    made = RunHistory()
    made.add(RunBegun(100, 3, "CPU", "bfloat16", 0, 42, 9, 8))
    for fold, steps in ((0, 100), (1, 50)):
        for n in range(1, steps + 1):
            made.add(StepDone(fold, (n - 1) // 25 + 1, n, 100, 1.0 / n, 1e-3, 1.0, 4800.0, 2_100_000_000))
        for n in range(1, steps // 25 + 1):
            made.add(EpochDone(fold, n, 4, 1.0 / n, 1.5 / n, {"AUC-ROC": 0.8}, n == 2))
    return made


def buttons(page: RunPage) -> dict[str, bool]:
    """Which of the buttons that are shown can be pressed."""
    found = {"pause": page._pause, "resume": page._resume, "stop": page._stop, "cancel": page._cancel}
    return {name: one.isEnabled() for name, one in found.items() if one.isVisible()}


@pytest.mark.parametrize(
    ("phase", "resumable", "expected"),
    [
        (Phase.STARTING, False, {"pause": True, "stop": True, "cancel": True}),
        (Phase.RUNNING, False, {"pause": True, "stop": True, "cancel": True}),
        (Phase.PAUSING, False, {"pause": False, "stop": False, "cancel": True}),
        (Phase.CANCELLING, False, {"pause": False, "stop": False, "cancel": False}),
        (Phase.PAUSED, True, {"resume": True, "stop": False, "cancel": True}),
        (Phase.FAILED, True, {"resume": True, "stop": False, "cancel": True}),
        (Phase.FAILED, False, {"pause": False, "stop": False, "cancel": False}),
        (Phase.FINISHED, False, {"pause": False, "stop": False, "cancel": False}),
    ],
)
def test_buttons_follow_the_state(page, phase, resumable, expected):
    page.set_state(TrainingState(phase, "What happens.", resumable=resumable))
    assert buttons(page) == expected and page._text.text() == "What happens."
    assert page._text.property("role") == ("danger" if phase is Phase.FAILED else "")


def test_figures_and_curves(page, history):
    page.set_state(TrainingState(Phase.RUNNING, "Training."))
    page.set_history(history)
    told = {name: label.text() for name, label in page._facts.items()}
    assert told == {
        "Time left": "1 h 20 min",
        "Step": "50 of 100",
        "Epoch": "2 of 4",
        "Fold": "Fold 2 of 3",
        "Memory": "2.1 GB",
        "Device": "CPU, bfloat16",
        "Studies": "42 train, 9 validation, 8 test",
    }
    assert page._bar.value() == 500, "one and a half of three"
    faint, smooth = page._steps.lines
    assert faint.x.size == smooth.x.size == 50 and faint.faint and not smooth.faint
    earlier, training, validation = page._epochs.lines
    assert (
        earlier.faint and earlier.y.size == 4 and training.name == "training" and validation.y.tolist() == [1.5, 0.75]
    )
    assert [line.name for line in page._metrics.lines] == ["", "AUC-ROC"]
    assert page._epochs._mark == 2
    assert page._steps.accessibleDescription() == f"smoothed {smooth.y[-1]:.3g} at step 50"
    assert page._facts["Memory"].accessibleName() == "Memory: 2.1 GB"
    page.set_state(TrainingState(Phase.PAUSED, "Paused.", resumable=True))
    assert page._facts["Time left"].text() == "–", "nothing runs: no time is left to tell"


def test_the_final_training_has_no_validation_and_shows_that_of_the_folds(page, history):
    history.add(StepDone(2, 1, 1, 75, 0.5, 1e-3, 1.0, None, 0))
    history.add(EpochDone(2, 1, 3, 0.5, math.nan))
    page.set_history(history)
    assert page._facts["Fold"].text() == "Final training (3 of 3)"
    assert [(line.name, line.faint) for line in page._epochs.lines] == [("", True), ("", True), ("training", False)]
    assert [line.faint for line in page._metrics.lines] == [True, True]


def test_what_it_does_before_it_learns_and_what_it_says(page):
    page.set_state(TrainingState(Phase.STARTING, "Starting…"))
    page.set_progress(Progress("Computing features", 3, 60))
    assert page._doing.text() == "Computing features: 3 of 60" and (page._bar.value(), page._bar.maximum()) == (3, 60)
    for number in range(5):
        page.add_message(f"Message {number}.")
    page.set_progress(None)
    assert page._doing.text() == ""
    assert page._said.text() == "Message 2.\nMessage 3.\nMessage 4."


def test_curves_follow_the_theme(page, history, qapp):
    page.set_history(history)
    theme.apply_theme(qapp, "light")
    assert page._steps._plot.backgroundBrush().color().name() == theme.LIGHT.panel
    assert page._steps.lines, "what was drawn stays"
    theme.apply_theme(qapp, "dark")


def test_cancelling_is_asked_and_esc_means_no(page, qtbot):
    page.set_state(TrainingState(Phase.RUNNING, "Training."))
    asked = []
    page.cancel_requested.connect(lambda: asked.append(1))
    QTest.mouseClick(page._cancel, Qt.MouseButton.LeftButton)
    box = page._question
    assert isinstance(box, QMessageBox) and box.isVisible() and asked == []
    QTest.keyClick(box, Qt.Key.Key_Escape)
    assert asked == [] and page._question is None
    QTest.mouseClick(page._cancel, Qt.MouseButton.LeftButton)
    lose = next(b for b in page._question.buttons() if "keep nothing" in b.text())
    QTest.mouseClick(lose, Qt.MouseButton.LeftButton)
    assert asked == [1] and page._question is None


def test_the_question_goes_when_the_run_ends_meanwhile(page):
    page.set_state(TrainingState(Phase.RUNNING, "Training."))
    asked = []
    page.cancel_requested.connect(lambda: asked.append(1))
    QTest.mouseClick(page._cancel, Qt.MouseButton.LeftButton)
    page.set_state(TrainingState(Phase.FINISHED, "Finished."))
    assert page._question is None and asked == []


def test_the_keyboard_reaches_every_button_and_never_slips_to_the_one_that_destroys(page, qtbot):
    page.activateWindow()
    page.set_state(TrainingState(Phase.RUNNING, "Training."))
    page._pause.setFocus()
    reached = []
    for _ in range(3):
        reached.append(page.focusWidget())
        QTest.keyClick(page.focusWidget(), Qt.Key.Key_Tab)
    assert reached == [page._pause, page._stop, page._cancel]
    page._pause.setFocus()
    page.set_state(TrainingState(Phase.PAUSING, "Pausing…"))
    assert page.focusWidget() is not page._cancel
    page.set_state(TrainingState(Phase.PAUSED, "Paused.", resumable=True))
    assert page.focusWidget() is page._resume
    named = [one for one in page.findChildren(QWidget) if one.focusPolicy() & Qt.FocusPolicy.TabFocus]
    assert all(one.text() for one in (page._pause, page._resume, page._stop, page._cancel)) and named


def test_it_leads_on_when_there_is_something_to_compare(page, tmp_path):
    heard = []
    page.ready_changed.connect(heard.append)
    page.set_state(TrainingState(Phase.RUNNING))
    assert not page.ready
    page.set_state(TrainingState(Phase.FINISHED, result=FinishedRun(tmp_path, "lung 1.1.0")))
    assert page.ready and heard[-1] is True


@pytest.mark.parametrize(
    ("last", "expected"), [(1, [1]), (4, [1, 2, 3, 4]), (12, [2, 4, 6, 8, 10, 12]), (100, [*range(10, 101, 10)])]
)
def test_epochs_are_whole_numbers(last, expected):
    assert [n for n, _ in whole_ticks(last)] == expected


def test_steps_of_both_kinds_have_a_curve_each_and_losses_stand_with_losses(page):
    history = RunHistory()
    history.add(RunBegun(8, 1, "CPU", "float32", 0, 42, 9, 8, "scan"))
    for n in range(1, 9):
        kind = "lesions" if n % 2 else "images"
        history.add(StepDone(0, 1, n, 8, 3.0 if n % 2 else 0.5, 1e-3, 1.0, 60.0, 1_000_000, kind))
    metrics = {"segmentation loss": 2.0, "class loss": 0.4, "accuracy of slices": 0.75}
    history.add(EpochDone(0, 1, 1, 3.5, 2.4, metrics))
    page.set_history(history)
    lines = {line.name: line for line in page._steps.lines if line.name}
    assert set(lines) == {"lesions, smoothed", "classes of slices, smoothed"}
    assert set(lines["lesions, smoothed"].y) == {3.0} and set(lines["classes of slices, smoothed"].y) == {0.5}
    assert lines["classes of slices, smoothed"].x.tolist() == [2, 4, 6, 8]
    assert {line.name for line in page._epochs.lines} == {"training", "validation", "segmentation loss", "class loss"}
    assert [line.name for line in page._metrics.lines] == ["accuracy of slices"]
    assert page._data_name.text() == "Scans" and page._facts["Studies"].accessibleName().startswith("Scans: 42 train")
    steps, losses, _ = history.current.steps
    assert steps.tolist() == list(range(1, 9)) and losses.tolist() == [3.0, 0.5] * 4
    history.add(StepDone(0, 1, 4, 8, 0.25, 1e-3, 1.0, 60.0, 1_000_000, "images"))
    assert history.current.steps[0].tolist() == [1, 2, 3, 4], "steps of all kinds that are done again"
