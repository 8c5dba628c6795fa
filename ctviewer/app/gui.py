"""Starting the window: fonts, theme, log, crash dialog, work store."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ctviewer.app.crash import install_crash_hooks, install_qt_messages, set_crash_handler
from ctviewer.core.garbage import spare_what_is_there

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from ctviewer.ui.main_window import MainWindow


def has_display() -> bool:
    """Whether a window can be shown."""
    if sys.platform != "linux":
        return True
    return bool(
        os.environ.get("DISPLAY")
        or os.environ.get("WAYLAND_DISPLAY")
        or os.environ.get("QT_QPA_PLATFORM") == "offscreen"
    )


def make_application() -> QApplication:
    """The one QApplication, with fonts loaded."""
    if sys.platform == "win32":  # torch's libraries must be loaded before Qt's there
        import torch  # noqa: F401
    from PySide6.QtWidgets import QApplication

    from ctviewer.pdf import load_fonts

    running = QApplication.instance()
    app = running if isinstance(running, QApplication) else QApplication(["ctviewer"])
    app.setApplicationName("ctviewer")
    app.setApplicationDisplayName("ctviewer")
    load_fonts()
    return app


def make_window(app: QApplication) -> MainWindow:
    """The main window with this user's settings and work; raises StorageError where the user's folders cannot be used."""
    from ctviewer.app.services import AppServices
    from ctviewer.core.series import Severity
    from ctviewer.jobs import JobRunner
    from ctviewer.ui.main_window import MainWindow
    from ctviewer.ui.theme import apply_theme

    services = AppServices()
    apply_theme(app, services.settings.theme)
    window = MainWindow(services, JobRunner(app))
    for note in services.notes:
        window.parts.messages.say(note, Severity.WARNING)
    return window


def run_gui(path: Path | None, prepare: Callable[[MainWindow], None] = lambda _: None) -> int:
    """Open the window, and a path in it; returns when the window is closed.

    Args:
        path: folder or file to open, or None.
        prepare: is given the window before the event loop starts (the demo starts its analysis with it).
    """
    if not has_display():
        print("ctviewer: there is no display; `ctviewer analyze FOLDER --out DIR` works without one.", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        stack.callback(install_crash_hooks())
        _start_decoders(stack)
        app = make_application()
        stack.callback(install_qt_messages())
        window = make_window(app)
        _show_crashes(window, stack)
        _close_on_ctrl_c(window, stack)
        if path is not None:
            window.open_path(path)
        prepare(window)
        window.show()
        spare_what_is_there()
        return app.exec()


def _start_decoders(stack: ExitStack) -> None:
    """Start the decoder processes beside the window, so that the first compressed image waits for none."""
    from ctviewer.codecs import processes

    threading.Thread(target=processes.warm_up, name="start decoders", daemon=True).start()
    stack.callback(processes.shut_down)


def _close_on_ctrl_c(window: MainWindow, stack: ExitStack) -> None:
    """Close as by the mouse, work saved. Python sees a signal only when it runs: a slow timer lets it."""
    from PySide6.QtCore import QTimer

    signal.signal(signal.SIGINT, lambda *_: window.close())
    timer = QTimer(window)
    timer.timeout.connect(lambda: None)
    timer.start(250)
    stack.callback(timer.stop)


def _show_crashes(window: MainWindow, stack: ExitStack) -> None:
    from ctviewer.ui.crash_dialog import CrashReporter

    reporter = CrashReporter(window)
    reporter.quit_requested.connect(window.close)
    set_crash_handler(reporter.report)
    stack.callback(lambda: set_crash_handler(None))
