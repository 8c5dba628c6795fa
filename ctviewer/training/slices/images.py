"""What a slice is recognised by, whatever is outlined on it, whichever class it has and in whatever set it comes."""

from __future__ import annotations

import hashlib

import numpy as np

from ctviewer.core.slices import HU, LabelledSlices

_GREY_LEVELS = 65535
_LENGTH = 16  # characters: as the ledger of hold-outs keeps them


def pixel_digest(slices: LabelledSlices, index: int) -> bytes:
    """SHA-256 of the pixels of a slice, by place in its scan."""
    return _digest(slices, index)[0]


def image_digest(slices: LabelledSlices, index: int) -> str:
    """The same in short, as text; "" for a slice of one value throughout, which is like any other such."""
    digest, told = _digest(slices, index)
    return digest.hex()[:_LENGTH] if told else ""


def _digest(slices: LabelledSlices, index: int) -> tuple[bytes, bool]:
    """And whether the slice shows anything."""
    values = slices.pixels[index] if slices.unit == HU else slices.pixels[index] * np.float32(_GREY_LEVELS)
    whole = np.ascontiguousarray(np.rint(values).astype(np.int32))
    digest = hashlib.sha256(f"{whole.shape}".encode())
    digest.update(whole.data)
    return digest.digest(), bool(whole.min() != whole.max())
