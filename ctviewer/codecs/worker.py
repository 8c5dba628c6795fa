"""The child process that decodes: `python -m ctviewer.codecs.worker`; see `processes`.

It holds nothing that could be lost. It ends when its standard input ends, which it does when the parent ends, however
that came about; it ends itself when a frame takes longer than allowed, also inside native code that never comes back.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import signal
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer import codecs
from ctviewer.codecs import pictures, wire
from ctviewer.codecs.base import DAMAGED, CodecError
from ctviewer.core.threads import lower_thread_priority

_ROOM_BYTES = 768 << 20  # for libraries that are loaded on the way, and for what a codec takes whatever the size
_ROOM_PER_PIXEL = 48  # OpenJPEG takes about 12 bytes, libjxl about 30


def main() -> None:
    """Answer requests until standard input ends."""
    source, target, nowhere = _private_pipes()
    _behave()
    limit = _MemoryLimit()
    with contextlib.suppress(wire.ClosedError):
        wire.send(target, wire.Answer(wire.READY).pack())
        while True:
            request = wire.Request.read(source)
            data = wire.receive(source, request.length)
            limit.allow(request)
            faulthandler.dump_traceback_later(request.seconds, exit=True, file=nowhere)
            answer, payload = _answer(request, bytes(data))
            faulthandler.cancel_dump_traceback_later()
            wire.send(target, answer.pack())
            wire.send(target, payload)


def _answer(request: wire.Request, data: bytes) -> tuple[wire.Answer, memoryview]:
    try:
        image = _decode(request, data)
    except MemoryError:
        return wire.Answer(wire.LACKING_MEMORY), memoryview(b"")
    except Exception as error:  # noqa: BLE001 - a process boundary: whatever a library raises is a refusal of the data
        predicate = error.predicate if isinstance(error, CodecError) else DAMAGED
        text = predicate.encode("utf-8")
        return wire.Answer(wire.REFUSED, length=len(text)), memoryview(text)
    image = np.ascontiguousarray(image, image.dtype.newbyteorder("<"))
    return wire.Answer.of(image), image.data.cast("B")


def _decode(request: wire.Request, data: bytes) -> NDArray[Any]:
    if request.format is None:
        return pictures.decode(request.kind, data, request.page, request.most_pixels)
    return codecs.decode(request.kind, data, request.format)


def _private_pipes() -> tuple[io.FileIO, io.FileIO, io.FileIO]:
    """The two pipes to the parent, taken away from native code that might print or read, and the null device."""
    source = io.FileIO(os.dup(0), "r")
    target = io.FileIO(os.dup(1), "w")
    nowhere = io.FileIO(os.open(os.devnull, os.O_RDWR), "r+")
    for standard in (0, 1, 2):
        os.dup2(nowhere.fileno(), standard)
    return source, target, nowhere


def _behave() -> None:
    """Leave Ctrl+C to the parent and the processor to the window; a crash shows no box and leaves no file with pixels."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lower_thread_priority()
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetErrorMode(0x0001 | 0x0002 | 0x8000)  # critical errors, fault box, open-file box
    else:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _MemoryLimit:
    """A bound on the address space, where the system keeps one: an absurd allocation fails here, not in the parent."""

    def __init__(self) -> None:
        self._base = 0
        self._set = 0
        with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/statm", "rb") as file:  # noqa: PTH123
            self._base = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")

    def allow(self, request: wire.Request) -> None:
        """Allow what a frame of the announced size may need."""
        if not self._base or sys.platform == "win32":
            return
        import resource

        frame = request.format
        pixels = request.most_pixels if frame is None else frame.rows * frame.columns
        wanted = self._base + _ROOM_BYTES + _ROOM_PER_PIXEL * pixels + 2 * request.length
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if wanted != self._set and (hard == resource.RLIM_INFINITY or wanted < hard):
            resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
            self._set = wanted


if __name__ == "__main__":
    main()
