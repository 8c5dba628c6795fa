"""Fine-tuning from the window: data, pre-flight, pause, a killed process, resume, compare, activate, analyse, roll back."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QPushButton

from ctviewer.core.events import Done
from ctviewer.datasets.hard_studies import HardSettings, write_hard_studies
from ctviewer.ui.finetune.state import Phase
from ctviewer.ui.presenters.analysing import Phase as Analysis

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

SOON, LONG = 60_000, 600_000


@pytest.fixture(scope="module")
def studies(tmp_path_factory) -> Path:
    """Eighteen generated studies of eighteen patients, six of each class that the shipped model knows."""
    folder = tmp_path_factory.mktemp("hospital") / "studies"
    settings = HardSettings(matrix=96, slices=(16, 18), lesion_slices=5, train=1, val=1, test=0, external=0)
    return next(event.value for event in write_hard_studies(folder, settings) if isinstance(event, Done))


def click(widget) -> None:
    assert widget.isVisible() and widget.isEnabled(), widget.text()
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def button(parent, text: str) -> QPushButton:
    found = [b for b in parent.findChildren(QPushButton) if b.text().replace("&", "") == text and b.isVisible()]
    assert len(found) == 1, (text, [b.text() for b in parent.findChildren(QPushButton) if b.isVisible()])
    return found[0]


def wait_for(qtbot, training, phase: Phase, timeout: int = SOON) -> None:
    ended = {Phase.PAUSED, Phase.CANCELLED, Phase.FINISHED, Phase.FAILED, Phase.IDLE}
    qtbot.waitUntil(lambda: training.state.phase in {phase, *ended}, timeout=timeout)
    assert training.state.phase is phase, training.state.text


def wait_for_step(qtbot, training, more: int) -> None:
    """Until it has learned some steps more than the window knows now."""
    known = len(training.history.current.steps[0]) if training.history.current is not None else 0

    def learned() -> bool:
        if training.state.phase is not Phase.RUNNING:
            assert training.state.phase in (Phase.STARTING, Phase.RUNNING), training.state.text
            return False
        current = training.history.current
        return current is not None and len(current.steps[0]) >= known + more

    qtbot.waitUntil(learned, timeout=LONG)


def training_processes() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [one for one in children if {"train", "ctviewer"} <= set(one.cmdline())]


def bring_to_front(qtbot, dialog) -> None:
    """Keys go to the active window; there is no window manager to see to it, and the main window may come back once."""
    for _ in range(2):
        with qtbot.waitActive(dialog):
            dialog.activateWindow()
        qtbot.wait(500)
    assert QApplication.activeWindow() is dialog


def choose_data(qtbot, desk, folder: Path) -> None:
    """One split and many epochs, so that there is time to pause and to kill; few draws need encoding meanwhile."""
    page = desk.data
    field = page.studies.folder.field
    field.setFocus()
    QTest.keyClicks(field, str(folder))
    QTest.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(page.studies.classes), timeout=SOON)
    assert page.ready, page.missing
    page.advanced.folds.setCurrentIndex(page.advanced.folds.findText("never"))
    page.advanced.folds.activated.emit(page.advanced.folds.currentIndex())
    page.advanced.epochs.setValue(30)
    assert page.config().data.cross_validation == "never" and page.config().recipe.epochs == 30
    assert page.config().model.base == "" or page.config().model.base.startswith("starter-study-classifier")


def accept_doubts(desk) -> None:
    ticks = [box for box in desk.preflight.findings.findChildren(QCheckBox) if box.isVisible()]
    assert ticks, "so few patients are doubtful"
    assert not desk.dialog.page.ready, "doubts want a tick"
    for box in ticks:
        box.setChecked(True)
    assert desk.dialog.page.ready


def analysed_by(qtbot, window) -> str:
    """Analyse the study on show; the version that answered."""
    click(window.parts.result._button)
    ended = (Analysis.DONE, Analysis.ABSTAINED, Analysis.FAILED)
    qtbot.waitUntil(lambda: window.analysing.state.phase in ended, timeout=LONG)
    assert window.analysing.state.phase is Analysis.DONE, window.analysing.state.text
    return window.analysing.state.classification.model.version


def test_a_department_tunes_the_model_on_its_own_studies(qtbot, start, studies, expected_logs):
    window = start()
    with qtbot.waitSignal(window.reading.ready, timeout=SOON):
        window.open_path(studies / "S001")
    assert analysed_by(qtbot, window) == "0.1.0"

    window.actions_["fine_tune"].trigger()
    training, desk = window.training, window.fine_tuning.dialog
    bring_to_front(qtbot, desk.dialog)
    choose_data(qtbot, desk, studies)
    click(button(desk.dialog, "Check the data"))
    wait_for(qtbot, training, Phase.CHECKED, LONG)
    report = training.state.report
    assert report.studies == 18 and not report.blocked and report.baseline, "the base's own figures are there"
    accept_doubts(desk)

    click(button(desk.dialog, "Start training"))
    wait_for_step(qtbot, training, 3)
    click(button(desk.run, "Pause"))
    wait_for(qtbot, training, Phase.PAUSED)
    assert not training_processes(), "a paused run takes no memory"
    paused = len(training.history.current.steps[0])

    click(button(desk.run, "Resume"))
    wait_for_step(qtbot, training, 2)
    with qtbot.waitSignal(window.reading.ready, timeout=SOON):
        window.open_path(studies / "S002")  # the viewer is usable meanwhile
    (process,) = training_processes()
    os.kill(process.pid, signal.SIGKILL)
    wait_for(qtbot, training, Phase.FAILED)
    assert "signal 9" in training.state.text and "Resume" in {b.text().replace("&", "") for b in _shown(desk.run)}

    click(button(desk.run, "Resume"))
    wait_for(qtbot, training, Phase.FINISHED, LONG)
    steps = training.history.current.steps[0]
    assert steps.tolist() == list(range(1, len(steps) + 1)) and len(steps) > paused, "every step once"

    check_comparison(desk, training)
    click(desk.comparison.activate)
    qtbot.waitUntil(lambda: training.state.result.active, timeout=SOON)
    assert analysed_by(qtbot, window) == "0.2.0"
    click(desk.comparison.roll_back)
    qtbot.waitUntil(lambda: not training.state.result.active, timeout=SOON)
    desk.dialog.close()
    assert analysed_by(qtbot, window) == "0.1.0"
    assert ["signal 9" in record.getMessage() for record in expected_logs] == [True], "nothing else went wrong"


def _shown(parent) -> list[QPushButton]:
    return [b for b in parent.findChildren(QPushButton) if b.isVisible()]


def check_comparison(desk, training) -> None:
    """Old against new on studies that neither learned from here, and on the fixed set."""
    result = training.state.result
    assert result.key == "starter-study-classifier 0.2.0" and result.parent == "starter-study-classifier 0.1.0"
    assert not result.active, "activating is an act of its own"
    comparison = result.comparison
    assert comparison is not None and desk.dialog.page is desk.comparison
    assert comparison.regression is not None, "a fixed set against forgetting"
    assert result.doubts, "nine patients show nothing: activating warns"
