"""Telling a mask (labels drawn by somebody) from an image, so that it never opens in the image's place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.dicom.formats.inflate import Inflated
from ctviewer.dicom.storage import open_file

_NAME = re.compile(r"(^|[^a-z])(mask|masks|seg|segmentation|label|labels|roi|gt|annotation)([^a-z]|$)", re.IGNORECASE)
_MOST_LABELS, _MOST_NAMED_LABELS = 16, 256
_PART = 1 << 20
_PARTS = 8
_INFLATED = 1 << 26


def is_named_mask(name: str) -> bool:
    """Whether a name says that this is a mask: "lung_mask.nii", "seg-1.png"."""
    return bool(_NAME.search(name))


def looks_labelled(values: NDArray[Any], named: bool) -> bool:
    """Whether the values of one slice are a few whole numbers: 2 or 3, or any below 256 where the name says mask."""
    found = _distinct(values)
    return 1 < len(found) <= (_MOST_NAMED_LABELS if named else 3) and all(value in range(256) for value in found)


def is_mask(path: Path, offset: int, length: int, dtype: np.dtype[Any], name: str, stream: int | None = None) -> bool:
    """Whether values look like labels: a few distinct whole numbers, from 0 to 255; or the name says mask and few differ.

    Args:
        path: the file with the values.
        offset: of the first byte of the values, in the inflated data of a `stream`.
        length: of the values in bytes.
        dtype: of a value.
        name: of the file that was opened.
        stream: where a compressed stream begins; None where the values are not compressed.
    """
    found: set[float] = set()
    most = _MOST_NAMED_LABELS if is_named_mask(name) else _MOST_LABELS
    try:
        for part in _parts(path, offset, length, stream):
            values = np.frombuffer(part[: len(part) // dtype.itemsize * dtype.itemsize], dtype)
            if values.size:
                found.update(_distinct(values))
            if len(found) > most:
                return False
    except OSError:
        return False
    return 1 < len(found) <= most and all(value in range(256) for value in found)


def _distinct(values: NDArray[Any]) -> list[float]:
    """The distinct values; NaN among them where there is one."""
    low, high = values.min(), values.max()
    return [float(low)] if low == high else [float(value) for value in np.unique(values)]


def _parts(path: Path, offset: int, length: int, stream: int | None) -> Iterator[bytes]:
    """Pieces of the values, from all over the volume; of compressed ones the first 64 MB."""
    if stream is not None:
        yield from Inflated(path, stream).parts(offset, min(length, _INFLATED), _PART)
        return
    with open_file(path) as (file, _):
        for number in range(_PARTS if length > _PART else 1):
            place = (length - _PART) * number // (_PARTS - 1) if length > _PART else 0
            file.seek(offset + place // 16 * 16)
            yield file.read(min(_PART, length))
