"""RLE Lossless (PS3.5 annex G)."""

from __future__ import annotations

import imagecodecs
import numpy as np

from ctviewer.codecs.base import CodecError, Image, PixelFormat

LOSSY: tuple[str, ...] = ()
SYNTAXES = ("1.2.840.10008.1.2.5",)


def decode(data: bytes, pixel_format: PixelFormat) -> Image:
    """Decode one frame.

    Raises:
        CodecError: damaged data, or of another size.
    """
    dtype = np.dtype("<u2" if pixel_format.bits_allocated == 16 else "u1")
    count = pixel_format.rows * pixel_format.columns
    try:
        flat = np.frombuffer(imagecodecs.dicomrle_decode(data, dtype), dtype)
    except (imagecodecs.DicomrleError, ValueError) as error:
        raise CodecError(str(error)) from error
    if flat.size < count:
        raise CodecError("too few pixels")
    return np.asarray(flat[:count].reshape(pixel_format.rows, pixel_format.columns))
