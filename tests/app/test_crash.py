"""What nobody caught is logged and reported, without patient data."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading

import pytest

from ctviewer.app import crash, logs
from ctviewer.app.folders import log_folder


@pytest.fixture
def hooks(expected_logs):
    """Installed hooks with a handler; gives the list of reports."""
    reports: list[str] = []
    logs.set_up_logs()
    restore = crash.install_crash_hooks()
    crash.set_crash_handler(reports.append)
    yield reports
    crash.set_crash_handler(None)
    restore()
    logs.shut_down_logs()


SECRET = "".join(reversed("NHOJ"))  # the report shows lines of code, so no line may hold it


def fail():
    raise ValueError(f"odd DOE^{SECRET}")


def raise_into_hook(error: BaseException) -> None:
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001 (as Python hands it to the hook)
        sys.excepthook(type(caught), caught, caught.__traceback__)


def test_main_thread(hooks):
    try:
        fail()
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    (report,) = hooks
    assert "ValueError" in report
    assert "app/test_crash.py" in report
    assert "in fail" in report
    assert "numpy " in report
    assert "not a medical device" in report
    assert SECRET not in report
    log = logs.log_path().read_text(encoding="utf-8")
    assert "an exception was not caught" in log
    assert SECRET not in log


def test_other_thread(hooks):
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert len(hooks) == 1


def test_a_thread_may_exit(hooks):
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()
    assert hooks == []


def test_destructor_is_logged_and_no_more(hooks):
    class Bad:
        def __del__(self):
            fail()

    Bad()
    gc.collect()
    assert hooks == []
    assert "in a destructor" in logs.log_path().read_text(encoding="utf-8")


def test_ctrl_c_is_no_crash(hooks, capsys):
    raise_into_hook(KeyboardInterrupt())
    assert hooks == []


def test_a_handler_that_fails_does_not_go_round(hooks):
    calls = []

    def bad(report):
        calls.append(report)
        raise_into_hook(RuntimeError("again"))
        raise KeyError("more")

    crash.set_crash_handler(bad)
    raise_into_hook(ValueError("x"))
    assert len(calls) == 1
    assert "could not be shown: KeyError" in logs.log_path().read_text(encoding="utf-8")
    crash.set_crash_handler(calls.append)
    raise_into_hook(ValueError("y"))
    assert len(calls) == 2


def test_without_a_window_the_report_goes_to_standard_error(hooks, capsys):
    crash.set_crash_handler(None)
    raise_into_hook(ValueError("DOE"))
    assert "ValueError" in capsys.readouterr().err


def test_hooks_are_put_back(expected_logs):
    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    restore = crash.install_crash_hooks()
    assert sys.excepthook is not before[0]
    restore()
    assert before == (sys.excepthook, threading.excepthook, sys.unraisablehook)


def test_qt_messages_go_to_the_log(qapp, expected_logs, expected_qt_messages):
    from PySide6.QtCore import qWarning

    restore = crash.install_qt_messages()
    qWarning("odd thing")
    restore()
    qWarning("not for the log")
    assert [(r.name, r.levelname, r.getMessage()) for r in expected_logs] == [("ctviewer.qt", "WARNING", "odd thing")]
    assert expected_qt_messages == ["not for the log"]


def test_a_fault_leaves_its_stack_and_the_last_one_is_kept(monkeypatch):
    code = "from ctviewer.app import crash; crash.install_crash_hooks(); import os; os.abort()"
    for _ in range(2):
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        assert result.returncode != 0
    for name in ("fault.log", "fault.old.log"):
        assert "Fatal Python error" in (log_folder() / name).read_text(encoding="utf-8")
