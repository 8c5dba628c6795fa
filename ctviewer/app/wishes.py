"""What the user wants of a run that goes on: by Ctrl+C, by a signal of the system, or by words on standard input.

Whatever comes, a run is paused rather than lost: its checkpoint is written and it can go on later.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from ctviewer.training.control import Wish

_POLL = 0.1  # seconds between two looks whether to end
_ONE_PRESS = 1.0  # seconds within which Ctrl+C counts once: a terminal and torchrun both tell the process of it
_PAUSING = ("SIGTERM", "SIGHUP", "SIGBREAK")  # ended by the system, terminal closed, Ctrl+Break on Windows


class Wishes:
    """The newest wish; a `Control`. Any thread may say one."""

    def __init__(self) -> None:
        self._wish = Wish.GO_ON

    def __call__(self) -> Wish:
        """What is wished now."""
        return self._wish

    def say(self, wish: Wish) -> None:
        """Wish for something; the last word counts."""
        self._wish = wish

    def pause_unless_asked(self) -> None:
        """Pause, where nothing else is wished already."""
        if self._wish is Wish.GO_ON:
            self._wish = Wish.PAUSE

    def word(self, text: str) -> None:
        """A line of standard input; what is no word for a wish says nothing."""
        with contextlib.suppress(ValueError):
            self.say(Wish(text.strip().lower()))


@contextlib.contextmanager
def signals_heard(wishes: Wishes, tell: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Take Ctrl+C and the system's signals for the wish to pause; a second Ctrl+C ends the program at once.

    Args:
        wishes: told.
        tell: called at the first Ctrl+C, to say what happens.

    Raises:
        KeyboardInterrupt: at the second Ctrl+C.
    """
    first: list[float] = []

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if first and now - first[0] > _ONE_PRESS:
            raise KeyboardInterrupt
        if not first:
            first.append(now)
            wishes.pause_unless_asked()
            tell()

    def ended(_number: int, _frame: FrameType | None) -> None:
        wishes.pause_unless_asked()

    old: list[tuple[signal.Signals, Any]] = []
    if threading.current_thread() is threading.main_thread():
        handlers = {"SIGINT": interrupted, **dict.fromkeys(_PAUSING, ended)}
        for name, handler in handlers.items():
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
                old.append((number, signal.signal(number, handler)))
    try:
        yield
    finally:
        for number, before in old:
            signal.signal(number, signal.SIG_DFL if before is None else before)


@contextlib.contextmanager
def signals_end() -> Iterator[None]:
    """Let Ctrl+C end the process where it stands: while it waits in torch's code, no handler of Python's is called."""
    here = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_DFL) if here else None
    try:
        yield
    finally:
        if here:
            signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def words_heard(wishes: Wishes, handle: int = 0) -> Iterator[None]:
    """Listen to standard input on a thread of its own: a word a line. Its end means that the parent died: pause.

    Nothing is heard where it is no pipe: a terminal, a file, or nothing.
    """
    if not _is_pipe(handle):
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_listen, args=(wishes, handle, over), name="commands", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10 * _POLL)


def _is_pipe(handle: int) -> bool:
    try:
        mode = os.fstat(handle).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _listen(wishes: Wishes, handle: int, over: threading.Event) -> None:
    """Read without ever blocking: a thread that waits in a read would hold up the end of the program."""
    rest = b""
    while not over.is_set():
        try:
            if not _readable(handle):
                continue
            data = os.read(handle, 4096)
        except OSError:
            data = b""
        if not data:
            wishes.pause_unless_asked()
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            wishes.word(line.decode("utf-8", "replace"))
        rest = rest[-4096:]


if sys.platform == "win32":
    import ctypes
    import msvcrt

    def _readable(handle: int) -> bool:
        """Whether there is something to read, or the end; waits a little where there is not.

        Raises:
            OSError: the other side is gone.
        """
        count = ctypes.c_ulong(0)
        pipe = ctypes.c_void_p(msvcrt.get_osfhandle(handle))
        if not ctypes.windll.kernel32.PeekNamedPipe(pipe, None, 0, None, ctypes.byref(count), None):
            raise BrokenPipeError
        if not count.value:
            time.sleep(_POLL)
        return count.value > 0

else:

    def _readable(handle: int) -> bool:
        """Whether there is something to read, or the end; waits a little where there is not.

        Raises:
            OSError: the handle is gone.
        """
        return bool(select.select([handle], [], [], _POLL)[0])
