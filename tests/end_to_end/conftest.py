"""The real window with the installed models, driven by mouse and keys; under Xvfb by `make end-to-end`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ctviewer.core.events import Done


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
