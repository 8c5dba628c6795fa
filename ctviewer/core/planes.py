"""Bringing a plane of pixels that was drawn elsewhere onto the voxels of a stack: by where both lie in the patient.

Nothing is resampled. Flips, transposes, crops and another stacking direction of the same voxels are undone exactly; a plane
whose pixels are not voxels of the stack is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.geometry import Geometry, Vector

_OFF = (
    0.2  # voxels by which a pixel's centre may miss a voxel's: decimals, 32-bit affines; half a voxel is the next one
)
_PARALLEL = 1.0 - 1e-4  # cosine between normals: under one degree


class MisplacedError(Exception):
    """A plane that does not lie on the voxels of a stack; the text is a clause."""


@dataclass(frozen=True)
class PixelPlane:
    """A plane of pixels in the patient.

    Attributes:
        shape: rows and columns.
        origin: LPS mm, centre of the first pixel.
        row_cosines, column_cosines: directions along a row and down a column.
        spacing: mm between rows, mm between columns.
    """

    shape: tuple[int, int]
    origin: Vector
    row_cosines: Vector
    column_cosines: Vector
    spacing: tuple[float, float]


@dataclass(frozen=True, eq=False)
class PlacedPlane:
    """Which voxel each pixel of a plane is: `start + row * down + column * along`.

    Attributes:
        start, down, along: `[3]` slice, row and column of the stack.
    """

    start: NDArray[np.intp]
    down: NDArray[np.intp]
    along: NDArray[np.intp]

    @property
    def slice_index(self) -> int | None:
        """The slice that the plane is; None where it cuts through several."""
        return None if self.down[0] or self.along[0] else int(self.start[0])

    def voxels(self, pixels: NDArray[np.bool_], shape: tuple[int, int, int]) -> tuple[NDArray[np.intp], ...]:
        """Slice, row and column of each pixel that is set, to index a stack with.

        Args:
            pixels: `[rows, columns]` of the plane.
            shape: of the stack.

        Raises:
            MisplacedError: a set pixel lies outside the stack.
        """
        rows, columns = np.nonzero(pixels)
        found = self.start[:, None] + self.down[:, None] * rows + self.along[:, None] * columns
        if found.size and ((found < 0).any() or (found >= np.asarray(shape)[:, None]).any()):
            raise MisplacedError("it marks pixels outside the series")
        return found[0], found[1], found[2]


class Stack:
    """A stack of slices that planes are placed on.

    Args:
        geometry: with positions and pixel spacing.

    Raises:
        MisplacedError: it has none.
    """

    def __init__(self, geometry: Geometry) -> None:
        if geometry.origins is None or geometry.pixel_spacing is None or geometry.locations is None:
            raise MisplacedError("the series has no positions to compare with")
        self._geometry, self._origins, self._locations = geometry, geometry.origins, geometry.locations
        row, column = np.asarray(geometry.row_cosines), np.asarray(geometry.column_cosines)
        self._down, self._along = column * geometry.pixel_spacing[0], row * geometry.pixel_spacing[1]

    def place(self, plane: PixelPlane, slice_index: int | None = None) -> PlacedPlane:
        """Where a plane lies on the stack.

        Args:
            plane: what to place.
            slice_index: the slice that it is said to be, where something says it: its position must agree.

        Raises:
            MisplacedError: it lies between slices or pixels, on another slice than said, or is turned against the stack.
        """
        row, column = np.asarray(plane.row_cosines, float), np.asarray(plane.column_cosines, float)
        normal = np.cross(row, column)
        if abs(float(normal @ self._geometry.normal)) >= _PARALLEL:
            return self._parallel(plane, row, column, slice_index)
        if slice_index is not None:
            raise MisplacedError("it is turned against the slice that it refers to")
        return self._across(plane, row, column)

    def _parallel(
        self, plane: PixelPlane, row: NDArray[np.float64], column: NDArray[np.float64], said: int | None
    ) -> PlacedPlane:
        """On one slice, whose own position counts: under a tilted gantry each is shifted."""
        origin = np.asarray(plane.origin, float)
        location = float(origin @ self._geometry.normal)
        index = self._nearest(location) if said is None else said
        off = abs(float(self._locations[index]) - location)
        if off > _OFF * (self._geometry.slice_spacing or min(self._geometry.pixel_spacing or (1.0,))):
            what = "at no slice of the series" if said is None else "not on the slice that it refers to"
            raise MisplacedError(f"it lies {what} ({off:.3g} mm off)")
        matrix = np.column_stack([self._geometry.normal, self._down, self._along])
        start = np.linalg.solve(matrix, origin - self._origins[index])
        start[0] = 0.0
        placed = _whole(plane, start, *self._steps(matrix, plane, row, column))
        placed.start[0] = index
        return placed

    def _nearest(self, location: float) -> int:
        """The slice nearest to a place along the normal.

        Raises:
            MisplacedError: several lie there.
        """
        distances = np.abs(self._locations - location)
        index = int(np.argmin(distances))
        if np.count_nonzero(distances <= distances[index] + self._geometry.same_position) > 1:
            raise MisplacedError("it lies where the series has several slices, and does not say which one is meant")
        return index

    def _across(self, plane: PixelPlane, row: NDArray[np.float64], column: NDArray[np.float64]) -> PlacedPlane:
        """Through several slices, which then must be evenly stacked."""
        count = len(self._origins)
        step = (self._origins[-1] - self._origins[0]) / max(1, count - 1)
        even = self._origins[0] + np.outer(np.arange(count), step)
        if count < 2 or np.abs(even - self._origins).max() > _OFF * np.linalg.norm(step):
            raise MisplacedError(
                "it is stacked in another direction than the series, whose slices are not evenly apart"
            )
        matrix = np.column_stack([step, self._down, self._along])
        start = np.linalg.solve(matrix, np.asarray(plane.origin, float) - self._origins[0])
        return _whole(plane, start, *self._steps(matrix, plane, row, column))

    @staticmethod
    def _steps(
        matrix: NDArray[np.float64], plane: PixelPlane, row: NDArray[np.float64], column: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A step down and a step along the plane, in voxels."""
        down = np.linalg.solve(matrix, column * plane.spacing[0])
        return np.asarray(down), np.asarray(np.linalg.solve(matrix, row * plane.spacing[1]))


def _whole(
    plane: PixelPlane, start: NDArray[np.float64], down: NDArray[np.float64], along: NDArray[np.float64]
) -> PlacedPlane:
    """The mapping in whole voxels, checked at the four corners.

    Raises:
        MisplacedError: pixels are no voxels.
    """
    if not all(np.isfinite(value).all() for value in (start, down, along)):
        raise MisplacedError("its place is no place")
    whole = [np.rint(value).astype(np.intp) for value in (start, down, along)]
    if any(np.abs(step).sum() != 1 for step in whole[1:]) or (whole[1] != 0)[whole[2] != 0].any():
        raise MisplacedError("its pixels are not those of the series: they are of another size or turned")
    for r, c in product((0, plane.shape[0] - 1), (0, plane.shape[1] - 1)):
        off = np.abs(start + r * down + c * along - (whole[0] + r * whole[1] + c * whole[2])).max()
        if off > _OFF:
            raise MisplacedError(f"its pixels lie between those of the series ({off:.2g} voxels off)")
    return PlacedPlane(*whole)
