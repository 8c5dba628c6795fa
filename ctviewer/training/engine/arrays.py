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


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An intact array.

    Attributes:
        values: mapped from the file, read-only.
        info: what was kept beside it.
    """

    values: NDArray[Any]
    info: Mapping[str, Any]


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


def read_array(path: Path, key: str) -> StoredArray | None:
    """Map an array and check every byte of it.

    Args:
        path: where it should be.
        key: as it was written under.

    Returns:
        None where there is no such file, it was made from something else, or it is damaged.
    """
    try:
        told = _told(path)
        if told is None or told["key"] != key:
            return None
        shape, dtype = tuple(told["shape"]), np.dtype(told["dtype"])
        values = np.memmap(path, dtype, "r", 0, shape) if math.prod(shape) else np.zeros(shape, dtype)
    except (OSError, ValueError):
        return None
    return StoredArray(values, told["info"]) if _crc(values) == told["crc32"] else None


def _told(path: Path) -> dict[str, Any] | None:
    """The JSON of a file whose end is whole."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        if end < _FOOTER.size:
            return None
        file.seek(end - _FOOTER.size)
        length, crc, magic = _FOOTER.unpack(file.read(_FOOTER.size))
        if magic != _MAGIC or length > end - _FOOTER.size:
            return None
        file.seek(end - _FOOTER.size - length)
        text = file.read(length)
    told: dict[str, Any] = json.loads(text) if zlib.crc32(text) == crc else {}
    if not told or math.prod(told["shape"]) * np.dtype(told["dtype"]).itemsize != end - _FOOTER.size - length:
        return None
    return told


def _crc(values: NDArray[Any]) -> int:
    flat, crc = values.reshape(-1).view(np.uint8), 0
    for at in range(0, len(flat), _BLOCK):
        crc = zlib.crc32(flat[at : at + _BLOCK].data, crc)
    return crc
