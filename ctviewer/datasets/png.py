"""Writing label maps and grey pictures as PNG."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def png_bytes(values: NDArray[np.uint8]) -> bytes:
    """A picture `[rows, columns]` of 8 bits as PNG."""
    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG")
    return out.getvalue()
