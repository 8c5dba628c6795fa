"""Which pixels a brush covers, as pure numbers: a disc on the screen and in the patient, whatever the pixels' shape."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.ui.viewport.transform import Point

SIZES = (1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64, 96)
"""Diameters, in the shorter sides of a pixel."""


@dataclass(frozen=True, eq=False)
class Stroke:
    """One stroke of brush or eraser.

    Attributes:
        index: volume index of the slice it was made on.
        mask: `[rows, columns]`, the pixels it went over.
        start: row and column where it began.
        erase: whether pixels go.
        take: whether pixels of other findings may be taken.
    """

    index: int
    mask: NDArray[np.bool_]
    start: tuple[int, int]
    erase: bool
    take: bool


def next_size(size: int, steps: int) -> int:
    """The size so many steps larger or smaller, within `SIZES`."""
    at = min(range(len(SIZES)), key=lambda i: abs(SIZES[i] - size))
    return SIZES[min(max(at + steps, 0), len(SIZES) - 1)]


def sweep(mask: NDArray[np.bool_], start: Point, end: Point, diameter: float, aspect: tuple[float, float]) -> None:
    """Set the pixels that a brush covers on its straight way between two points.

    A pixel is covered where its middle is within half a diameter of the way, measured in shorter sides of a pixel; and every
    pixel that the brush's middle goes over, so that the smallest brush leaves no gap.

    Args:
        mask: `[rows, columns]`, written to.
        start: image coordinates (x, y); outside the image is allowed.
        end: likewise.
        diameter: in shorter sides of a pixel.
        aspect: relative height and width of a pixel (`transform.pixel_aspect`).
    """
    rows, columns = mask.shape
    high, wide = aspect
    (x0, y0), (x1, y1) = start, end
    radius = diameter / 2
    top, bottom = _span(y0, y1, radius / high, rows)
    left, right = _span(x0, x1, radius / wide, columns)
    if top < bottom and left < right:
        y = (np.arange(top, bottom) + 0.5 - y0)[:, None] * high
        x = (np.arange(left, right) + 0.5 - x0)[None] * wide
        dy, dx = (y1 - y0) * high, (x1 - x0) * wide
        length = dx * dx + dy * dy
        along = np.clip((x * dx + y * dy) / length, 0.0, 1.0) if length > 0 else np.zeros_like(x + y)
        near = (x - along * dx) ** 2 + (y - along * dy) ** 2 <= radius * radius
        mask[top:bottom, left:right] |= near
    for part in np.linspace(0.0, 1.0, 2 + 2 * math.ceil(max(abs(x1 - x0), abs(y1 - y0)))):
        row, column = math.floor(y0 + part * (y1 - y0)), math.floor(x0 + part * (x1 - x0))
        if 0 <= row < rows and 0 <= column < columns:
            mask[row, column] = True


def _span(a: float, b: float, reach: float, count: int) -> tuple[int, int]:
    """First and last + 1 of the pixels along an axis that may be reached."""
    return max(0, math.floor(min(a, b) - reach)), min(count, math.ceil(max(a, b) + reach))
