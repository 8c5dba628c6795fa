"""What holds for every test: private user folders, nothing left running, nothing said in secret.

A test fails when it leaves a thread, timer or window behind, when Qt or a logger warns, or when an exception is lost in
a slot, a virtual method or a thread. Each mechanism is tried in `test_conftest.py`.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest_plugins = ["tiny_models"]
PROJECT = Path(__file__).resolve().parents[1]
SETTLE_SECONDS = float(os.environ.get("CTVIEWER_TEST_SETTLE", "2"))  # what a thread or window may take to end
USER_FOLDERS = ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "CTVIEWER_HOME")
PLATFORM_NOISE = "This plugin does not support"  # what the off-screen platform says of size hints, raising and the like
_reported: list[object] = []  # leaks that failed a test already: they fail no other

# One thread for torch: nets as small as here take up to four times longer with two, and sums come out the same whatever
# the number of cores. Where a test or a caller wants more, they wait asleep, for others of the machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real test data; skips where it is absent."""
    folder = Path(os.environ.get("CTVIEWER_TEST_DATA") or PROJECT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"real test data is absent ({folder}); set CTVIEWER_TEST_DATA to where it is")
    return folder


@pytest.fixture(autouse=True)
def private_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folders, empty and apart from `tmp_path` (which tests use as an opened folder)."""
    home = tmp_path_factory.mktemp("home")
    for name in USER_FOLDERS:
        monkeypatch.setenv(name, str(home / name.lower()))
    return home


class _Records(logging.Handler):
    """Keeps what is logged at WARNING or above."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def quiet_logs(request: pytest.FixtureRequest) -> Iterator[list[logging.LogRecord]]:
    """Fail the test that logs at WARNING or above, unless it uses `expected_logs`."""
    handler = _Records()
    logging.getLogger().addHandler(handler)
    yield handler.records
    logging.getLogger().removeHandler(handler)
    if handler.records and "expected_logs" not in request.fixturenames:
        lines = [f"{r.levelname} {r.name}: {r.getMessage()}" for r in handler.records]
        pytest.fail("unexpected log records (allow them by the fixture expected_logs):\n" + "\n".join(lines), False)


@pytest.fixture
def expected_logs(quiet_logs: list[logging.LogRecord]) -> list[logging.LogRecord]:
    """Allow log records at WARNING or above; gives the list that they are added to."""
    return quiet_logs


