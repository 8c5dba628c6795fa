"""Decoders of compressed pixels, one small file per family. A new one is a new file and one entry in `_FAMILIES`.

This package decodes in the process that calls it; `processes` does the same out of harm's way.
"""

from __future__ import annotations

import contextlib

import numpy as np

from ctviewer.codecs import deflate, fallback, jpeg, jpeg2000, jpegls, jpegxl, rle
from ctviewer.codecs.base import CodecError, Decoded, Decoder, Image, PixelFormat, UnknownFormError

__all__ = ["LOSSY", "SUPPORTED", "CodecError", "Image", "PixelFormat", "decode"]

_FAMILIES = (jpeg, jpegls, jpeg2000, jpegxl, rle, deflate)
_DECODERS: dict[str, Decoder] = {syntax: family.decode for family in _FAMILIES for syntax in family.SYNTAXES}
SUPPORTED = frozenset(_DECODERS)
"""Transfer Syntax UIDs of compressed pixels that can be decoded."""
LOSSY = frozenset(syntax for family in _FAMILIES for syntax in family.LOSSY)
"""Those that always lose something."""


def decode(syntax: str, data: bytes, pixel_format: PixelFormat) -> Image:
    """Decode one frame in this process.

    Args:
        syntax: Transfer Syntax UID, of `SUPPORTED`.
        data: the compressed frame, its fragments joined.
        pixel_format: what the DICOM header says of it.

    Returns:
        `[rows, columns]` words of 8 or 16 bits in which the value lies where the header says.

    Raises:
        CodecError: the data are damaged, or of another size or type than stated.
    """
    return _as_stated(_decode(syntax, data, pixel_format), pixel_format)


def _decode(syntax: str, data: bytes, pixel_format: PixelFormat) -> Decoded:
    """By imagecodecs; by pydicom's plug-ins for what it lacks, and for forms of a format that it does not know."""
    try:
        return _DECODERS[syntax](data, pixel_format)
    except ImportError:  # an imagecodecs that was built without this codec
        return fallback.decode(syntax, data, pixel_format)
    except UnknownFormError:
        with contextlib.suppress(CodecError):
            return fallback.decode(syntax, data, pixel_format)
        raise


def _as_stated(decoded: Decoded, pixel_format: PixelFormat) -> Image:
    """Check what a codec gave, and bring its values to the bits where the header says that they are.

    Raises:
        CodecError: another size, colour, or deeper than stated.
    """
    image, precision = decoded
    if image.ndim == 3 and image.shape[2] in (3, 4) and bool(np.all(image[..., :3] == image[..., :1])):
        image = image[..., 0]  # grey, compressed as if it were colour
    if image.shape != (pixel_format.rows, pixel_format.columns) or image.dtype.kind not in "iu" or image.itemsize > 2:
        raise CodecError("are an image of another size or type than the header says")
    if 8 * image.itemsize > pixel_format.bits_allocated:
        highest = max(int(image.max()), -1 - int(image.min()))  # -1 takes no bit, -256 takes eight
        if highest >> pixel_format.bits_stored:
            raise CodecError("are deeper than the header says")
    if image.itemsize == 1 and pixel_format.bits_allocated == 16:
        image = image.astype(np.int16 if image.dtype.kind == "i" else np.uint16)
    low = pixel_format.high_bit + 1 - pixel_format.bits_stored
    return image << low if low and precision <= pixel_format.bits_stored else image  # codecs count from the lowest bit
