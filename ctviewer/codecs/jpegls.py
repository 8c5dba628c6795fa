"""JPEG-LS (ISO 14495), lossless and near-lossless."""

from __future__ import annotations

import imagecodecs
import numpy as np

from ctviewer.codecs.base import CodecError, Image, PixelFormat, require_size
from ctviewer.codecs.jpeg import frame_size

_LOSSLESS = "1.2.840.10008.1.2.4.80"
_NEAR_LOSSLESS = "1.2.840.10008.1.2.4.81"

LOSSY = (_NEAR_LOSSLESS,)
SYNTAXES = (_LOSSLESS, _NEAR_LOSSLESS)


def decode(data: bytes, pixel_format: PixelFormat) -> Image:
    """Decode one frame with CharLS.

    Raises:
        CodecError: damaged data, or of another size.
    """
    require_size(frame_size(data), pixel_format)
    try:
        return np.asarray(imagecodecs.jpegls_decode(data))
    except (imagecodecs.JpeglsError, ValueError) as error:
        raise CodecError(str(error)) from error
