"""The watchers of conftest.py do fail tests: each is tried on an inner test session in its own process."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
HEADER = """
import gc, logging, os, sys, threading, time
from pathlib import Path
import pytest
"""
QT_HEADER = "from PySide6 import QtCore, QtGui, QtWidgets\n"

FAILING = {
    "python-thread": (
        "def test_it(): threading.Thread(target=time.sleep, args=(5,), name='stray', daemon=True).start()",
        "Python thread stray",
    ),
    "thread-exception": (
        "def test_it(): t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()",
        "ZeroDivisionError",
    ),
    "del-exception": (
        """
class Bad:
    def __del__(self): raise KeyError("lost")
def test_it():
    Bad()
    gc.collect()
""",
        "KeyError",
    ),
    "unclosed-file": ("def test_it(): open(os.devnull); gc.collect()", "ResourceWarning"),
    "log-record": (
        "def test_it(): logging.getLogger('ctviewer.x').warning('odd %s', 'thing')",
        "WARNING ctviewer.x: odd",
    ),
}
FAILING_QT = {
    "running-qthread": (
        """
class Busy(QtCore.QThread):
    def run(self): time.sleep(5)
def test_it(qapp):
    global kept
    kept = Busy(); kept.start()
""",
        "running thread Busy",
    ),
    "event-loop-thread": (
        "def test_it(qapp):\n    global kept\n    kept = QtCore.QThread(); kept.start()",
        "running thread QThread",
    ),
    "active-timer": (
        "def test_it(qapp):\n    global kept\n    kept = QtCore.QTimer(objectName='ticker'); kept.start(1000)",
        "active timer QTimer ticker",
    ),
    "timer-of-a-parent": (
        """
def test_it(qapp):
    global kept
    kept = QtWidgets.QWidget()
    QtCore.QTimer(kept).start(1000)
""",
        "active timer QTimer of QWidget",
    ),
    "visible-widget": (
        "def test_it(qapp):\n    global kept\n    kept = QtWidgets.QLabel('x', objectName='stray'); kept.show()",
        "visible window QLabel stray",
    ),
    "visible-window": (
        "def test_it(qapp):\n    global kept\n    kept = QtGui.QWindow(); kept.show()",
        "visible window QWindow",
    ),
    "qt-warning": ("def test_it(qapp): QtCore.qWarning('odd thing')", "odd thing"),
    "qt-warning-of-qt": (
        "def test_it(qapp): QtCore.QObject().startTimer(-5); QtGui.QPixmap(5, 5).scaled(0, 3); QtGui.QPainter().end()",
        "Qt warned",
    ),
    "slot-exception": (
        """
class Source(QtCore.QObject):
    fired = QtCore.Signal()
def test_it(qapp):
    source = Source()
    def slot(): raise KeyError("lost in a slot")
    source.fired.connect(slot)
    source.fired.emit()
""",
        "lost in a slot",
    ),
    "queued-slot-exception": (
        """
def test_it(qtbot):
    def slot(): raise KeyError("lost in the loop")
    QtCore.QTimer.singleShot(0, slot)
    qtbot.wait(50)
""",
        "lost in the loop",
    ),
    "virtual-exception": (
        """
class Bad(QtWidgets.QWidget):
    def paintEvent(self, event): raise KeyError("lost in painting")
def test_it(qtbot):
    widget = Bad()
    qtbot.addWidget(widget)
    widget.show()
    qtbot.wait(50)
""",
        "lost in painting",
    ),
    "mouse-exception": (
        """
class Bad(QtWidgets.QWidget):
    def mousePressEvent(self, event): raise KeyError("lost in a click")
def test_it(qtbot):
    widget = Bad()
    qtbot.addWidget(widget)
    widget.show()
    qtbot.mouseClick(widget, QtCore.Qt.MouseButton.LeftButton)
""",
        "lost in a click",
    ),
}
CLEAN = (
    QT_HEADER
    + """
def test_logs_allowed(expected_logs):
    logging.getLogger("x").warning("odd")
    assert [r.getMessage() for r in expected_logs] == ["odd"]

def test_information_is_no_warning(): logging.getLogger("x").info("fine")

