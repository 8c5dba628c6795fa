"""JPEG (ISO 10918): baseline, extended, progressive and lossless, 8 to 16 bits."""

from __future__ import annotations

import imagecodecs
import numpy as np

from ctviewer.codecs.base import CodecError, Image, PixelFormat, require_size

_BASELINE = "1.2.840.10008.1.2.4.50"
_EXTENDED = "1.2.840.10008.1.2.4.51"
_SPECTRAL_SELECTION = "1.2.840.10008.1.2.4.53"  # retired
_FULL_PROGRESSION = "1.2.840.10008.1.2.4.55"  # retired
_LOSSLESS = "1.2.840.10008.1.2.4.57"
_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.70"

LOSSY = (_BASELINE, _EXTENDED, _SPECTRAL_SELECTION, _FULL_PROGRESSION)
SYNTAXES = (*LOSSY, _LOSSLESS, _LOSSLESS_SV1)

_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # TEM, RSTn, SOI: markers without a length
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}  # SOFn without DHT, JPG, DAC; JPEG-LS


def frame_size(data: bytes) -> tuple[int, int] | None:
    """Rows and columns from the frame header of a JPEG or JPEG-LS stream, None where there is none."""
    position = 0
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _STANDALONE:
            position += 2
        elif marker in _FRAMES:
            return int.from_bytes(data[position + 5 : position + 7], "big"), int.from_bytes(
                data[position + 7 : position + 9], "big"
            )
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def decode(data: bytes, pixel_format: PixelFormat) -> Image:
    """Decode one frame with libjpeg-turbo, which holds no lock and knows all six processes.

    Raises:
        CodecError: damaged data, or of another size.
    """
    require_size(frame_size(data), pixel_format)
    try:
        return np.asarray(imagecodecs.jpeg8_decode(data))
    except (imagecodecs.Jpeg8Error, ValueError) as error:
        raise CodecError(str(error)) from error
