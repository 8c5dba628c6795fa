"""Where exceptions go that nobody caught: into the log, and as a report without patient data to the window."""

from __future__ import annotations

import faulthandler
import importlib.metadata
import logging
import os
import platform
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import IO, Any

from ctviewer import __version__
from ctviewer.app.folders import log_folder
from ctviewer.app.logs import safe_traceback
from ctviewer.core.errors import StorageError
from ctviewer.core.findings import RESEARCH_USE

CrashHandler = Callable[[str], None]

_PACKAGES = ("numpy", "scipy", "pydicom", "imagecodecs", "PySide6-Essentials", "pyqtgraph", "torch", "torchvision")
_logger = logging.getLogger(__name__)


class _State:
    """The hooks are one per process, so their state is too."""

    handler: CrashHandler | None = None
    reporting = threading.local()
    faults: IO[str] | None = None


def set_crash_handler(handler: CrashHandler | None) -> None:
    """Say who shows crash reports. It is called on the thread that crashed; the window passes the text on by a signal."""
    _State.handler = handler


def install_crash_hooks() -> Callable[[], None]:
    """Catch what nobody caught: in the main thread, in other threads, in destructors, and faults of the interpreter.

    Returns:
        What puts the old hooks back.
    """
    old = sys.excepthook, threading.excepthook, sys.unraisablehook
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable
    _trace_faults()

    def restore() -> None:
        sys.excepthook, threading.excepthook, sys.unraisablehook = old
        if _State.faults is not None:
            faulthandler.disable()
            _State.faults.close()
            _State.faults = None

    return restore


def install_qt_messages() -> Callable[[], None]:
    """Send Qt's messages to the log instead of standard error; returns what puts the old handler back."""
    from PySide6.QtCore import QtMsgType, qInstallMessageHandler

    levels = {
        QtMsgType.QtDebugMsg: logging.DEBUG,
        QtMsgType.QtInfoMsg: logging.INFO,
        QtMsgType.QtWarningMsg: logging.WARNING,
        QtMsgType.QtCriticalMsg: logging.ERROR,
        QtMsgType.QtFatalMsg: logging.CRITICAL,
    }
    qt_logger = logging.getLogger("ctviewer.qt")

    def handle(kind: QtMsgType, _context: object, text: str) -> None:
        qt_logger.log(levels.get(kind, logging.WARNING), "%s", text)

    old = qInstallMessageHandler(handle)

    def restore() -> None:
        qInstallMessageHandler(old)

    return restore


def crash_report(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> str:
    """What a user may send on: versions and a traceback, no patient data, no folder names, no local variables."""
    return "\n".join(
        [f"ctviewer {__version__} · {RESEARCH_USE}", *_versions(), "", safe_traceback(kind, error, trace), ""]
    )


def _versions() -> list[str]:
    lines = [f"Python {platform.python_version()} · {platform.system()} {platform.release()} · {platform.machine()}"]
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return [*lines, " · ".join(found)]


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _report("an exception was not caught", kind, error, trace)


def _uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    if not issubclass(arguments.exc_type, SystemExit):  # that is how a thread may end
        _report("an exception ended a thread", arguments.exc_type, arguments.exc_value, arguments.exc_traceback)


def _unraisable(arguments: Any) -> None:
    """A destructor failed: worth a line in the log, not a dialog; nothing the reader did has failed."""
    text = safe_traceback(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
    _logger.error("an exception in a destructor\n%s", text)


def _report(what: str, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Log it and hand the report on; a failure while doing so ends here, or it would go round for ever."""
    if getattr(_State.reporting, "busy", False):
        return
    _State.reporting.busy = True
    try:
        _logger.critical("%s\n%s", what, safe_traceback(kind, error, trace))
        if _State.handler is not None:
            _State.handler(crash_report(kind, error, trace))
        else:
            sys.stderr.write(crash_report(kind, error, trace))
    except Exception as failure:  # noqa: BLE001 (the last boundary there is)
        _logger.critical("the crash report could not be shown: %s", type(failure).__name__)
    finally:
        _State.reporting.busy = False


def _trace_faults() -> None:
    """Let a fault of the interpreter (segmentation fault, abort) leave its Python stack in fault.log; keep the last one."""
    try:
        path = log_folder() / "fault.log"
        if path.is_file() and path.stat().st_size:
            path.replace(path.with_name("fault.old.log"))
        _State.faults = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w")
    except (OSError, StorageError) as error:
        _logger.warning("faults are not traced: %s", type(error).__name__)
        return
    faulthandler.enable(_State.faults)
