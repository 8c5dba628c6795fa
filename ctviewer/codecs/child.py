"""One decoder process, seen from the parent; see `processes`."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

import ctviewer
from ctviewer.codecs import wire
from ctviewer.codecs.base import CodecError

_PIPE_BYTES = 1 << 20
LACKING_MEMORY = "would take more memory to decode than an image of their size should"


class DecoderLostError(CodecError):
    """The child process was lost over a frame."""


class Child:
    """One decoder process; used by one thread at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            creationflags=_creation_flags(),
        )
        self._input = cast(wire.Pipe, self._process.stdin)
        self._output = cast(wire.Pipe, self._process.stdout)
        self.gone = False
        self._ready = False
        _widen(self._process)

    def wait_ready(self) -> bool:
        """Wait until it has started; False where it could not."""
        with contextlib.suppress(wire.ClosedError):
            self._ready = self._ready or wire.Answer.read(self._output).status == wire.READY
        return self._ready

    def ask(self, request: wire.Request, data: bytes, out: NDArray[Any] | None) -> NDArray[Any]:
        """Have one frame decoded, into `out` where its type fits.

        Raises:
            CodecError: the data were refused.
            DecoderLostError: they would take too much memory.
            ClosedError: the process has gone.
        """
        if not self.wait_ready():
            raise wire.ClosedError
        wire.send(self._input, request.pack())
        wire.send(self._input, data)
        answer = wire.Answer.read(self._output)
        if not answer.is_sound or answer.status == wire.READY:
            raise wire.ClosedError
        if answer.status == wire.LACKING_MEMORY:
            raise DecoderLostError(LACKING_MEMORY)
        if answer.status == wire.REFUSED:
            raise CodecError(wire.receive(self._output, answer.length).decode("utf-8", "replace"))
        image = _target(answer, request, out)
        wire.receive_into(self._output, image.data.cast("B"))
        return image

    def kill(self) -> None:
        """End it from any thread; who waits for it is told that it has gone."""
        with contextlib.suppress(OSError):
            self._process.kill()

    def end(self) -> None:
        """Kill it and free its pipes; by the thread that uses it. It holds nothing that could be lost."""
        self.gone = True
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _target(answer: wire.Answer, request: wire.Request, out: NDArray[Any] | None) -> NDArray[Any]:
    """Memory for an announced image: `out` itself where words of its size come. A size that was not asked for is refused."""
    dtype = np.dtype(answer.dtype)
    frame = request.format
    if frame is None:
        if math.prod(answer.shape) > 4 * request.most_pixels:
            raise wire.ClosedError
        return np.empty(answer.shape, dtype)
    if answer.shape != (frame.rows, frame.columns) or dtype.kind not in "iu":
        raise wire.ClosedError
    return out.view(dtype) if out is not None and out.itemsize == dtype.itemsize else np.empty(answer.shape, dtype)


def command() -> list[str]:
    """Without `site`, which only finds paths that are handed on anyway, and never modules from the working folder."""
    return [sys.executable, "-S", "-P", "-m", "ctviewer.codecs.worker"]


def _environment() -> dict[str, str]:
    """This process's, with its own search path, and no pool of threads in numpy, which a decoder has no use for."""
    home = str(Path(ctviewer.__file__).parents[1])
    paths = [home, *(path for path in sys.path if path and path != home)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _creation_flags() -> int:
    """Windows: no console window, no Ctrl+C of the parent's, and the processor to the window first."""
    if sys.platform != "win32":
        return 0
    flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    return flags | subprocess.BELOW_NORMAL_PRIORITY_CLASS


def _widen(process: subprocess.Popen[bytes]) -> None:
    """Let a whole frame fit into each pipe, where the system allows it: fewer turns from one process to the other."""
    if sys.platform != "linux":
        return
    import fcntl

    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
