"""JPEG 2000 (ISO 15444-1) and its high-throughput form (ISO 15444-15)."""

from __future__ import annotations

import imagecodecs
import numpy as np

from ctviewer.codecs.base import CodecError, Image, PixelFormat, require_size

_LOSSLESS = "1.2.840.10008.1.2.4.90"
_ANY = "1.2.840.10008.1.2.4.91"
_HT_LOSSLESS = "1.2.840.10008.1.2.4.201"
_HT_LOSSLESS_RPCL = "1.2.840.10008.1.2.4.202"
_HT_ANY = "1.2.840.10008.1.2.4.203"

LOSSY: tuple[str, ...] = ()  # .91 and .203 may be either: LossyImageCompression says which
SYNTAXES = (_LOSSLESS, _ANY, _HT_LOSSLESS, _HT_LOSSLESS_RPCL, _HT_ANY)


def codestream_size(data: bytes) -> tuple[int, int] | None:
    """Rows and columns from the SIZ marker segment, None where there is none (a JP2 box is stepped over)."""
    start = data.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start < 0 or len(data) < start + 24:
        return None
    right, bottom, left, top = (int.from_bytes(data[start + 8 + 4 * i : start + 12 + 4 * i], "big") for i in range(4))
    return bottom - top, right - left


def decode(data: bytes, pixel_format: PixelFormat) -> Image:
    """Decode one frame with OpenJPEG.

    Raises:
        CodecError: damaged data, or of another size.
    """
    require_size(codestream_size(data), pixel_format)
    try:
        return np.asarray(imagecodecs.jpeg2k_decode(data))
    except (imagecodecs.Jpeg2kError, ValueError) as error:
        raise CodecError(str(error)) from error
