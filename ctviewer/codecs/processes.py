"""Decoding in child processes, so that a crash in native code loses one slice and nothing else.

The parent sends the compressed bytes through a pipe and reads the decoded words from another straight into the volume.
A child that crashes, takes too long or wants too much memory is replaced, and its frame refused.

Every codec runs like that, RLE too: they are all native code that reads bytes from outside. Measured on two cores, 512 x
512, threads of this process beside two children: JPEG 2000 43 and 42 slices/s, JPEG-LS 381 and 355, HTJ2K 690 and 525,
JPEG Lossless 985 and 1,004, RLE 2,384 and 1,386. That is at most 0.3 ms a slice, for a pipe carries 0.9 MB; a child
starts in 0.2 s, ahead of need, and holds 33 MB, 21 of them its own.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from ctviewer.codecs import pictures, wire
from ctviewer.codecs.base import CodecError, Image, PixelFormat
from ctviewer.codecs.child import LACKING_MEMORY, Child, DecoderLostError, command
from ctviewer.core.threads import cores

__all__ = ["DecoderLostError", "DecoderProcesses", "decode", "decode_picture", "shut_down", "warm_up"]

_log = logging.getLogger(__name__)
_MOST_CHILDREN = 8
_SECONDS = 4.0
_PIXELS_OF_SECONDS = 1 << 20  # larger frames get more time, in proportion
MOST_PICTURE_PIXELS = 1 << 28


class DecoderProcesses:
    """Some decoder processes. Any thread may ask; each waits until a process is free.

    Args:
        count: how many processes there are at most.
        command: what starts one.
        seconds: how long a frame of up to a megapixel may take.
    """

    def __init__(self, count: int, command: Sequence[str], seconds: float = _SECONDS) -> None:
        self.count = count
        self._command, self._seconds = tuple(command), seconds
        self._idle: queue.LifoQueue[Child | None] = queue.LifoQueue()  # None: a place without a process
        for _ in range(count):
            self._idle.put(None)
        self._lock = threading.Lock()
        self._children: set[Child] = set()
        self._worked = False

    def warm_up(self) -> None:
        """Start all processes that do not run, without waiting until they are ready."""
        for child in self._take_idle():
            started = child
            if started is None:
                with contextlib.suppress(OSError):
                    started = self._start()
            self._idle.put(started)

    def decode(self, syntax: str, data: bytes, pixel_format: PixelFormat, out: NDArray[Any] | None = None) -> Image:
        """Decode one frame; arguments and errors as of `codecs.decode`.

        Args:
            syntax: Transfer Syntax UID, of `codecs.SUPPORTED`.
            data: the compressed frame, its fragments joined.
            pixel_format: what the DICOM header says of it.
            out: `[rows, columns]` and C-contiguous; its memory is used where the decoded words have its size.

        Raises:
            CodecError: the data were refused.
            DecoderLostError: the process crashed, took too long or wanted too much memory.
        """
        seconds = self._seconds * max(1.0, pixel_format.rows * pixel_format.columns / _PIXELS_OF_SECONDS)
        return self._run(wire.Request(syntax, pixel_format, 0, 0, seconds, len(data)), data, out)

    def decode_picture(
        self, kind: str, data: bytes, page: int = 0, most_pixels: int = MOST_PICTURE_PIXELS
    ) -> NDArray[Any]:
        """Decode a picture; arguments, result and errors as of `pictures.decode`, and DecoderLostError as of `decode`."""
        seconds = self._seconds * max(1.0, len(data) / _PIXELS_OF_SECONDS)
        return self._run(wire.Request(kind, None, page, most_pixels, seconds, len(data)), data, None)

    def shut_down(self) -> None:
        """End all processes. One that is asked for later is started anew."""
        for child in self._take_idle():
            if child is not None:
                self._end(child)
            self._idle.put(None)
        with self._lock:
            for child in self._children:
                child.kill()

    def _take_idle(self) -> list[Child | None]:
        """All places that are free now; the caller puts each back."""
        places: list[Child | None] = []
        with contextlib.suppress(queue.Empty):
            while True:
                places.append(self._idle.get_nowait())
        return places[::-1]

    def _start(self) -> Child:
        child = Child(self._command)
        with self._lock:
            self._children.add(child)
        return child

    def _end(self, child: Child) -> None:
        with self._lock:
            self._children.discard(child)
        child.end()

    def _run(self, request: wire.Request, data: bytes, out: NDArray[Any] | None) -> NDArray[Any]:
        """Ask a process; a fresh one if a used one is lost: an earlier frame may have left it hurt."""
        child = self._idle.get()
        try:
            if child is not None and (image := self._ask(child, request, data, out)) is not None:
                return image
            child = self._start_ready()
            if child is None:
                return _decode_here(request, data)
            if (image := self._ask(child, request, data, out)) is not None:
                return image
            raise DecoderLostError("crashed their decoder")
        finally:
            self._idle.put(None if child is None or child.gone else child)

    def _start_ready(self) -> Child | None:
        """A process that has started; None where none ever could."""
        try:
            child = self._start()
            self.warm_up()  # the others, for the frames that follow this one
        except OSError:
            child = None
        if child is not None and child.wait_ready():
            self._worked = True
            return child
        if child is not None:
            self._end(child)
        if self._worked:
            raise DecoderLostError("cannot be decoded, because no process for it could be started")
        return None

    def _ask(self, child: Child, request: wire.Request, data: bytes, out: NDArray[Any] | None) -> NDArray[Any] | None:
        """The image, or None where the process was lost without a reason that is known."""
        started = time.monotonic()
        try:
            return child.ask(request, data, out)
        except wire.ClosedError as error:
            self._end(child)
            if time.monotonic() - started >= request.seconds:
                raise DecoderLostError(f"took longer than {request.seconds:.0f} s to decode") from error
            return None
        except DecoderLostError:
            self._end(child)
            raise
        except CodecError:
            raise
        except BaseException:  # Ctrl+C between question and answer
            self._end(child)
            raise


def _decode_here(request: wire.Request, data: bytes) -> NDArray[Any]:
    """Decode in this process, where the system lets none be started: a picture unprotected is more than no picture."""
    _log.warning("Decoder processes cannot be started; pixels are decoded in the program's own process.")
    from ctviewer import codecs

    try:
        if request.format is None:
            return pictures.decode(request.kind, data, request.page, request.most_pixels)
        return codecs.decode(request.kind, data, request.format)
    except MemoryError as error:
        raise DecoderLostError(LACKING_MEMORY) from error
    except CodecError:
        raise
    except Exception as error:  # what stands for a process has its boundary: a refusal of the data
        raise CodecError from error


_DEFAULT = DecoderProcesses(min(cores(), _MOST_CHILDREN), command())
atexit.register(_DEFAULT.shut_down)
decode = _DEFAULT.decode
decode_picture = _DEFAULT.decode_picture
warm_up = _DEFAULT.warm_up
shut_down = _DEFAULT.shut_down
