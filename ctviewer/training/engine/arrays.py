"""One array in a file: memory-mapped when read, written piece by piece, and never taken for what it is not.

The file is the array's bytes, then JSON that describes them, then a short footer: what was cut short has none. A key says
what the array was made from; the CRC-32 of its bytes tells damage. Whoever gets None makes the array anew.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.files import atomic_path

_FOOTER = struct.Struct("<II8s")  # length and CRC-32 of the JSON, then the name of this format
_MAGIC = b"CTVARR01"
_BLOCK = 1 << 24


@dataclass(frozen=True)
class Description:
    """What a file says of its array.

    Attributes:
        dtype, shape: of the array.
        crc32: of its bytes.
        info: what was kept beside it.
    """

    dtype: str
    shape: tuple[int, ...]
    crc32: int
    info: Mapping[str, Any]

    @property
    def size(self) -> int:
        """Bytes of the array."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def write_array(path: Path, key: str, parts: Iterable[NDArray[Any]], info: Mapping[str, Any]) -> None:
    """Write an array atomically, its rows piece by piece.

    Args:
        path: replaced where it exists.
        key: of what it was made from.
        parts: `[m, ...]` of one type and row shape, at least one.
        info: plain values kept beside it; it is asked for after the last part.

    Raises:
        StorageError: the place cannot be written.
    """
    rows, crc, kind, row = 0, 0, "", ()
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for part in parts:
            data = np.ascontiguousarray(part)
            rows, kind, row = rows + len(data), data.dtype.str, data.shape[1:]
            crc = zlib.crc32(data.data, crc)
            file.write(data.data)
        told = {"key": key, "dtype": kind, "shape": [rows, *row], "crc32": crc, "info": dict(info)}
        text = json.dumps(told).encode()
        file.write(text + _FOOTER.pack(len(text), zlib.crc32(text), _MAGIC))


def describe(path: Path, key: str) -> Description | None:
    """What a file says of its array, without reading the array.

    Args:
        path: where it should be.
        key: as it was written under.

    Returns:
        None where there is no such file, it was made from something else, or its end is not whole.
    """
    try:
        told, size = _told(path)
    except (OSError, ValueError):
        return None
    if told.pop("key", None) != key:
        return None
    described = Description(**(told | {"shape": tuple(told["shape"])}))
    return described if described.size == size else None


def read_array(path: Path, key: str, *, checked: bool = False) -> NDArray[Any] | None:
    """Map an array, read-only.

    Args:
        path: where it should be.
        key: as it was written under.
        checked: its bytes have been checked already, by an earlier call.

    Returns:
        None where `describe` gives none, or the array is damaged.
    """
    described = describe(path, key)
    if described is None:
        return None
    try:
        values = np.memmap(path, described.dtype, "r", 0, described.shape)
    except (OSError, ValueError):  # gone, or an array of nothing
        return None
    return values if checked or _crc(values) == described.crc32 else None


def _told(path: Path) -> tuple[dict[str, Any], int]:
    """The JSON of a file, and how many bytes stand before it.

    Raises:
        ValueError: its end is not whole.
    """
    with path.open("rb") as file:
        end = file.seek(0, 2) - _FOOTER.size
        file.seek(max(0, end))
        length, crc, magic = _FOOTER.unpack(file.read(_FOOTER.size)) if end >= 0 else (0, 0, b"")
        if magic != _MAGIC or length > end:
            raise ValueError("no footer")
        file.seek(end - length)
        text = file.read(length)
    if zlib.crc32(text) != crc:
        raise ValueError("another text than the footer's")
    told: dict[str, Any] = json.loads(text)
    return told, end - length


def _crc(values: NDArray[Any]) -> int:
    flat, crc = values.reshape(-1).view(np.uint8), 0
    for at in range(0, len(flat), _BLOCK):
        crc = zlib.crc32(flat[at : at + _BLOCK].data, crc)
    return crc
