"""JPEG 2000 (ISO 15444-1, -2) and its high-throughput form (ISO 15444-15)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctviewer.codecs.base import OTHER_SIZE, CodecError, Decoded, PixelFormat, sign_extended, with_end

_LOSSLESS = "1.2.840.10008.1.2.4.90"
_ANY = "1.2.840.10008.1.2.4.91"
_PART2_LOSSLESS = "1.2.840.10008.1.2.4.92"
_PART2_ANY = "1.2.840.10008.1.2.4.93"
_HT_LOSSLESS = "1.2.840.10008.1.2.4.201"
_HT_LOSSLESS_RPCL = "1.2.840.10008.1.2.4.202"
_HT_ANY = "1.2.840.10008.1.2.4.203"

LOSSY: tuple[str, ...] = ()  # .91, .93 and .203 may be either: LossyImageCompression says which
SYNTAXES = (_LOSSLESS, _ANY, _PART2_LOSSLESS, _PART2_ANY, _HT_LOSSLESS, _HT_LOSSLESS_RPCL, _HT_ANY)

_PART2, _COMPONENT_TRANSFORM = 0x8000, 0x0100  # bits of Rsiz; the transform is the one extension that OpenJPEG knows


@dataclass(frozen=True, slots=True)
class CodestreamHead:
    """What the SIZ marker segment says.

    Attributes:
        capabilities: Rsiz.
        precision, signed: of the first component.
    """

    capabilities: int
    rows: int
    columns: int
    precision: int
    signed: bool


def codestream_head(data: bytes) -> CodestreamHead | None:
    """The SIZ marker segment, None where there is none (JP2 boxes before it are stepped over)."""
    start = data.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start < 0 or len(data) < start + 43:
        return None
    right, bottom, left, top = (int.from_bytes(data[start + 8 + 4 * i : start + 12 + 4 * i], "big") for i in range(4))
    depth = data[start + 42]
    capabilities = int.from_bytes(data[start + 6 : start + 8], "big")
    return CodestreamHead(capabilities, bottom - top, right - left, (depth & 0x7F) + 1, bool(depth & 0x80))


def checked_head(data: bytes, pixel_format: PixelFormat) -> CodestreamHead:
    """The SIZ marker segment of a codestream of the right size.

    Raises:
        CodecError: there is none, or it states another size.
    """
    head = codestream_head(data)
    if head is None or (head.rows, head.columns) != (pixel_format.rows, pixel_format.columns):
        raise CodecError(OTHER_SIZE)
    return head


def decode(data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Decode one frame with OpenJPEG.

    Where the codestream and the header do not agree whether values are signed, the header is believed, and the highest
    bit of the codestream's precision is the sign (as pydicom and GDCM do).

    Raises:
        CodecError: damaged data, of another size, or with an extension of Part 2 that is not known.
    """
    import imagecodecs

    head = checked_head(data, pixel_format)
    if head.capabilities & _PART2 and head.capabilities & 0x0FFF & ~_COMPONENT_TRANSFORM:
        raise CodecError("use an extension of JPEG 2000 Part 2 that is not known")
    try:
        image = np.asarray(imagecodecs.jpeg2k_decode(with_end(data)))
    except (imagecodecs.Jpeg2kError, ValueError) as error:
        raise CodecError from error
    if head.signed == pixel_format.signed or head.precision > 16 or image.ndim != 2:
        return Decoded(image, head.precision)
    if pixel_format.signed:
        return Decoded(sign_extended(image, head.precision), head.precision)
    unsigned = image.astype(np.int16).view(np.uint16) & np.uint16((1 << head.precision) - 1)
    return Decoded(unsigned.astype(f"u{image.itemsize}"), head.precision)
