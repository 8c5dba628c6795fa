"""Decoders of compressed pixels, one small file per family. A new one is a new file and one line in `_FAMILIES`."""

from __future__ import annotations

from ctviewer.codecs import jpeg, jpeg2000, jpegls, rle
from ctviewer.codecs.base import CodecError, Decoder, Image, PixelFormat

__all__ = ["LOSSY", "SUPPORTED", "CodecError", "Image", "PixelFormat", "decode"]

_FAMILIES = (jpeg, jpegls, jpeg2000, rle)
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
        `[rows, columns]` of 8 or 16-bit integers, as the codec gives them.

    Raises:
        CodecError: the data are damaged, or of another size or type than stated.
    """
    image = _DECODERS[syntax](data, pixel_format)
    if image.shape != (pixel_format.rows, pixel_format.columns) or image.dtype.kind not in "iu" or image.itemsize > 2:
        raise CodecError("the compressed image has another size or type than the header says")
    return image
