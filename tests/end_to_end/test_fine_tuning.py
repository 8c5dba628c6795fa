"""Fine-tuning from the window: data, pre-flight, pause, a killed process, resume, compare, activate, analyse, roll back."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from ctviewer.app.models import installed, named
from ctviewer.core.events import Done
from ctviewer.datasets.hard_studies import HardSettings, write_hard_studies
from ctviewer.ui.finetune.state import Phase
from ctviewer.ui.presenters.analysing import Phase as Analysis

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

SOON, LONG = 60_000, 600_000


BASE = "starter-study-classifier 0.1.0"


@pytest.fixture
def base(private_folders) -> None:
    """The department uses the model that may be used for everything, and that knows the classes of its studies."""
    installed().activate(named(BASE))


@pytest.fixture(scope="module")
def studies(tmp_path_factory) -> Path:
    """Eighteen generated studies of eighteen patients, six of each class that the base model knows."""
    folder = tmp_path_factory.mktemp("hospital") / "studies"
    settings = HardSettings(matrix=96, slices=(16, 18), lesion_slices=5, train=1, val=1, test=0, external=0)
    return next(event.value for event in write_hard_studies(folder, settings) if isinstance(event, Done))


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
    assert page.config().model.base in ("", BASE)


def analysed_by(qtbot, hands, window) -> str:
    """Analyse the study on show; the version that answered."""
    hands.click(window.parts.result._button)
    ended = (Analysis.DONE, Analysis.ABSTAINED, Analysis.FAILED)
    qtbot.waitUntil(lambda: window.analysing.state.phase in ended, timeout=LONG)
    assert window.analysing.state.phase is Analysis.DONE, window.analysing.state.text
    return window.analysing.state.classification.model.version


def test_a_department_tunes_the_model_on_its_own_studies(qtbot, hands, start, base, studies, expected_logs):
    window = start()
    with qtbot.waitSignal(window.reading.ready, timeout=SOON):
        window.open_path(studies / "S001")
    assert analysed_by(qtbot, hands, window) == "0.1.0"

    window.actions_["fine_tune"].trigger()
    training, desk = window.training, window.fine_tuning.dialog
    hands.bring_to_front(desk.dialog)
    choose_data(qtbot, desk, studies)
    hands.press(desk.dialog, "Check the data")
    hands.wait_for(training, Phase.CHECKED, LONG)
    report = training.state.report
    assert report.studies == 18 and not report.blocked and report.baseline, "the base's own figures are there"
    hands.accept_doubts(desk)

    hands.press(desk.dialog, "Start training")
    wait_for_step(qtbot, training, 3)
    hands.press(desk.run, "Pause")
    hands.wait_for(training, Phase.PAUSED)
    assert not training_processes(), "a paused run takes no memory"
    paused = len(training.history.current.steps[0])

    hands.press(desk.run, "Resume")
    wait_for_step(qtbot, training, 2)
    with qtbot.waitSignal(window.reading.ready, timeout=SOON):
        window.open_path(studies / "S002")  # the viewer is usable meanwhile
    (process,) = training_processes()
    os.kill(process.pid, signal.SIGKILL)
    hands.wait_for(training, Phase.FAILED)
    assert "signal 9" in training.state.text and "Resume" in {b.text().replace("&", "") for b in _shown(desk.run)}

    hands.press(desk.run, "Resume")
    hands.wait_for(training, Phase.FINISHED, LONG)
    steps = training.history.current.steps[0]
    assert steps.tolist() == list(range(1, len(steps) + 1)) and len(steps) > paused, "every step once"

    check_comparison(desk, training)
    hands.click(desk.comparison.activate)
    qtbot.waitUntil(lambda: training.state.result.active, timeout=SOON)
    assert analysed_by(qtbot, hands, window) == "0.2.0"
    hands.click(desk.comparison.roll_back)
    qtbot.waitUntil(lambda: not training.state.result.active, timeout=SOON)
    desk.dialog.close()
    assert analysed_by(qtbot, hands, window) == "0.1.0"
    assert ["signal 9" in record.getMessage() for record in expected_logs] == [True], "nothing else went wrong"


def _shown(parent) -> list[QPushButton]:
    return [b for b in parent.findChildren(QPushButton) if b.isVisible()]


def check_comparison(desk, training) -> None:
    """Old against new on studies that neither learned from here, and on the fixed set."""
    result = training.state.result
    assert result.key == "starter-study-classifier 0.2.0" and result.parent == BASE
    assert not result.active, "activating is an act of its own"
    comparison = result.comparison
    assert comparison is not None and desk.dialog.page is desk.comparison
    assert comparison.regression is not None, "a fixed set against forgetting"
    assert result.doubts, "nine patients show nothing: activating warns"
