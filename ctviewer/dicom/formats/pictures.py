"""Single pictures, PNG and pages of TIFF, as slices: what their heads say, and how their pixels are read."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.codecs import processes
from ctviewer.dicom.formats import tiff
from ctviewer.dicom.formats.grid import Rounded
from ctviewer.dicom.formats.rounding import PADDING, is_wide, to_stored
from ctviewer.dicom.naming import FormatError, named
from ctviewer.dicom.pixels import Stored, exactly, fill
from ctviewer.dicom.storage import open_file

MOST_SIDE, _MOST_PIXELS = 32768, 1 << 26
_MOST_RATIO = 4096  # pixels for each compressed byte: beyond what any of the compressions reaches on images
_MOST_BYTES = 1 << 29
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_TIFF_CHANNELS = {0: (1, 2), 1: (1, 2), 2: (3, 4)}


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture that may be a slice.

    Attributes:
        path: its file.
        kind: "PNG" or "TIFF".
        dtype: of a sample.
        channels: 1 grey, 2 grey with opacity, 3 colour, 4 colour with opacity.
        inverted: white is zero.
        number: which page of the file, from 0.
        page: its directory in a TIFF file.
    """

    path: Path
    kind: str
    rows: int
    columns: int
    dtype: np.dtype[Any]
    channels: int
    inverted: bool = False
    number: int = 0
    page: tiff.Page | None = None


def read_pictures(path: Path) -> list[Picture]:
    """The pictures of one file, from its head alone.

    Raises:
        FormatError: it is damaged, or of a kind that is not supported; the text is a clause.
        OSError: it cannot be read.
    """
    with open_file(path) as (file, size):
        if path.name.lower().endswith(".png"):
            return [_png(path, file.read(33))]
        pages = tiff.read_pages(file, size)
    if not pages:
        raise FormatError("it holds no picture")
    return [_tiff(path, number, page) for number, page in enumerate(pages)]


def _png(path: Path, head: bytes) -> Picture:
    if len(head) < 33 or head[:8] != _PNG or head[12:16] != b"IHDR":
        raise FormatError("it is not PNG, in spite of its name" if head else "it is empty")
    columns, rows, depth, colour = struct.unpack(">IIBB", head[16:26])
    if colour not in _PNG_CHANNELS or depth not in (1, 2, 4, 8, 16):
        raise FormatError("its head is damaged")
    _require_size(rows, columns)
    if colour == 0 and depth < 8:
        raise FormatError(f"it has {depth} bits for each value, which cannot be shown")
    return Picture(path, "PNG", rows, columns, np.dtype("u2" if depth == 16 else "u1"), _PNG_CHANNELS[colour])


def _tiff(path: Path, number: int, page: tiff.Page) -> Picture:
    _require_size(page.rows, page.columns)
    if page.photometric == 3:
        raise FormatError("its colours come from a palette, which cannot be shown")
    if page.samples not in _TIFF_CHANNELS.get(page.photometric, ()):
        raise FormatError("it holds several values for each pixel, which cannot be shown")
    if page.dtype is None:
        raise FormatError(f"it has {page.bits} bits for each value, which cannot be shown")
    inverted = page.photometric == 0
    return Picture(path, "TIFF", page.rows, page.columns, page.dtype, page.samples, inverted, number, page)


def _require_size(rows: int, columns: int) -> None:
    if not (0 < rows <= MOST_SIDE and 0 < columns <= MOST_SIDE and rows * columns <= _MOST_PIXELS):
        raise FormatError(f"its head states an impossible size ({rows} x {columns} pixels)")


@dataclass(frozen=True, slots=True)
class PictureSource:
    """One picture as a slice.

    Attributes:
        picture: where it is and what its head says.
        index: volume index, for what is told of the slice.
        rounded: where to note what rounding did.
        scale: slope and intercept to apply where a slice gets a slope of its own.
    """

    picture: Picture
    index: int
    rounded: Rounded
    scale: tuple[float, float] = (1.0, 0.0)

    def read(self, out: Stored) -> tuple[float, float] | None:
        """Read the slice into `out`; see `SliceSource.read`.

        Raises:
            DecodeError: the picture is damaged, or a colour picture.
        """
        picture = self.picture
        with named(picture.path):
            image = values_of(picture, out)
            if image.shape != out.shape:
                raise FormatError("its size differs from what its head says")
        if is_wide(image.dtype):
            return self._rounded(image, out.view(np.int16))
        if image is not out:
            out[...] = image
        return None

    def _rounded(self, image: NDArray[Any], out: NDArray[np.int16]) -> tuple[float, float]:
        slope, intercept, error = to_stored(image, out)
        if error:
            self.rounded.errors[self.index] = error * abs(self.scale[0])
        if image.dtype.kind == "f" and (empty := int((out == PADDING).sum())):
            self.rounded.empty[self.index] = empty
        return slope * self.scale[0], intercept * self.scale[0] + self.scale[1]


def values_of(picture: Picture, out: Stored | None = None) -> NDArray[Any]:
    """The values of a picture `[rows, columns]`: read as they lie in the file where they do, else decoded.

    Args:
        picture: what to read.
        out: memory to read straight into, where type and size are the same.

    Raises:
        CodecError, DecodeError, FormatError: it is damaged, or a colour picture; the text is a clause.
        OSError: it cannot be read.
    """
    offset = picture.page.offset_of_plain() if picture.page is not None else None
    if offset is None:
        return _grey(_decode(picture))
    shape = (picture.rows, picture.columns)
    straight = out is not None and (picture.dtype, shape) == (out.dtype, out.shape)
    image: NDArray[Any] = out if straight and out is not None else np.empty(shape, picture.dtype)
    with open_file(picture.path) as (file, size):
        if offset + image.nbytes > size:
            raise FormatError("it ends in the middle of the pixels")
        file.seek(offset)
        fill(file, image.data.cast("B"))
    return image


def _decode(picture: Picture) -> NDArray[Any]:
    """The picture, decoded in a process of its own: `[rows, columns]` or `[rows, columns, channels]`."""
    with open_file(picture.path) as (file, size):
        if picture.page is None and size > _MOST_BYTES:
            raise FormatError("it is too large for a picture")
        data = exactly(file, 0, size) if picture.page is None else picture.page.alone(file)
    most = picture.rows * picture.columns
    if most > len(data) * _MOST_RATIO:
        raise FormatError("its head states more pixels than the file can hold")
    return processes.decode_picture(picture.kind.lower(), data, 0, most)


def _grey(image: NDArray[Any]) -> NDArray[Any]:
    """A decoded picture as `[rows, columns]` of values, unless it has colours or is partly transparent."""
    if image.ndim == 2:
        return image
    channels = image.shape[2]
    colours = image[..., : channels - 1] if channels in (2, 4) else image
    if channels in (2, 4) and image.dtype.kind == "u" and (image[..., -1] != np.iinfo(image.dtype).max).any():
        raise FormatError("it is partly transparent")
    if channels > 2 and any((colours[..., 0] != colours[..., other]).any() for other in (1, 2)):
        raise FormatError("it is a colour picture")
    return np.asarray(colours[..., 0])
