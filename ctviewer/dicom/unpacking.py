"""Compressed streams as files that can be read at any place: unpacked forwards only as far as is read, and kept meanwhile."""

from __future__ import annotations

import contextlib
import errno
import io
import tempfile
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from lzma import LZMAError
from typing import Any, Protocol

from ctviewer.core.files import reason

_IN_MEMORY = 16 << 20  # what is larger goes to a temporary file that has no name
_STEP = 1 << 20
_CHUNK = 1 << 18  # packed bytes read at once
MOST_RATIO = 1040
"""How many bytes one deflated byte can stand for, at the utmost (zlib's technical notes)."""
_MOST_KEPT = 4
LAST = 1 << 16  # whoever reads of these last bytes reads all: then the checksum is compared
DAMAGED = "its packed data are damaged"
ALTERED = "its checksum is wrong, so that any of its pixels may be"
_CUT = "its packed data end too early"


class UnpackingError(OSError):
    """What is packed cannot be read; `strerror` says why, in a clause."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.EIO, why)


class Stream(Protocol):
    """Something that is unpacked forwards."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes more, fewer only at the end."""


class Inflating:
    """Inflates a file from where it stands.

    Args:
        file: an open file.
        window: zlib's `wbits`: `RAW` for bare deflated data (RFC 1951), `WRAPPED` for zlib or gzip as the data say; of gzip
            there may be several streams, one after the other.
        most: bytes beyond which there is nothing more to be had; None for no bound.
    """

    RAW, WRAPPED = -zlib.MAX_WBITS, 32 + zlib.MAX_WBITS

    def __init__(self, file: Stream, window: int, most: int | None = None) -> None:
        self._file, self._window, self._most = file, window, most
        self._inflater = zlib.decompressobj(window)
        self._tail = b""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes more; none at the end.

        Raises:
            EOFError: the data end before their own end mark, or at `most`.
            zlib.error: they are damaged, their checksum included.
        """
        while size > 0 and (not self._inflater.eof or self._has_another()):
            data = self._tail or self._file.read(_CHUNK)
            if not data:
                raise EOFError
            made = self._inflater.decompress(data, size)
            self._tail = self._inflater.unconsumed_tail
            if made:
                self._count(len(made))
                return made
        return b""

    def _has_another(self) -> bool:
        """Whether another stream follows, which begins then; what else follows is padding, or what some programs append."""
        if self._window == self.RAW:
            return False
        self._tail = self._inflater.unused_data.lstrip(b"\0") or self._file.read(_CHUNK).lstrip(b"\0")
        if self._tail[:1] not in (b"\x1f", b"\x78"):
            return False
        self._inflater = zlib.decompressobj(self._window)
        return True

    def _count(self, length: int) -> None:
        if self._most is not None:
            self._most -= length
            if self._most < 0:
                raise EOFError


class Unpacked:
    """The bytes of a stream, for any number of readers in any number of threads.

    Args:
        stream: what to unpack.
        close: called once when nobody needs it any more.
        size: how many bytes there will be, where that is known.
    """

    def __init__(self, stream: Stream, close: Callable[[], None], size: int | None = None) -> None:
        self._stream, self._close, self._size = stream, close, size
        self._lock = threading.Lock()
        self._kept = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by `close`
        self._length, self._ended = 0, False
        self._damage = ""
        self.readers = 0

    def read_at(self, position: int, buffer: memoryview) -> int:
        """Fill a buffer from a position; how many bytes that were, 0 at the end.

        Raises:
            UnpackingError: the stream is damaged.
            OSError: it cannot be read, or the temporary file cannot be written.
        """
        with self._lock:
            self._unpack(position + len(buffer))
            self._kept.seek(position)
            return int(self._kept.readinto(buffer))

    def end(self) -> int:
        """How many bytes there are: unpacks all that is left."""
        with self._lock:
            while not self._ended:
                self._unpack(self._length + _STEP)
            return self._length

    def close(self) -> None:
        """Free the memory, or the temporary file."""
        self._kept.close()
        self._close()

    def _unpack(self, upto: int) -> None:
        if self._size is not None and self._size - LAST < upto:
            upto = self._size  # the checksum is compared at the very end, which pixels often fall just short of
        if upto <= self._length:
            return
        if self._damage:
            raise UnpackingError(self._damage)
        self._kept.seek(self._length)
        while self._length < upto and not self._ended:
            data = self._more(min(upto - self._length, _STEP))
            self._ended = not data
            if not data and self._size is not None and self._length < self._size:
                self._damage = _CUT
                raise UnpackingError(_CUT)
            self._keep(data)

    def _keep(self, data: bytes) -> None:
        """What cannot be kept is gone, for a stream knows no way back: all that follows would be out of place."""
        try:
            self._kept.write(data)
        except OSError as error:
            self._damage = reason(error)
            raise
        self._length += len(data)

    def _more(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except EOFError as error:
            cause: Exception = error
            self._damage = _CUT
        except (zipfile.BadZipFile, zlib.error, LZMAError, ValueError, NotImplementedError) as error:
            cause, self._damage = error, ALTERED if "incorrect data check" in str(error) else DAMAGED
        except OSError as error:  # of damage, bz2 and gzip tell by an error without a number
            cause, self._damage = error, reason(error) if error.errno else DAMAGED
        raise UnpackingError(self._damage) from cause


class Seekable(io.RawIOBase):
    """What a file needs besides reading at a position."""

    def __init__(self, read_at: Callable[[int, memoryview], int], end: Callable[[], int]) -> None:
        self._read_at, self._end = read_at, end
        self._position = 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """Any position can be gone to."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill what is there; how many bytes that were, 0 at the end."""
        count = self._read_at(self._position, memoryview(buffer).cast("B"))
        self._position += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a position."""
        base = 0 if whence == io.SEEK_SET else self._position if whence == io.SEEK_CUR else self._end()
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position


class _Keeper:
    """Keeps what was unpacked while someone says that it will be needed again: frames of one file are read one by one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a gzip stream may lie in an archive: one stream on top of another
        self._kept: OrderedDict[Hashable, Unpacked] = OrderedDict()
        self._users = 0

    def hold(self) -> None:
        with self._lock:
            self._users += 1

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._drop(len(self._kept))

    def take(self, key: Hashable, make: Callable[[], Unpacked]) -> Unpacked:
        """The stream of this key, as far as it was unpacked already; give it back by `give_back`."""
        with self._lock:
            unpacked = self._kept.get(key) or make()
            unpacked.readers += 1
            if self._users:
                self._kept[key] = unpacked
                self._kept.move_to_end(key)
                self._drop(len(self._kept) - _MOST_KEPT)
            return unpacked

    def give_back(self, unpacked: Unpacked) -> None:
        with self._lock:
            unpacked.readers -= 1
            if not unpacked.readers and all(unpacked is not one for one in self._kept.values()):
                unpacked.close()

    def _drop(self, count: int) -> None:
        for _ in range(count):
            _, unpacked = self._kept.popitem(last=False)
            if not unpacked.readers:
                unpacked.close()


_keeper = _Keeper()


def reader(unpacked: Unpacked) -> Seekable:
    """A file of its own position."""
    return Seekable(unpacked.read_at, unpacked.end)


@contextlib.contextmanager
def keeping() -> Iterator[None]:
    """While this holds, what is unpacked is kept for the next time it is opened: at most four streams, the last used."""
    _keeper.hold()
    try:
        yield
    finally:
        _keeper.release()


@contextlib.contextmanager
def unpacked(key: Hashable, make: Callable[[], Unpacked]) -> Iterator[Seekable]:
    """Read a stream; `make` starts it unless it is kept under this key."""
    found = _keeper.take(key, make)
    try:
        yield reader(found)
    finally:
        _keeper.give_back(found)
