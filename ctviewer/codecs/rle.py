"""RLE Lossless (PS3.5 annex G)."""

from __future__ import annotations

import numpy as np

from ctviewer.codecs.base import CUT_OFF, CodecError, Decoded, PixelFormat

LOSSY: tuple[str, ...] = ()
SYNTAXES = ("1.2.840.10008.1.2.5",)


def decode(data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Decode one frame.

    Raises:
        CodecError: damaged data, or of another size.
    """
    import imagecodecs

    dtype = np.dtype("<u2" if pixel_format.bits_allocated == 16 else "u1")
    count = pixel_format.rows * pixel_format.columns
    try:
        flat = np.frombuffer(imagecodecs.dicomrle_decode(data, dtype), dtype)
    except (RuntimeError, ValueError) as error:  # RuntimeError: an error of imagecodecs that it does not export
        raise CodecError from error
    if flat.size < count:
        raise CodecError(CUT_OFF)
    image = flat[:count].reshape(pixel_format.rows, pixel_format.columns)
    return Decoded(image, pixel_format.bits_allocated)
