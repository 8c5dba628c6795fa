"""The process in which cases are tried, with bounds that the system keeps."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

from fuzz.trial import Verdict, attempt, describe

MEMORY_BYTES = 300 << 20
"""Most that a case may use above what the idle process does."""
ADDRESS_BYTES = 2 << 30
"""Most address space above the idle process: what is only reserved counts here."""
_STATUS, _REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def serve(pipe: Connection) -> None:
    """Try the cases that come through a pipe, and answer each with its verdict; ends with None."""
    _mute()
    from ctviewer.dicom import scan  # noqa: F401 - loaded before the idle state is measured

    _limit_address_space()
    with tempfile.TemporaryDirectory(prefix="ctviewer-fuzz-") as folder:
        opened = Path(folder) / "opened"
        opened.mkdir()
        pipe.send(None)
        while (case := pipe.recv()) is not None:
            idle = _start_measuring()
            try:
                verdict = attempt(case, opened)
            except Exception as error:  # noqa: BLE001 - of the fuzzer itself: it must be seen
                verdict = Verdict("fuzzer", describe(error))
            used = _peak() - idle
            if used > MEMORY_BYTES:
                verdict = Verdict("memory", f"{used >> 20} MB, after: {verdict.name} {verdict.detail}")
            with contextlib.suppress(BrokenPipeError):
                pipe.send(verdict)


def _mute() -> None:
    """Codecs written in C print what they think of broken data."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(null, stream.fileno())


def _limit_address_space() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    if _STATUS.exists():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + ADDRESS_BYTES,) * 2)


def _start_measuring() -> int:
    """Bytes in use now; the peak is counted from here."""
    if not _REFS.exists():
        return 0
    _REFS.write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM") if _STATUS.exists() else 0


def _status(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
