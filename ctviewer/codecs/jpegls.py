"""JPEG-LS (ISO 14495), lossless and near-lossless."""

from __future__ import annotations

import numpy as np

from ctviewer.codecs.base import CodecError, Decoded, PixelFormat, sign_extended, with_end
from ctviewer.codecs.jpeg import checked_head

_LOSSLESS = "1.2.840.10008.1.2.4.80"
_NEAR_LOSSLESS = "1.2.840.10008.1.2.4.81"

LOSSY = (_NEAR_LOSSLESS,)
SYNTAXES = (_LOSSLESS, _NEAR_LOSSLESS)


def decode(data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Decode one frame with CharLS. The format knows no signs: those of the header apply.

    Raises:
        CodecError: damaged data, or of another size.
    """
    import imagecodecs

    head = checked_head(data, pixel_format)
    try:
        image = np.asarray(imagecodecs.jpegls_decode(with_end(data)))
    except (imagecodecs.JpeglsError, ValueError) as error:
        raise CodecError from error
    if pixel_format.signed and head.precision < pixel_format.bits_stored:
        image = sign_extended(image, head.precision)
    return Decoded(image, head.precision)
