"""Decoders of compressed pixels, one small file per family. A new one is a new file and one line in `_FAMILIES`."""

from __future__ import annotations

from pydicom.uid import UID

from ctviewer.core.errors import DecodeError
from ctviewer.dicom.decoders import jpeg, jpeg2000, jpegls, rle
from ctviewer.dicom.decoders.base import CodecError, Decoder, Image, PixelFormat

_FAMILIES = (jpeg, jpegls, jpeg2000, rle)
_DECODERS: dict[str, Decoder] = {syntax: family.decode for family in _FAMILIES for syntax in family.SYNTAXES}
_UNCOMPRESSED = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"})
LOSSY = frozenset(syntax for family in _FAMILIES for syntax in family.LOSSY)


def is_supported(syntax: str) -> bool:
    """Whether pixels of this transfer syntax can be decoded."""
    return syntax in _UNCOMPRESSED or syntax in _DECODERS


def syntax_name(syntax: str) -> str:
    """The name of a transfer syntax as PS3.6 gives it, or its UID where it has none."""
    return UID(syntax).name if syntax else "unknown transfer syntax"


def short_name(syntax: str) -> str:
    """The name without its explanations: "JPEG Lossless"."""
    return syntax_name(syntax).partition(",")[0].partition(" (")[0].removesuffix(" Image Compression")


def decode(syntax: str, data: bytes, pixel_format: PixelFormat) -> Image:
    """Decode one frame.

    Returns:
        `[rows, columns]` of 8 or 16-bit integers, as the codec gives them.

    Raises:
        DecodeError: the transfer syntax is not supported, or the data are damaged or of another size than stated.
    """
    decoder = _DECODERS.get(syntax)
    if decoder is None:
        raise DecodeError(f"pixels compressed as {syntax_name(syntax)} cannot be decoded")
    try:
        image = decoder(data, pixel_format)
    except CodecError as error:
        raise DecodeError(f"the {syntax_name(syntax)} data are damaged") from error
    if image.shape != (pixel_format.rows, pixel_format.columns) or image.dtype.kind not in "iu" or image.itemsize > 2:
        raise DecodeError("the compressed image has another size or type than the header says")
    return image
