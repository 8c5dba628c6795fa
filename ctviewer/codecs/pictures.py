"""Pictures that say themselves what they are: PNG and TIFF."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.codecs.base import CodecError

PNG, TIFF = "png", "tiff"
KINDS = (PNG, TIFF)


def decode(kind: str, data: bytes, page: int, most_pixels: int) -> NDArray[Any]:
    """Decode one picture in this process.

    Args:
        kind: of `KINDS`.
        data: the whole file.
        page: which page of a TIFF file, from 0.
        most_pixels: one that announces more pixels is refused before anything is allocated for it.

    Returns:
        `[rows, columns]`, or `[rows, columns, channels]` of a colour picture, in the file's own type.

    Raises:
        CodecError: damaged, too large, or of a kind that is not known.
    """
    import imagecodecs

    rows, columns = _announced(data, page)
    if rows * columns > most_pixels:
        raise CodecError(f"are a picture that is too large ({rows} x {columns} pixels)")
    try:
        if kind == PNG:
            image = np.asarray(imagecodecs.png_decode(data))
        else:
            image = np.asarray(imagecodecs.tiff_decode(data, index=page))
    except (imagecodecs.PngError, imagecodecs.TiffError, ValueError, IndexError, RuntimeError) as error:
        raise CodecError from error
    if image.ndim not in (2, 3) or image.shape[:2] != (rows, columns):
        raise CodecError("are no plain image of rows and columns")
    return image


def _announced(data: bytes, page: int) -> tuple[int, int]:
    """Rows and columns as the head of the file states them."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "TIFF")) as picture:
            if page:
                picture.seek(page)
            return picture.height, picture.width
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, EOFError, Image.DecompressionBombError) as error:
        raise CodecError from error