def test_qt_allowed(qapp, expected_qt_messages):
    QtCore.qWarning("odd")
    assert expected_qt_messages == ["odd"]

def test_widgets_and_threads_that_end(qtbot):
    widget = QtWidgets.QLabel("x")
    qtbot.addWidget(widget)
    widget.show()
    timer = QtCore.QTimer(widget)
    timer.start(1)
    thread = QtCore.QThread()
    thread.start()
    thread.quit()
    thread.wait()
    other = threading.Thread(target=time.sleep, args=(0.1,))
    other.start()

def test_late_end_is_waited_for():
    threading.Thread(target=time.sleep, args=(0.2,)).start()

def test_one_application(qapp): assert QtWidgets.QApplication.instance() is qapp

def test_folders(tmp_path):
    for name in ("CTVIEWER_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        folder = Path(os.environ[name])
        assert not folder.exists() and tmp_path not in folder.parents
"""
)
LEAK_THEN_CLEAN = (
    QT_HEADER
    + """
def test_leak(qapp):
    global kept
    kept = QtWidgets.QWidget(); kept.show()
    QtCore.QTimer(kept).start(1000)
class Busy(QtCore.QThread):
    def run(self): time.sleep(3)
def test_leak_of_a_thread(qapp):
    global busy
    busy = Busy(); busy.start()
def test_clean(qapp): pass
"""
)


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A test session with this conftest.py and this project's pytest settings."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setenv("CTVIEWER_TEST_SETTLE", "0.5")
    conftest = (PROJECT / "tests" / "conftest.py").read_text(encoding="utf-8")
    pytester.makeconftest(re.sub(r"(?m)^pytest_plugins = .*$", "", conftest))  # models are no part of what is tried
    pytester.path.joinpath("pyproject.toml").write_text(_pytest_settings(), encoding="utf-8")
    return pytester


def _pytest_settings() -> str:
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    return text[text.index("[tool.pytest.ini_options]") : text.index("[tool.importlinter]")]


def _check_all(inner: pytest.Pytester, header: str, cases: dict[str, tuple[str, str]]) -> None:
    """One file per case, one session for all: each test fails or errs, and the session says what was expected."""
    files = {f"test_{name.replace('-', '_')}": header + text for name, (text, _) in cases.items()}
    inner.makepyfile(**files)
    result = inner.runpytest_subprocess("-q", "--tb=line", "-p", "no:cacheprovider")
    failed = {line.split("::")[0].split()[1] for line in result.outlines if line.startswith(("FAILED ", "ERROR "))}
    assert failed == {f"{name}.py" for name in files}
    assert "collecting" not in result.stdout.str()
    for _, expected in cases.values():
        assert expected in result.stdout.str()


def test_each_watcher_fails_its_test(inner: pytest.Pytester) -> None:
    """Threads, exceptions in threads and destructors, files left open, log records."""
    _check_all(inner, HEADER, FAILING)


def test_each_qt_watcher_fails_its_test(inner: pytest.Pytester) -> None:
    """QThreads, timers, windows, Qt's warnings, exceptions in slots and virtual methods."""
    _check_all(inner, HEADER + QT_HEADER, FAILING_QT)


def test_clean_tests_pass(inner: pytest.Pytester) -> None:
    """What ends in time, or is allowed by name, fails nothing."""
    inner.makepyfile(HEADER + CLEAN)
    inner.runpytest_subprocess("-q").assert_outcomes(passed=7)


def test_one_leak_fails_one_test(inner: pytest.Pytester) -> None:
    """The test after a leak starts clean."""
    inner.makepyfile(HEADER + LEAK_THEN_CLEAN)
    inner.runpytest_subprocess("-q").assert_outcomes(passed=3, errors=2)


def test_absent_data_is_skipped_with_the_reason(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ../shared/data a test is skipped, and says which folder was looked for."""
    monkeypatch.setenv("CTVIEWER_TEST_DATA", str(inner.path / "nowhere"))
    inner.makepyfile("def test_it(shared_data): assert False")
    result = inner.runpytest_subprocess("-q", "-rs")
    result.assert_outcomes(skipped=1)
    assert "real test data is absent" in result.stdout.str()
