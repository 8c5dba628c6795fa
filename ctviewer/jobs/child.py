"""A child process that speaks in lines: started, heard, told, ended; and how it ended, in words.

It survives nothing of the window and the window survives everything of it. Lines of standard output are handed over one
by one; of standard error only the end is kept. Where the window dies, the child finds its standard input closed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil
from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal

_logger = logging.getLogger(__name__)
_LONGEST_LINE = 1 << 22  # bytes; a report of pre-flight over thousands of studies is one line
_TAIL = 1 << 14  # bytes of standard error
_NICENESS = 10
_PLACE = re.compile(
    r'^\s*File "(?:.*[\\/])?([^"\\/]+)", line (\d+), in (\S+)|^\s*File "(?:.*[\\/])?([^"\\/]+)", line (\d+)'
)
_RAISED = re.compile(
    r"^([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning))(?=:|$)|^(Fatal Python error: [A-Za-z ]+)"
)
_SIGNALS = {
    4: "It crashed on an instruction that this processor does not know (signal 4).",
    6: "It crashed inside a library (signal 6).",
    7: "It crashed inside a library (signal 7).",
    8: "It crashed inside a library (signal 8).",
    9: "It was killed by the system (signal 9), most often for lack of memory.",
    11: "It crashed inside a library (signal 11).",
    15: "It was ended from outside (signal 15).",
}
_WINDOWS = {
    0xC0000005: "It crashed inside a library (access violation).",
    0xC0000017: "It ran out of memory.",
    0xC000012D: "It ran out of memory: the page file is too small.",
    0xC0000135: "A library that it needs is missing.",
    0xC000013A: "It was ended from outside (Ctrl+C).",
    0xC0000409: "It crashed inside a library (stack overrun).",
}


@dataclass(frozen=True)
class ChildCommand:
    """What to start.

    Attributes:
        arguments: program and its arguments.
        environment: variables on top of this process's own.
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ChildEnd:
    """How a child ended.

    Attributes:
        code: exit code; None where it never started or was ended by a signal.
        words: one or two sentences for the reader, beginning with "It".
        asked: whether `kill` was called: it did not die by itself.
        tail: the end of its standard error; it may name files and stays out of the log.
    """

    code: int | None
    words: str
    asked: bool = False
    tail: str = ""


class Child(QObject):
    """One process. It may be started once; `finished` comes once, last, whatever happens.

    Signals:
        line: a line of its standard output, without its end.
        finished: a `ChildEnd`.
    """

    line = Signal(str)
    finished = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process = QProcess(self)
        self._output, self._tail = bytearray(), bytearray()
        self._dropping = False  # the rest of a line that is too long
        self._asked = False
        self.end: ChildEnd | None = None
        self._process.readyReadStandardOutput.connect(self._read_output)
        self._process.readyReadStandardError.connect(self._read_errors)
        self._process.errorOccurred.connect(self._on_error)
        self._process.finished.connect(self._on_finished)

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.end is None and self._process.state() is not QProcess.ProcessState.NotRunning

    @property
    def pid(self) -> int:
        """Of the process; 0 where none runs."""
        return int(self._process.processId())

    def start(self, command: ChildCommand) -> None:
        """Start it, behind the window in the queue for the processor. That it cannot be is told by `finished`."""
        environment = QProcessEnvironment.systemEnvironment()
        for name, value in command.environment.items():
            environment.insert(name, value)
        self._process.setProcessEnvironment(environment)
        if sys.platform != "win32":  # Ctrl+C of a terminal is the window's: it asks, and tells the child
            self._process.setUnixProcessParameters(QProcess.UnixProcessFlag.CreateNewSession)
        self._process.started.connect(self._step_back)
        self._process.start(command.arguments[0], list(command.arguments[1:]))

    def send(self, word: str) -> bool:
        """Write one line to its standard input; False where it cannot be told any more."""
        if not self.running:
            return False
        data = f"{word}\n".encode()
        return self._process.write(data) == len(data)

    def kill(self) -> None:
        """End it and all that it started, at once. `finished` follows when the system says so."""
        self._asked = True
        if self.running:
            kill_tree(self.pid)
            self._process.kill()

    def shut_down(self, seconds: float = 5.0) -> bool:
        """Kill it and wait; whether it is gone. Call it before the program ends."""
        if not self.running:
            return True
        self.kill()
        return self._process.waitForFinished(int(seconds * 1000))

    # what the process does

    def _step_back(self) -> None:
        """Give way to the window. The threads that it starts later inherit this."""
        with contextlib.suppress(psutil.Error, OSError):  # a courtesy, not a need
            lower = psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else _NICENESS
            psutil.Process(self.pid).nice(lower)

    def _read_output(self) -> None:
        self._output += self._process.readAllStandardOutput().data()
        *lines, rest = self._output.split(b"\n")
        self._output = rest
        for line in lines:
            if not self._dropping:
                self.line.emit(line.decode("utf-8", "replace").rstrip("\r"))
            self._dropping = False
        if len(self._output) > _LONGEST_LINE:
            self._output.clear()
            self._dropping = True

    def _read_errors(self) -> None:
        self._tail += self._process.readAllStandardError().data()
        del self._tail[:-_TAIL]

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart:  # then `finished` of the process does not come
            self._finish(None, f"It could not be started: {self._process.errorString()}.")

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read_errors()
        self._read_output()
        if self._output and not self._dropping:
            self.line.emit(self._output.decode("utf-8", "replace"))
        crashed = status is QProcess.ExitStatus.CrashExit
        self._finish(None if crashed else code, crash_words(code) if crashed else exit_words(code))

    def _finish(self, code: int | None, words: str) -> None:
        if self.end is not None:
            return
        tail = self._tail.decode("utf-8", "replace")
        self.end = ChildEnd(code, words, self._asked, tail)
        if code != 0 and not self._asked:
            found = traces(tail)
            level = logging.WARNING if code is None or found else logging.INFO  # else it said itself what was wrong
            _logger.log(level, "A child process ended (exit code %s). %s\n%s", code, words, found)
        self.finished.emit(self.end)


def crash_words(code: int) -> str:
    """What a crash was.

    Args:
        code: the signal's number; on Windows the exit code of the process.
    """
    if os.name == "nt":
        return _WINDOWS.get(code & 0xFFFFFFFF, f"It crashed (code 0x{code & 0xFFFFFFFF:08X}).")
    return _SIGNALS.get(code, f"It was ended by signal {code}.")


def exit_words(code: int) -> str:
    """What an exit code says; those above 128 are signals as a shell tells them."""
    if code == 0:
        return "It ended."
    if 128 < code < 128 + 65 and os.name == "posix":
        return crash_words(code - 128)
    return f"It ended with an error (exit code {code})."


def traces(text: str) -> str:
    """Of a traceback the places and the types alone: messages may hold paths, names or values of a patient."""
    kept = []
    for line in text.splitlines():
        if place := _PLACE.match(line):
            name, number, function = place[1] or place[4], place[2] or place[5], place[3]
            kept.append(f"  {name}:{number}" + (f" in {function}" if function else ""))
        elif raised := _RAISED.match(line):
            kept.append(raised[0])
    return "\n".join(kept)


def kill_tree(pid: int) -> None:
    """Kill a process and all that it started, without waiting."""
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):  # the root first: it starts nothing anew
            with contextlib.suppress(psutil.Error):
                process.kill()
