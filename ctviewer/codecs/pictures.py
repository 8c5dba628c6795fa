"""Pictures that say themselves what they are: PNG, TIFF and JPEG, and PNG whose values are labels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.codecs.base import CodecError

if TYPE_CHECKING:
    from PIL.Image import Image

PNG, TIFF, JPEG, LABELS = "png", "tiff", "jpeg", "labels"
KINDS = (PNG, TIFF, JPEG, LABELS)
_FORMATS = {PNG: ("PNG", "TIFF"), TIFF: ("PNG", "TIFF"), JPEG: ("JPEG",), LABELS: ("PNG",)}


def decode(kind: str, data: bytes, page: int, most_pixels: int) -> NDArray[Any]:
    """Decode one picture in this process.

    Args:
        kind: of `KINDS`. "labels" is a PNG whose values are labels: of one with a palette its indices, never its colours.
        data: the whole file.
        page: which page of a TIFF file, from 0.
        most_pixels: one that announces more pixels is refused before anything is allocated for it.

    Returns:
        `[rows, columns]`, or `[rows, columns, channels]` of a colour picture, in the file's own type.

    Raises:
        CodecError: damaged, too large, or of a kind that is not known.
    """
    import imagecodecs

    rows, columns = _announced(kind, data, page)
    if rows * columns > most_pixels:
        raise CodecError(f"are too many ({rows} x {columns})")
    try:
        if kind == PNG:
            image = np.asarray(imagecodecs.png_decode(data))
        elif kind == JPEG:
            image = _jpeg(data)
        elif kind == LABELS:
            image = _labels(data)
        else:
            image = np.asarray(imagecodecs.tiff_decode(data, index=page))
    except (
        imagecodecs.PngError, imagecodecs.TiffError, ValueError, IndexError, RuntimeError, OSError, SyntaxError,
    ) as error:  # fmt: skip
        raise CodecError from error
    if image.ndim not in (2, 3) or image.shape[:2] != (rows, columns):
        raise CodecError("are no plain image of rows and columns")
    return image


def _jpeg(data: bytes) -> NDArray[Any]:
    """The pixels of a JPEG file: pillow refuses one that is cut off, where other decoders fill up what is missing."""
    with _opened(JPEG, data) as picture:
        return np.asarray(picture)


def _labels(data: bytes) -> NDArray[Any]:
    """The values of a PNG as they are in the file: pillow gives the indices of a palette, other decoders its colours."""
    with _opened(LABELS, data) as picture:
        values = np.asarray(picture)
    return values.astype(np.uint8) if values.dtype == bool else values


def _opened(kind: str, data: bytes) -> Image:
    from PIL import Image

    return Image.open(io.BytesIO(data), formats=_FORMATS[kind])


def _announced(kind: str, data: bytes, page: int) -> tuple[int, int]:
    """Rows and columns as the head of the file states them."""
    from PIL import Image

    try:
        with _opened(kind, data) as picture:
            if page:
                picture.seek(page)
            return picture.height, picture.width
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, EOFError, Image.DecompressionBombError) as error:
        raise CodecError from error
