"""Compressed volumes: inflated once, in order, into a temporary file, and only as far as was asked for."""

from __future__ import annotations

import tempfile
import threading
import weakref
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from ctviewer.dicom.storage import open_file

_CHUNK = 1 << 18
_ANY_HEADER = 47  # zlib or gzip, as the data say
_KEPT = 4
MOST_RATIO = 1040
"""How many bytes one compressed byte can stand for, at the utmost (zlib's technical notes)."""


class InflateError(Exception):
    """Compressed data that are damaged or end early; the text is a clause."""


def inflate_head(path: Path, start: int, length: int) -> bytes:
    """Up to `length` inflated bytes from the beginning of the stream at `start`.

    Raises:
        InflateError: the data are damaged.
        OSError: the file cannot be read.
    """
    return b"".join(_inflated(path, start, length))


def inflated_parts(path: Path, start: int, offset: int, length: int, part: int) -> Iterator[bytes]:
    """Inflated bytes from `offset` on, up to `length` of them, in pieces of `part` bytes; errors as of `inflate_head`."""
    waiting = bytearray()
    skipped = 0
    for made in _inflated(path, start, offset + length):
        skip = min(len(made), offset - skipped)
        skipped += skip
        waiting += made[skip:]
        while len(waiting) >= part:
            yield bytes(waiting[:part])
            del waiting[:part]
    yield bytes(waiting)


def _inflated(path: Path, start: int, length: int) -> Iterator[bytes]:
    inflater = zlib.decompressobj(_ANY_HEADER)
    with open_file(path) as (file, _):
        file.seek(start)
        while length > 0 and not inflater.eof:
            data = inflater.unconsumed_tail or file.read(min(_CHUNK, length + 1024))
            if not data:
                return
            made = _inflate(inflater, data, min(length, _CHUNK))
            length -= len(made)
            yield made


def _inflate(inflater: zlib._Decompress, data: bytes, most: int) -> bytes:
    try:
        return inflater.decompress(data, most)
    except zlib.error as error:
        raise InflateError("its compressed data are damaged") from error


_open: OrderedDict[int, weakref.ref[Inflated]] = OrderedDict()  # in the order of use
_open_lock = threading.Lock()


class Inflated:
    """The inflated bytes of one file; any thread may read.

    The bytes lie in a nameless temporary file: in memory they would double what a volume takes. The last few volumes that
    were read keep theirs.

    Args:
        path: the file.
        start: where its compressed stream begins.
        length: how many inflated bytes there should be: no more are made.
    """

    def __init__(self, path: Path, start: int, length: int) -> None:
        self._path, self._start, self._length = path, start, length
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._close: Callable[[], object] = lambda: None

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill `target` with what lies at `offset`.

        Raises:
            InflateError: the data are damaged, or end before.
            OSError: the file cannot be read, or the disk is full.
        """
        self._touch()
        with self._lock:
            file = self._file or self._begin()
            self._advance(file, offset + len(target))
            file.seek(offset)
            while target:
                count = file.readinto(target)  # type: ignore[attr-defined] # FileIO has it, IO[bytes] does not say so
                if not count:
                    raise InflateError("it ends in the middle of the pixels")
                target = target[count:]

    def _begin(self) -> IO[bytes]:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open as long as this is
        self._close = weakref.finalize(self, self._file.close)
        self._made, self._consumed, self._tail = 0, self._start, b""
        self._inflater = zlib.decompressobj(_ANY_HEADER)
        return self._file

    def _advance(self, target: IO[bytes], wanted: int) -> None:
        """Inflate until `wanted` bytes are there."""
        wanted = min(wanted, self._length)
        if self._made >= wanted:
            return
        with open_file(self._path) as (source, _):
            source.seek(self._consumed)
            while self._made < wanted:
                data = self._tail or source.read(_CHUNK)
                if not data:
                    raise InflateError("it ends in the middle of the pixels")
                self._consumed += 0 if self._tail else len(data)
                made = _inflate(self._inflater, data, min(_CHUNK * 8, self._length - self._made))
                self._tail = self._inflater.unconsumed_tail
                if self._inflater.eof:  # a gzip file may hold several streams, one after the other
                    self._tail = self._inflater.unused_data
                    self._inflater = zlib.decompressobj(_ANY_HEADER)
                target.seek(self._made)
                target.write(made)
                self._made += len(made)
            if self._made == self._length and not self._inflater.eof:  # let it see the end: it compares the checksum
                _inflate(self._inflater, self._tail or source.read(_CHUNK), 1)

    def _touch(self) -> None:
        """Keep this one, and close the file of what was not read for longest."""
        with _open_lock:
            _open[id(self)] = weakref.ref(self)
            _open.move_to_end(id(self))
            old = [_open.popitem(last=False)[1]() for _ in range(len(_open) - _KEPT)]
        for one in old:
            if one is not None and one is not self:
                one.close()

    def close(self) -> None:
        """Give the temporary file back; a later read makes it anew."""
        with self._lock:
            self._close()
            self._file = None
