"""`ctviewer demo`: the sample study, opened and analysed; in the window, or without a display into files."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ctviewer.app.analyze import write_all
from ctviewer.app.crash import install_crash_hooks, install_qt_messages
from ctviewer.app.folders import data_folder
from ctviewer.app.gui import has_display, make_application, make_window, run_gui
from ctviewer.app.models import in_use
from ctviewer.app.progress import ProgressLine, drain
from ctviewer.core.errors import CtviewerError, StorageError
from ctviewer.core.printing import PageSize
from ctviewer.datasets.sample import sample_study
from ctviewer.models.metadata import TASKS

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from ctviewer.ui.main_window import MainWindow

_PATIENCE_S = 1800.0


def run_demo(out: Path | None) -> int:
    """Make the sample study once, open it, analyse it; returns the exit code.

    Raises:
        CtviewerError: a folder cannot be written, or the analysis failed.
    """
    line = ProgressLine(quiet=False)
    folder: Path = drain(sample_study(data_folder() / "sample"), line)
    print(f"The sample study, a generated phantom, is in {folder}")
    for sentence in _models_told():
        print(sentence)
    if has_display() and os.environ.get("QT_QPA_PLATFORM") != "offscreen":
        return run_gui(folder, prepare=_analyse_when_loaded)
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    return _off_screen(folder, out or Path("demo"), line)


def _models_told() -> list[str]:
    """Which models answer: those in use, as with any study. What they make of a phantom says nothing of patients."""
    used = [bundle.metadata for task in TASKS if (bundle := in_use(task)) is not None]
    told = [f"It is analysed by {m.name} {m.version}, {m.trained_on}." for m in used]
    told += list(dict.fromkeys(m.restriction for m in used if m.restriction))
    return [*told, "What models make of a phantom says nothing of patients."] if used else []


def _analyse_when_loaded(window: MainWindow) -> None:
    """Ask for the analysis as a reader would, once the series is there and has no result yet."""

    def start(_reading: object) -> None:
        window.reading.ready.disconnect(start)
        if window.analysing.state.result is None:
            window.actions_["analyse"].trigger()

    window.reading.ready.connect(start)


def _off_screen(folder: Path, out: Path, line: ProgressLine) -> int:
    """The same work in a window nobody sees; report, result and a screenshot go to `out`."""
    with ExitStack() as stack:
        stack.callback(install_crash_hooks())
        app = make_application()
        stack.callback(install_qt_messages())
        window = make_window(app)
        stack.callback(lambda: (window.close(), app.processEvents()))
        _analyse_when_loaded(window)
        window.analysing.progressed.connect(lambda progress: line.show(progress) if progress else None)
        window.show()
        window.open_path(folder)
        _wait(app, window)
        line.end()
        result, volume = window.analysing.state.result, window.session.volume
        if result is None or volume is None:
            raise CtviewerError(_why(window))
        write_all(volume, result, out, folder, PageSize(window.services.preferences().page), line)
        screenshot = out / "screenshot.png"
        _screenshot(app, window, screenshot)
    print("There is no display, so the work was done off-screen. Written:")
    for name in ("report.pdf", "result.json", "overlays", "screenshot.png"):
        print(f"  {(out / name).resolve()}")
    return 0


def _why(window: MainWindow) -> str:
    """Why there is no result: what failed, or for what reasons the models in use abstain."""
    state = window.analysing.state
    reasons = state.suitability.reasons if state.suitability is not None else ()
    return " ".join((state.text or "The sample study could not be analysed.", *reasons))


def _wait(app: QApplication, window: MainWindow) -> None:
    """Run the event loop until the analysis has ended in one way or another."""
    from ctviewer.ui.presenters.analysing import Phase

    ended = (Phase.DONE, Phase.ABSTAINED, Phase.FAILED)
    deadline = time.monotonic() + _PATIENCE_S
    while window.analysing.state.phase not in ended and time.monotonic() < deadline:
        app.processEvents()
        time.sleep(0.01)


def _screenshot(app: QApplication, window: MainWindow, target: Path) -> None:
    window.actions_["next_ranked"].trigger()
    for _ in range(20):
        app.processEvents()
        time.sleep(0.01)
    if not window.grab().save(str(target)):
        raise StorageError(f"{target} could not be written.")
