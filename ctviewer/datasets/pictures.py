"""Single pictures of slices (PNG, JPEG) and of label maps (PNG), decoded out of harm's way."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.codecs import CodecError, processes
from ctviewer.codecs.pictures import JPEG, LABELS, PNG
from ctviewer.core.errors import DecodeError, InputError
from ctviewer.core.files import reason

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")
_MOST_BYTES, _MOST_PIXELS = 1 << 27, 1 << 25
_GREY_TOLERANCE = 8  # by how much the channels of a grey JPEG that was stored in colour may differ


def read_image(path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """A picture of a slice `[rows, columns]`, 8 or 16 bits, as it is in the file.

    Raises:
        InputError: it is not there or cannot be read, or it is a colour picture.
        DecodeError: it is damaged.
    """
    image = _decoded(path, PNG if path.suffix.lower() == ".png" else JPEG)
    if image.ndim == 3:
        image = _one_channel(path, image)
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path} holds values of {image.dtype.itemsize * 8} bits, and a slice has 8 or 16.")
    return image


def read_labels(path: Path) -> NDArray[np.uint16]:
    """A label map `[rows, columns]`: the values of a PNG as they are, the indices of one with a palette.

    Raises:
        InputError: it is not there or cannot be read, or its pixels are no single values.
        DecodeError: it is damaged.
    """
    values = _decoded(path, LABELS)
    if values.ndim == 3:
        values = _one_channel(path, values, tolerance=0)
    if int(values.min(initial=0)) < 0 or int(values.max(initial=0)) > 0xFFFF:
        raise InputError(f"{path} holds the value {int(values.max())}, which is no label.")
    return values.astype(np.uint16, copy=False)


def _decoded(path: Path, kind: str) -> NDArray[Any]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited on for ever
            raise InputError(f"{path} is no picture but a folder, a device or a pipe.")
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} could not be read: {reason(error)}.") from error
    if len(data) > _MOST_BYTES:
        raise InputError(f"{path} is too large for a picture of a slice.")
    try:
        return processes.decode_picture(kind, data, most_pixels=_MOST_PIXELS)
    except CodecError as error:
        raise DecodeError(f"{path} cannot be opened: its pixels {error.predicate}.") from error


def _one_channel(path: Path, image: NDArray[Any], tolerance: int = _GREY_TOLERANCE) -> NDArray[Any]:
    """A grey picture that was stored with several channels."""
    channels = image.shape[2]
    if channels in (2, 4) and (image[..., -1] != np.iinfo(image.dtype).max).any():
        raise InputError(f"{path} is partly transparent, which a slice is not.")
    colours = image[..., : channels - 1] if channels in (2, 4) else image
    if colours.shape[2] > 1 and int((colours.max(axis=2) - colours.min(axis=2)).max()) > tolerance:
        raise InputError(f"{path} is a colour picture, and slices and labels are grey.")
    return np.ascontiguousarray(colours[..., 0])
