"""Small pictures of series for lists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.series import Series
from ctviewer.core.windowing import window_lut
from ctviewer.dicom.loading import load_middle


def thumbnail(series: Series, size: int = 96) -> NDArray[np.uint8]:
    """The middle slice in its initial window, at most `size` pixels wide and high, in the proportions of the patient.

    Returns:
        `[rows, columns]` grey levels.

    Raises:
        InputError: the series cannot be shown.
        DecodeError: its middle slice cannot be decoded.
    """
    volume = load_middle(series)
    lut = window_lut(
        volume.initial_window,
        float(volume.slope[0]),
        float(volume.intercept[0]),
        signed=volume.signed,
        invert=volume.inverted,
        padding=volume.padding,
    )
    return _shrink(lut[volume.stored[0].view(np.uint16)], series.pixel_spacing, size)


def _shrink(grey: NDArray[np.uint8], spacing: tuple[float, float] | None, size: int) -> NDArray[np.uint8]:
    """Average the pixels that fall into each pixel of the result."""
    between_rows, between_columns = spacing or (1.0, 1.0)
    height, width = grey.shape[0] * between_rows, grey.shape[1] * between_columns
    scale = size / max(height, width)
    rows = _edges(grey.shape[0], max(1, round(height * scale)))
    columns = _edges(grey.shape[1], max(1, round(width * scale)))
    sums = np.add.reduceat(np.add.reduceat(grey.astype(np.float64), rows[:-1], axis=0), columns[:-1], axis=1)
    counts = np.outer(np.maximum(np.diff(rows), 1), np.maximum(np.diff(columns), 1))
    return np.asarray(np.rint(sums / counts), np.uint8)


def _edges(length: int, parts: int) -> NDArray[np.intp]:
    return np.linspace(0, length, parts + 1).astype(np.intp)
