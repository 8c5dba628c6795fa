"""JPEG XL (ISO 18181): lossless, recompressed JPEG, and any."""

from __future__ import annotations

import numpy as np

from ctviewer.codecs import jpeg
from ctviewer.codecs.base import OTHER_SIZE, CodecError, Decoded, PixelFormat

_LOSSLESS = "1.2.840.10008.1.2.4.110"
_RECOMPRESSION = "1.2.840.10008.1.2.4.111"
_ANY = "1.2.840.10008.1.2.4.112"

LOSSY = (_RECOMPRESSION,)  # what was recompressed is lossy JPEG; .112 may be either: LossyImageCompression says which
SYNTAXES = (_LOSSLESS, _RECOMPRESSION, _ANY)

_RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_LENGTHS = (9, 13, 18, 30)


def codestream_size(data: bytes) -> tuple[int, int] | None:
    """Rows and columns from the size header (ISO 18181-1 D.2), None where there is none; boxes are stepped over."""
    start = data.find(b"\xff\x0a", 0, 4096)
    if start < 0:
        return None
    bits = int.from_bytes(data[start + 2 : start + 14].ljust(12, b"\0"), "little")

    def take(count: int) -> int:
        nonlocal bits
        value = bits & ((1 << count) - 1)
        bits >>= count
        return value

    small = take(1)

    def dimension() -> int:
        return 8 * (take(5) + 1) if small else take(_LENGTHS[take(2)]) + 1

    rows = dimension()
    numerator, denominator = _RATIOS[take(3)]
    return rows, rows * numerator // denominator if numerator else dimension()


def decode(data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Decode one frame with libjxl; a recompressed JPEG is restored byte by byte and decoded as the JPEG it was.

    Raises:
        CodecError: damaged data, or of another size.
    """
    import imagecodecs

    if b"jbrd" in data[:4096]:
        try:
            restored = imagecodecs.jpegxl_decode_jpeg(data, numthreads=1)
        except (imagecodecs.JpegxlError, ValueError) as error:
            raise CodecError from error
        return jpeg.decode(bytes(restored), pixel_format)
    if codestream_size(data) != (pixel_format.rows, pixel_format.columns):
        raise CodecError(OTHER_SIZE)
    try:
        image = np.asarray(imagecodecs.jpegxl_decode(data, numthreads=1))  # the other cores have slices of their own
    except (imagecodecs.JpegxlError, ValueError) as error:
        raise CodecError from error
    return Decoded(image, min(8 * image.itemsize, pixel_format.bits_stored))
