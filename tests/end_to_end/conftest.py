"""The real window with the installed models, driven by mouse and keys; under Xvfb by `make end-to-end`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QPushButton

from ctviewer.core.events import Done
from ctviewer.ui.finetune.state import Phase

_SOON = 60_000


class Hands:
    """What a person does in the fine-tuning window."""

    def __init__(self, qtbot) -> None:
        self._qtbot = qtbot

    def click(self, widget) -> None:
        """By mouse, where it can be clicked."""
        assert widget.isVisible() and widget.isEnabled(), widget.text()
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton)

    def press(self, parent, text: str) -> None:
        """The one button of this text that is to be seen."""
        shown = [b for b in parent.findChildren(QPushButton) if b.isVisible()]
        found = [b for b in shown if b.text().replace("&", "") == text]
        assert len(found) == 1, (text, [b.text() for b in shown])
        self.click(found[0])

    def type_path(self, field, path: Path) -> None:
        """Into a `PathField`, with Enter."""
        field.field.setFocus()
        QTest.keyClicks(field.field, str(path))
        QTest.keyClick(field.field, Qt.Key.Key_Return)

    def bring_to_front(self, dialog) -> None:
        """Keys go to the active window; there is no window manager to see to it, and the main window may come back once."""
        for _ in range(2):
            with self._qtbot.waitActive(dialog):
                dialog.activateWindow()
            self._qtbot.wait(500)
        assert QApplication.activeWindow() is dialog

    def wait_for(self, training, phase: Phase, timeout: int = _SOON) -> None:
        """Until the run is there; if it ends otherwise, that is told."""
        ended = {Phase.PAUSED, Phase.CANCELLED, Phase.FINISHED, Phase.FAILED, Phase.IDLE}
        self._qtbot.waitUntil(lambda: training.state.phase in {phase, *ended}, timeout=timeout)
        assert training.state.phase is phase, training.state.text

    def accept_doubts(self, desk) -> None:
        """Tick them all."""
        ticks = [box for box in desk.preflight.findings.findChildren(QCheckBox) if box.isVisible()]
        assert ticks, "so few patients are doubtful"
        assert not desk.dialog.page.ready, "doubts want a tick"
        for box in ticks:
            box.setChecked(True)
        assert desk.dialog.page.ready


@pytest.fixture
def hands(qtbot) -> Hands:
    return Hands(qtbot)


@pytest.fixture
def start(qapp, qtbot, private_folders, monkeypatch) -> Iterator[Callable[[], Any]]:
    """Start the program as `ctviewer` does, each time with the same user's folders; all windows close at the end."""
    from ctviewer.app.gui import make_application, make_window

    monkeypatch.setenv("HOME", str(private_folders))
    windows = []

    def make() -> Any:
        window = make_window(make_application())
        windows.append(window)
        window.resize(1280, 800)
        window.show()
        with qtbot.waitActive(window):  # keys go to the active window; there is no window manager to see to it
            window.activateWindow()
        return window

    yield make
    for window in windows:
        window.close()
        window.deleteLater()
    qapp.processEvents()


@pytest.fixture(scope="session")
def generated(tmp_path_factory) -> Path:
    """The sample study in half its matrix, so that the test is quick."""
    from ctviewer.datasets.sample import SAMPLE_SPEC, sample_study

    folder = tmp_path_factory.mktemp("sample")
    spec = replace(SAMPLE_SPEC, matrix=256, slices=64)
    return next(event.value for event in sample_study(folder, spec) if isinstance(event, Done))
