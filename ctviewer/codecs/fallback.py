"""pydicom's own plug-ins, GDCM among them, for what imagecodecs cannot decode.

They are slower and more forgiving. They are asked where imagecodecs lacks a codec, or does not know a rare form of a
format; never about what it calls damaged, for a picture made of damaged data is worse than none.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from ctviewer.codecs import jpeg, jpeg2000, jpegls, rle
from ctviewer.codecs.base import CUT_OFF, NO_DECODER, CodecError, Decoded, PixelFormat

_END = b"\xff\xd9"


def decode(syntax: str, data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Decode one whole frame; imports pydicom, which takes a while.

    Raises:
        CodecError: no plug-in can, or the frame is not whole.
    """
    precision = _checked_precision(syntax, data, pixel_format)
    decoder = _decoder(syntax)
    from pydicom.encaps import encapsulate

    facts: dict[str, Any] = {
        "rows": pixel_format.rows,
        "columns": pixel_format.columns,
        "bits_allocated": pixel_format.bits_allocated,
        "bits_stored": pixel_format.bits_stored,
        "pixel_representation": int(pixel_format.signed),
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
    }
    try:
        image, _ = decoder.as_array(encapsulate([data], has_bot=False), index=0, raw=True, **facts)
    except Exception as error:  # a plug-in may raise anything about bytes from outside
        raise CodecError from error
    return Decoded(image, precision)


def _checked_precision(syntax: str, data: bytes, pixel_format: PixelFormat) -> int:
    """Bits of a value, after the same checks that come before imagecodecs."""
    if syntax in rle.SYNTAXES:
        return pixel_format.bits_allocated
    if syntax in jpeg2000.SYNTAXES:
        precision = jpeg2000.checked_head(data, pixel_format).precision
    elif syntax in (*jpeg.SYNTAXES, *jpegls.SYNTAXES):
        precision = jpeg.checked_head(data, pixel_format).precision
    else:
        raise CodecError(NO_DECODER)
    if _END not in data[-64:]:
        raise CodecError(CUT_OFF)
    return precision


@cache
def _decoder(syntax: str) -> Any:
    import logging

    from pydicom import config
    from pydicom.pixels.decoders.base import get_decoder

    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    config.settings.reading_validation_mode = config.IGNORE
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise CodecError(NO_DECODER) from error
    if not decoder.is_available:
        raise CodecError(NO_DECODER)
    return decoder
