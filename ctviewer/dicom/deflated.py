"""Deflated data sets (PS3.5 A.5): inflated forwards and only as far as they are read, so that a bomb costs nothing."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path

from ctviewer.dicom import tags
from ctviewer.dicom.storage import ReadableFile, open_file
from ctviewer.dicom.syntaxes import DEFLATED
from ctviewer.dicom.unpacking import Inflating, Seekable, Unpacked, reader, unpacked

_MOST_HEADER = 16 << 20  # bytes before the pixels: more is damage, or malice
_MOST_META = 16384
_HEAD = struct.Struct("<HH2sH")


@contextlib.contextmanager
def inflated_header(file: ReadableFile, start: int) -> Iterator[Seekable]:
    """The data set in an open file, as far as a header may reach. Reading raises OSError where it is damaged."""
    file.seek(start)
    stream = Unpacked(Inflating(file, Inflating.RAW, _MOST_HEADER), lambda: None)
    with contextlib.closing(stream):
        yield reader(stream)


@contextlib.contextmanager
def open_inflated(path: Path, start: int) -> Iterator[ReadableFile]:
    """The data set in a file; kept for the next frame within `storage.keeping()`.

    Raises:
        OSError: it cannot be opened. Reading raises it too where it is damaged.
    """

    def make() -> Unpacked:
        with contextlib.ExitStack() as stack:
            file, _ = stack.enter_context(open_file(path))
            file.seek(start)
            return Unpacked(Inflating(file, Inflating.RAW), stack.pop_all().close)
        raise AssertionError  # mypy: an ExitStack might swallow the error; this one does not

    with unpacked(("deflated", str(path), start), make) as view:
        yield view


def deflated_start(file: ReadableFile) -> int:
    """Where the deflated data set of an open file starts; 0 for a file whose file meta names no deflation."""
    file.seek(0)
    block = file.read(_MOST_META)
    position, found = 132 if block[128:132] == b"DICM" else 0, False
    while block[position : position + 2] == b"\x02\x00" and position + 12 <= len(block):
        group, element, vr, length = _HEAD.unpack_from(block, position)
        position += 8
        if vr in (b"OB", b"UN", b"OW"):
            length = int.from_bytes(block[position : position + 4], "little")
            position += 4
        if group << 16 | element == tags.TRANSFER_SYNTAX_UID:
            found = block[position : position + length].rstrip(b" \0") == DEFLATED.encode()
        position += length
    return position if found else 0


@contextlib.contextmanager
def undeflated(file: ReadableFile) -> Iterator[ReadableFile]:
    """An open file as pydicom may read it: one that is deflated it would inflate whole, however large that gets."""
    start = deflated_start(file)
    if start:
        with inflated_header(file, start) as inflated:
            yield inflated
    else:
        file.seek(0)
        yield file