@pytest.fixture(autouse=True)
def quiet_qt(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Fail the test during which Qt warns, unless it uses `expected_qt_messages`."""
    messages: list[str] = []
    if not _uses_qt(request):
        yield messages
        return
    from PySide6.QtCore import QtMsgType, qInstallMessageHandler

    def keep(kind: QtMsgType, _context: object, text: str) -> None:
        if kind not in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg) and not text.startswith(PLATFORM_NOISE):
            messages.append(text)

    previous = qInstallMessageHandler(keep)
    yield messages
    qInstallMessageHandler(previous)
    if messages and "expected_qt_messages" not in request.fixturenames:
        pytest.fail("Qt warned (allow it by the fixture expected_qt_messages):\n" + "\n".join(messages), False)


@pytest.fixture
def expected_qt_messages(quiet_qt: list[str]) -> list[str]:
    """Allow Qt warnings; gives the list that they are added to."""
    return quiet_qt


@pytest.fixture(autouse=True)
def no_lost_exceptions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail the test during which an exception ends in `sys.excepthook`: one raised in a slot or a virtual method.

    pytest-qt's own hook does nothing on PySide6 6.5.2 and later. Exceptions in threads and in `__del__` are caught by
    pytest itself; pyproject.toml makes errors of its warnings.
    """
    lost: list[str] = []

    def keep(*error: object) -> None:
        lost.append("".join(traceback.format_exception(*error)))  # type: ignore[call-overload] # as Python calls it

    monkeypatch.setattr(sys, "excepthook", keep)
    yield
    if lost:
        pytest.fail("exceptions lost in slots or virtual methods:\n" + "\n".join(lost), False)


@pytest.fixture(autouse=True)
def nothing_left_running(
    request: pytest.FixtureRequest, no_lost_exceptions: None, quiet_qt: list[str], quiet_logs: object
) -> Iterator[None]:
    """Fail the test that leaves a thread, a timer or a visible window; ends what it can for the tests after it.

    It asks for the other watchers so that it is taken down before them: what is said while things end counts too.
    """
    before = set(threading.enumerate())
    yield
    left = _settle(lambda: _python_threads(before) + (_qt_left() if _uses_qt(request) else []))
    if left:
        if _uses_qt(request):
            _close_all()
        pytest.fail("the test leaves behind:\n" + "\n".join(left), False)


def _uses_qt(request: pytest.FixtureRequest) -> bool:
    """Whether there is an application, or the test asks for one."""
    if {"qapp", "qtbot"} & set(request.fixturenames):
        return True
    core = sys.modules.get("PySide6.QtCore")
    return core is not None and core.QCoreApplication.instance() is not None


def _settle(look: Callable[[], list[str]]) -> list[str]:
    """Look until nothing is found or the time is over; what is still found."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _python_threads(before: set[threading.Thread]) -> list[str]:
    """Python threads that were not there before."""
    return [f"Python thread {t.name}" for t in threading.enumerate() if t not in before and t.is_alive()]


def _qt_left() -> list[str]:
    """Running QThreads, active QTimers and visible windows, after events and deletions have had their turn."""
    from PySide6.QtCore import QCoreApplication, QEvent, QThread, QThreadPool, QTimer

    app = QCoreApplication.instance()
    if app is None:
        return []
    app.processEvents()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    left = [f"visible window {_describe(w)}" for w in _visible_windows()]
    for thing in _alive(QThread, QTimer):
        if isinstance(thing, QTimer) and thing.isActive():
            left.append(f"active timer {_describe(thing)} of {_describe(thing.parent())}")
        elif isinstance(thing, QThread) and thing.isRunning() and thing is not app.thread():
            left.append(f"running thread {_describe(thing)}")
    if QThreadPool.globalInstance().activeThreadCount():
        left.append("busy global thread pool")
    return left


def _alive(*kinds: type) -> list[object]:
    """All Qt objects of these kinds that Python knows and Qt has not deleted."""
    import shiboken6

    # type(): isinstance() would wake up proxies that other packages keep
    found = [thing for thing in gc.get_objects() if issubclass(type(thing), kinds)]
    return [t for t in found if shiboken6.isValid(t) and not any(t is known for known in _reported)]


def _visible_windows() -> list[object]:
    """Top-level widgets that are shown, and bare windows without a widget; tool tips go by themselves."""
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QGuiApplication
    from PySide6.QtWidgets import QApplication

    if not isinstance(QGuiApplication.instance(), QGuiApplication):
        return []
    widgets: list[object] = []
    if isinstance(QApplication.instance(), QApplication):
        shown = [w for w in QApplication.topLevelWidgets() if w.isVisible()]
        widgets += [w for w in shown if w.windowType() != Qt.WindowType.ToolTip]
    handles = {w.windowHandle() for w in widgets}  # type: ignore[attr-defined] # they are QWidgets
    bare = [w for w in QGuiApplication.topLevelWindows() if w.isVisible() and w.type() != Qt.WindowType.ToolTip]
    return widgets + [w for w in bare if w not in handles]


def _describe(thing: object) -> str:
    """Class and object name."""
    name = getattr(thing, "objectName", str)()
    return f"{type(thing).__name__} {name}".strip()


def _close_all() -> None:
    """End windows, timers and threads, so that one leak fails one test."""
    from PySide6.QtCore import QCoreApplication, QEvent, QThread, QTimer

    app = QCoreApplication.instance()
    with contextlib.suppress(RuntimeError):  # deleted meanwhile
        for window in _visible_windows():
            window.close()  # type: ignore[attr-defined] # widgets and windows have it
            window.deleteLater()  # type: ignore[attr-defined]
        for thing in _alive(QThread, QTimer):
            if isinstance(thing, QTimer):
                thing.stop()
            elif isinstance(thing, QThread) and app is not None and thing is not app.thread():
                thing.quit()
                if not thing.wait(200):
                    _reported.append(thing)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
