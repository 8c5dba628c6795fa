"""JPEG (ISO 10918): baseline, extended, progressive and lossless, 2 to 16 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctviewer.codecs.base import (
    CUT_OFF,
    NO_DECODER,
    OTHER_SIZE,
    CodecError,
    Decoded,
    Image,
    PixelFormat,
    UnknownFormError,
)

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
_SCAN = 0xDA
_END = b"\xff\xd9"
_ONES = b"\xff\x00" * 4096  # entropy-coded one bits


@dataclass(frozen=True, slots=True)
class FrameHead:
    """What the frame header of a JPEG or JPEG-LS stream says.

    Attributes:
        scan: where the entropy-coded data begin, about; 0 where that is not known.
    """

    rows: int
    columns: int
    precision: int
    scan: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.columns


def frame_head(data: bytes) -> FrameHead | None:
    """The frame header of a JPEG or JPEG-LS stream, None where there is none."""
    position, found = 0, None
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _STANDALONE:
            position += 2
        elif marker == _SCAN and found:
            return FrameHead(*found.size, found.precision, position)
        else:
            if marker in _FRAMES and not found:
                rows, columns = (int.from_bytes(data[position + at : position + at + 2], "big") for at in (5, 7))
                found = FrameHead(rows, columns, data[position + 4])
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return found


def checked_head(data: bytes, pixel_format: PixelFormat) -> FrameHead:
    """The frame header of a JPEG or JPEG-LS stream of the right size.

    Raises:
        CodecError: there is none, or it states another size.
    """
    head = frame_head(data)
    if head is None or head.size != (pixel_format.rows, pixel_format.columns):
        raise CodecError(OTHER_SIZE)
    return head


def decode(data: bytes, pixel_format: PixelFormat) -> Decoded:
    """Decode one frame with libjpeg-turbo, which holds no lock and knows all six processes.

    Raises:
        CodecError: damaged data, or of another size.
    """
    head = checked_head(data, pixel_format)
    if data.rfind(_END, head.scan) >= 0:
        return Decoded(_image(data), head.precision)
    return Decoded(_image_without_end(data), head.precision)


def _image_without_end(data: bytes) -> Image:
    """Decode data without an end mark, if none of their pixels is missing.

    libjpeg makes up what is missing, and says nothing. So other bits are put behind: if they change a pixel, pixels
    are made up.

    Raises:
        CodecError: the data are cut off.
    """
    data = data.rstrip(b"\0")  # padding, or a hole
    image = _image(data + _END)
    if not np.array_equal(image, _image(data + _ONES + _END)):
        raise CodecError(CUT_OFF)
    return image


def _image(data: bytes) -> Image:
    import imagecodecs

    try:
        return np.asarray(imagecodecs.jpeg8_decode(data))
    except (imagecodecs.Jpeg8Error, ValueError) as error:
        if "support" in str(error):  # "Unsupported JPEG process", "... is not supported" and their like
            raise UnknownFormError(NO_DECODER) from error
        raise CodecError from error
