"""From the affine of a volume file to a `Geometry`: which way its axes are turned, and where its slices lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.geometry import Geometry, Vector

_RIGHT_ANGLE = 1e-3  # largest cosine between rows and columns: half a pixel over 512
_FLAT = 0.2  # smallest cosine between slice direction and normal
_SHORTEST, _LONGEST = 1e-5, 1e4  # mm; beyond them a voxel is damage
_FARTHEST = 1e7  # mm
# For the axis that a slice's normal is nearest to: across (x, y, z and sign) is where columns run to, down where rows run to
_ACROSS_DOWN = {0: ((1, 1), (2, -1)), 1: ((0, 1), (2, -1)), 2: ((0, 1), (1, 1))}


class NoGeometryError(Exception):
    """An affine that places no stack of slices; the text is a clause."""


@dataclass(frozen=True, eq=False)
class Placement:
    """How a file's array becomes slices in volume order.

    The file's array is taken as `[k, j, i]`, i running fastest. Slices are the planes of its third axis k: how a volume was
    stored is how it was meant to be read.

    Attributes:
        geometry: of the volume; without positions where the file states no orientation.
        transposed: a slice's columns run along j, its rows along i.
        flipped_rows, flipped_columns: row or column 0 of the volume is the last of the file, after transposition.
        reversed: slice 0 of the volume is the last k.
    """

    geometry: Geometry
    transposed: bool = False
    flipped_rows: bool = False
    flipped_columns: bool = False
    reversed: bool = False

    def turned(self, plane: NDArray[np.generic]) -> NDArray[np.generic]:
        """A plane `[j, i]` of the file as a slice `[row, column]`: a view."""
        image = plane.T if self.transposed else plane
        return image[:: -1 if self.flipped_rows else 1, :: -1 if self.flipped_columns else 1]

    def file_index(self, index: int) -> int:
        """The k of a volume index."""
        return self.geometry.shape[0] - 1 - index if self.reversed else index


def unplaced(shape: tuple[int, int, int], pixel_spacing: tuple[float, float] | None) -> Placement:
    """Slices `[k, j, i]` as stored, without orientation."""
    return Placement(Geometry(shape, None, pixel_spacing=pixel_spacing))


def place(shape: tuple[int, int, int], affine: NDArray[np.float64]) -> Placement:
    """Turn the slices of a file as they are read, and put them in order along the right-handed normal.

    Axial slices get the front on top and the right on the left, coronal and sagittal ones the head on top: NIfTI files are
    stored any way round. A slice direction off the normal (gantry tilt) stays in the positions.

    Args:
        shape: number of slices k, of j and of i.
        affine: `[4, 4]`, from (i, j, k, 1) to LPS mm.

    Raises:
        NoGeometryError: the affine is singular, not finite, or its rows and columns are not at right angles.
    """
    matrix, origin = np.asarray(affine[:3, :3], float), np.array(affine[:3, 3], float)
    lengths = _lengths(matrix, origin)
    units = matrix / lengths
    (across, across_sign), (down, down_sign) = _ACROSS_DOWN[int(np.argmax(np.abs(_normal(units))))]
    transposed = bool(abs(units[across, 1]) > abs(units[across, 0]))
    rows, columns = (shape[2], shape[1]) if transposed else (shape[1], shape[2])
    along, below = (1, 0) if transposed else (0, 1)  # the file's axis along a row, and down a column
    row, column = units[:, along].copy(), units[:, below].copy()
    flipped_columns = bool(row[across] * across_sign < 0)
    flipped_rows = bool(column[down] * down_sign < 0)
    if flipped_columns:
        origin, row = origin + matrix[:, along] * (columns - 1), -row
    if flipped_rows:
        origin, column = origin + matrix[:, below] * (rows - 1), -column
    column -= row * float(row @ column)
    column /= np.linalg.norm(column)
    backwards = bool(np.cross(row, column) @ units[:, 2] < 0)
    origins = origin + np.outer(np.arange(shape[0])[:: -1 if backwards else 1], matrix[:, 2])
    geometry = Geometry(
        (shape[0], rows, columns),
        origins,
        _vector(row),
        _vector(column),
        (float(lengths[below]), float(lengths[along])),
    )
    return Placement(geometry, transposed, flipped_rows, flipped_columns, backwards)


def _normal(units: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the planes of the file's first two axes, unit length."""
    if abs(float(units[:, 0] @ units[:, 1])) > _RIGHT_ANGLE:
        raise NoGeometryError("its rows and columns are not at right angles")
    normal = np.cross(units[:, 0], units[:, 1])
    normal /= np.linalg.norm(normal)
    if abs(float(normal @ units[:, 2])) < _FLAT:
        raise NoGeometryError("its slices do not lie one above the other")
    return np.asarray(normal)


def _lengths(matrix: NDArray[np.float64], origin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Voxel size `[3]` in mm."""
    if not (np.abs(matrix).max() < _FARTHEST and np.abs(origin).max() < _FARTHEST):  # false for NaN too
        raise NoGeometryError("its affine holds numbers that are no places")
    lengths = np.linalg.norm(matrix, axis=0)
    if lengths.min() < _SHORTEST or lengths.max() > _LONGEST:
        raise NoGeometryError("its affine gives voxels without a size")
    return np.asarray(lengths)


def _vector(values: NDArray[np.float64]) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])
