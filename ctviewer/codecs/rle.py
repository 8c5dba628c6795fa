"""RLE Lossless (PS3.5 annex G)."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.codecs.base import CUT_OFF, CodecError, Decoded, PixelFormat

LOSSY: tuple[str, ...] = ()
SYNTAXES = ("1.2.840.10008.1.2.5",)

_HEAD_BYTES = 64


def decode(data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Decode one frame.

    Raises:
        CodecError: damaged data, or of another size.
    """
    dtype = np.dtype("<u2" if pixel_format.bits_allocated == 16 else "u1")
    _require_sound_head(data, dtype.itemsize)
    try:
        flat = _unpacked(data, dtype)
    except CodecError:
        flat = _without_padding(data, dtype)
    count = pixel_format.rows * pixel_format.columns
    if flat.size < count:
        raise CodecError(CUT_OFF)
    image = flat[:count].reshape(pixel_format.rows, pixel_format.columns)
    return Decoded(image, pixel_format.bits_allocated)


def _require_sound_head(data: bytes, segments: int) -> None:
    """Imagecodecs 2026.3 follows an offset wherever it leads, out of the data too.

    Raises:
        CodecError: another number of segments than a word has bytes, or a segment that does not lie where one can.
    """
    head = [int.from_bytes(data[at : at + 4], "little") for at in range(0, 4 * (segments + 1), 4)]
    places = [*head[1:], len(data)]
    if head[0] != segments or places[0] != _HEAD_BYTES or any(b <= a for a, b in itertools.pairwise(places)):
        raise CodecError


def _unpacked(data: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    import imagecodecs

    try:
        return np.frombuffer(imagecodecs.dicomrle_decode(data, dtype), dtype)
    except (RuntimeError, ValueError) as error:  # RuntimeError: an error of imagecodecs that it does not export
        raise CodecError from error


def _without_padding(data: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Once more without the zeros at the end, of which one or two may belong to the last run; no more: they make pixels."""
    bare = data.rstrip(b"\0")
    for zeros in range(min(3, len(data) - len(bare))):
        with contextlib.suppress(CodecError):
            return _unpacked(bare + bytes(zeros), dtype)
    raise CodecError
