"""Deflated Image Frame Compression (PS3.5 A.4.13): each frame by itself, as RFC 1951 bytes."""

from __future__ import annotations

import zlib

import numpy as np

from ctviewer.codecs.base import CUT_OFF, CodecError, Decoded, PixelFormat

LOSSY: tuple[str, ...] = ()
SYNTAXES = ("1.2.840.10008.1.2.8.1",)


def decode(data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Decode one frame; nothing beyond its size is inflated.

    Raises:
        CodecError: damaged data, or too few.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(data, pixel_format.frame_bytes)
    except zlib.error as error:
        raise CodecError from error
    if len(plain) < pixel_format.frame_bytes:
        raise CodecError(CUT_OFF)
    dtype = np.dtype("<u2" if pixel_format.bits_allocated == 16 else "u1")
    image = np.frombuffer(plain, dtype).reshape(pixel_format.rows, pixel_format.columns)
    return Decoded(image, pixel_format.bits_allocated)
