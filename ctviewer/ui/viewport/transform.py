"""Where a slice lies in its view: zoom, pan, flips and pixel aspect, as pure numbers.

Image coordinates are (x, y) = (column, row) measured at pixel borders: pixel `[row, column]` covers
`[column, column + 1) x [row, row + 1)`. View coordinates are logical pixels of the widget.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ctviewer.core.geometry import Geometry, Plane

_LARGEST_ZOOM = 64.0  # device pixels per image pixel
_SMALLEST_FIT = 0.25  # of the size that fits

Area = tuple[float, float, float, float]
Point = tuple[float, float]


def pixel_aspect(spacing: tuple[float, float] | None) -> tuple[float, float]:
    """Relative height and width of a pixel, the smaller being 1, from mm between rows and mm between columns."""
    if spacing is None or not all(math.isfinite(s) and s > 0 for s in spacing):
        return (1.0, 1.0)
    least = min(spacing)
    return (spacing[0] / least, spacing[1] / least)


def reading_flips(geometry: Geometry) -> tuple[bool, bool]:
    """Horizontal and vertical flip that show a stored slice as it is read.

    Axial slices are seen from the feet (only a mirrored one is flipped: a prone patient stays as scanned); coronal ones with
    R on the left and the head on top; sagittal ones with anterior on the left and the head on top. Oblique slices, and
    coronal or sagittal ones stored on their side, stay as stored: a flip cannot turn them.
    """
    r, c = np.asarray(geometry.row_cosines), np.asarray(geometry.column_cosines)
    plane = geometry.plane
    if plane is Plane.AXIAL:
        return bool(geometry.normal[2] < 0), False
    across = {Plane.CORONAL: 0, Plane.SAGITTAL: 1}.get(plane)
    if across is None or int(np.argmax(np.abs(r))) != across or int(np.argmax(np.abs(c))) != 2:
        return False, False
    return bool(r[across] < 0), bool(c[2] > 0)


@dataclass(frozen=True)
class ViewTransform:
    """Maps image coordinates to view coordinates and back.

    Attributes:
        rows, columns: of the image.
        aspect: relative height and width of a pixel (see `pixel_aspect`).
        area: left, top, width and height of the part of the view that the image may use.
        scale: logical view pixels per image pixel, along the side where the aspect is 1.
        centre: image coordinates in the middle of the area.
        flip_h, flip_v: mirrored left to right, top to bottom.
        device_ratio: device pixels per logical pixel; the image starts on a device pixel, so that 1:1 is exact.
    """

    rows: int
    columns: int
    aspect: tuple[float, float] = (1.0, 1.0)
    area: Area = (0.0, 0.0, 1.0, 1.0)
    scale: float = 1.0
    centre: Point = (0.0, 0.0)
    flip_h: bool = False
    flip_v: bool = False
    device_ratio: float = 1.0

    @property
    def step(self) -> Point:
        """Signed view pixels per column and per row; negative where flipped."""
        sx, sy = self.scale * self.aspect[1], self.scale * self.aspect[0]
        return (-sx if self.flip_h else sx, -sy if self.flip_v else sy)

    @property
    def origin(self) -> Point:
        """View coordinates of the image's corner (0, 0), on a device pixel."""
        sx, sy = self.step
        left, top, width, height = self.area
        return (
            self._snap(left + width / 2 - sx * self.centre[0]),
            self._snap(top + height / 2 - sy * self.centre[1]),
        )

    @property
    def zoom(self) -> float:
        """Device pixels per image pixel."""
        return self.scale * self.device_ratio

    @property
    def fit_scale(self) -> float:
        """The scale at which the whole image just fits its area."""
        _, _, width, height = self.area
        return max(1e-6, min(width / (self.columns * self.aspect[1]), height / (self.rows * self.aspect[0])))

    def _snap(self, value: float) -> float:
        return math.floor(value * self.device_ratio + 0.5) / self.device_ratio

    def to_view(self, x: float, y: float) -> Point:
        """View coordinates of an image point."""
        (sx, sy), (ox, oy) = self.step, self.origin
        return (ox + sx * x, oy + sy * y)

    def to_image(self, vx: float, vy: float) -> Point:
        """Image coordinates of a view point, also outside the image."""
        (sx, sy), (ox, oy) = self.step, self.origin
        return ((vx - ox) / sx, (vy - oy) / sy)

    def pixel_at(self, vx: float, vy: float) -> tuple[int, int] | None:
        """Row and column under a view point; None outside the image or its area."""
        left, top, width, height = self.area
        if not (left <= vx < left + width and top <= vy < top + height):
            return None
        x, y = self.to_image(vx, vy)
        row, column = math.floor(y), math.floor(x)
        return (row, column) if 0 <= row < self.rows and 0 <= column < self.columns else None

    def image_rect(self) -> Area:
        """Left, top, width and height of the whole image in view coordinates."""
        (x0, y0), (x1, y1) = self.to_view(0, 0), self.to_view(self.columns, self.rows)
        return (min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0))

    def fitted(self) -> ViewTransform:
        """The whole image, centred, as large as its area allows."""
        return replace(self, scale=self.fit_scale, centre=(self.columns / 2, self.rows / 2))

    def at_zoom(self, zoom: float, vx: float | None = None, vy: float | None = None) -> ViewTransform:
        """At `zoom` device pixels per image pixel, keeping the image point under (vx, vy), or the middle, in place."""
        lowest = min(self.fit_scale * _SMALLEST_FIT, 1.0 / self.device_ratio)
        highest = max(self.fit_scale, _LARGEST_ZOOM / self.device_ratio)
        scale = min(max(zoom / self.device_ratio, lowest), highest)
        zoomed = replace(self, scale=scale)
        if vx is None or vy is None:
            return zoomed
        (x, y), (after_x, after_y) = self.to_image(vx, vy), zoomed.to_image(vx, vy)
        return zoomed._centred(zoomed.centre[0] + x - after_x, zoomed.centre[1] + y - after_y)

    def panned(self, dx: float, dy: float) -> ViewTransform:
        """Moved by view pixels; the middle of the area stays on the image, so it can never be lost."""
        sx, sy = self.step
        return self._centred(self.centre[0] - dx / sx, self.centre[1] - dy / sy)

    def _centred(self, x: float, y: float) -> ViewTransform:
        return replace(self, centre=(min(max(x, 0.0), self.columns), min(max(y, 0.0), self.rows)))
