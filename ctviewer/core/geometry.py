"""Where the voxels of a stack lie in the patient: DICOM LPS millimetres (left, posterior, superior)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]


class Plane(Enum):
    """Anatomical plane of a stack."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"
    OBLIQUE = "oblique"
    UNKNOWN = "unknown"


SAME_POSITION_MM = 0.005
_PLANE_OF_AXIS = (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)
_OBLIQUE_ABOVE_DEGREES = 30.0


def direction_letters(direction: NDArray[np.float64] | Vector) -> str:
    """Letters for a direction in LPS, main axis first ("L", "PH" style: L R A P H F), minor axes above 0.3 appended.

    DICOM PS3.3 C.7.6.1.1.1 uses L/R, A/P, H/F.
    """
    v = np.asarray(direction, dtype=np.float64)
    letters = ""
    for axis in np.argsort(-np.abs(v), kind="stable"):
        if abs(v[axis]) > 0.3:
            letters += ("LPH" if v[axis] > 0 else "RAF")[axis]
    return letters


def slice_place(origin: Vector, row: Vector, column: Vector, extent: tuple[float, float]) -> tuple[str, float]:
    """Where a slice lies: the patient axis nearest to its normal, and the place of its middle along it in mm.

    The middle, for under a tilted gantry the corner lies elsewhere. An oblique slice has no single coordinate: its axis
    is empty, and the place its distance along the normal.

    Args:
        origin: LPS mm, centre of the first pixel.
        row: direction cosines along a row.
        column: direction cosines along a column.
        extent: mm from the first to the last row and from the first to the last column; 0 where the spacing is unknown.
    """
    normal = (
        row[1] * column[2] - row[2] * column[1],
        row[2] * column[0] - row[0] * column[2],
        row[0] * column[1] - row[1] * column[0],
    )
    axis = max(range(3), key=lambda i: abs(normal[i]))
    if abs(normal[axis]) < math.cos(math.radians(_OBLIQUE_ABOVE_DEGREES)):
        return "", sum(o * n for o, n in zip(origin, normal, strict=True))
    return "xyz"[axis], origin[axis] + column[axis] * extent[0] / 2 + row[axis] * extent[1] / 2


def place_text(axis: str, place: float) -> str:
    """A place as it stands on the image and wherever a slice is named: "z -212.1 mm", "loc 35.9 mm" for an oblique one."""
    return f"{axis or 'loc'} {round(place, 1) + 0.0:.1f} mm"  # -0.0 is 0.0


@dataclass(frozen=True, eq=False)
class Geometry:
    """Geometry of a stack of parallel slices. Index order is `[slice, row, column]`.

    Slices are ordered along the right-handed normal (row cosines x column cosines): slice 0 has the smallest
    projection. What is shown first is another matter: see `display_order`.

    Attributes:
        shape: slices, rows, columns.
        origins: `[slices, 3]` LPS mm, centre of pixel [0, 0] of each slice (ImagePositionPatient); None without positions.
        row_cosines: unit vector along a row, towards increasing column index.
        column_cosines: unit vector along a column, towards increasing row index.
        pixel_spacing: mm between rows, mm between columns; None where the file states none.
        rounding: mm by which a distance between slices may be wrong for the decimals that positions are written with.
    """

    shape: tuple[int, int, int]
    origins: NDArray[np.float64] | None
    row_cosines: Vector = (1.0, 0.0, 0.0)
    column_cosines: Vector = (0.0, 1.0, 0.0)
    pixel_spacing: tuple[float, float] | None = None
    rounding: float = 0.0

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector `[3]`, row cosines x column cosines."""
        n = np.cross(np.asarray(self.row_cosines, float), np.asarray(self.column_cosines, float))
        return np.asarray(n / np.linalg.norm(n))

    @property
    def locations(self) -> NDArray[np.float64] | None:
        """`[slices]` mm: each slice's position projected on the normal, ascending; None without positions."""
        return None if self.origins is None else np.asarray(self.origins @ self.normal)

    @property
    def same_position(self) -> float:
        """Mm below which two slices lie at one position; well below any distance between slices."""
        return min(SAME_POSITION_MM, 0.1 * min(self.pixel_spacing or (1.0, 1.0)))

    @property
    def slice_spacing(self) -> float | None:
        """Distance of neighbouring slices in mm (never SliceThickness); None for one position or none.

        The median of the gaps, the lower one of two, so that of 5 and 10 mm the larger is the hole; repeated positions
        do not count. Where gaps differ by the rounding of decimals alone, their mean: it is nearer to the truth.
        """
        locations = self.locations
        gaps = np.zeros(0) if locations is None else np.diff(locations)
        gaps = gaps[gaps > self.same_position]
        if not gaps.size:
            return None
        mean = float(gaps.mean())
        if np.abs(gaps - mean).max() <= min(self.rounding, mean / 2):
            return mean
        return float(np.sort(gaps)[(gaps.size - 1) // 2])

    def widest_regular_gap(self, tolerance: float = 0.2) -> float | None:
        """Mm up to which a gap holds no hole: the spacing and `tolerance` of it, or what rounding may add."""
        step = self.slice_spacing
        return None if step is None else step + max(tolerance * step, min(self.rounding, step / 2))

    def is_regular(self, tolerance: float = 0.2) -> bool:
        """Whether every gap is within `tolerance` (or the rounding) of the spacing: fit for MPR and volumes."""
        locations, step, widest = self.locations, self.slice_spacing, self.widest_regular_gap(tolerance)
        if locations is None or step is None or widest is None:
            return False
        return bool(np.all(np.abs(np.diff(locations) - step) <= (widest - step) * (1 + 1e-9)))

    @property
    def plane(self) -> Plane:
        """The anatomical plane, oblique where the normal is more than 30 degrees off every axis."""
        if self.origins is None:
            return Plane.UNKNOWN
        n = np.abs(self.normal)
        axis = int(np.argmax(n))
        return _PLANE_OF_AXIS[axis] if n[axis] >= np.cos(np.deg2rad(_OBLIQUE_ABOVE_DEGREES)) else Plane.OBLIQUE

    @property
    def display_order(self) -> NDArray[np.intp]:
        """`[slices]`: volume indices in the order shown: axial head first, coronal anterior first, sagittal right first.

        Without positions the order is the file's own (InstanceNumber).
        """
        order = np.arange(self.shape[0])
        return order[::-1].copy() if self.is_shown_from_last else order

    @property
    def is_shown_from_last(self) -> bool:
        """Whether the slice with the highest index is shown first."""
        if self.origins is None:
            return False
        axis = int(np.argmax(np.abs(self.normal)))
        return bool((axis == 2) == (self.normal[axis] > 0))  # head first is falling z; front and right first are rising

    def point(self, slice_index: int, row: float, column: float) -> NDArray[np.float64] | None:
        """LPS mm `[3]` of a (fractional) index; None without positions or spacing."""
        if self.origins is None or self.pixel_spacing is None:
            return None
        dr, dc = self.pixel_spacing
        return np.asarray(
            self.origins[slice_index]
            + np.asarray(self.row_cosines) * column * dc
            + np.asarray(self.column_cosines) * row * dr
        )

    def slice_extents(self, gap_tolerance: float = 0.2) -> NDArray[np.float64] | None:
        """`[slices]` mm of patient that each slice stands for: half of both gaps, none over gaps above the tolerance.

        Over a gap more than `gap_tolerance` above the spacing nothing is counted: no tissue is invented in a hole. The
        outer slices reach half a spacing outwards. NaN for slices that share their position with another: which of them
        shows the patient is not known. None without positions, or with one only.
        """
        locations, step, widest = self.locations, self.slice_spacing, self.widest_regular_gap(gap_tolerance)
        if locations is None or step is None or widest is None:
            return None
        gaps = np.diff(locations)
        half = np.where(gaps <= widest, gaps / 2.0, 0.0)
        half[gaps <= self.same_position] = np.nan
        edge = step / 2.0
        return np.asarray(np.concatenate([[edge], half]) + np.concatenate([half, [edge]]))

    @property
    def place_texts(self) -> tuple[str, ...]:
        """Where each slice lies (see `place_text`); empty texts without positions."""
        return tuple(self.place_of(index) for index in range(self.shape[0]))

    def place_of(self, index: int) -> str:
        """Where one slice lies (see `place_text`); empty without positions."""
        axis, place = self.place(index)
        return "" if place is None else place_text(axis, place)

    def place(self, index: int) -> tuple[str, float | None]:
        """Patient axis and place along it in mm of one slice (see `slice_place`); "" and None without positions."""
        if self.origins is None:
            return "", None
        between_rows, between_columns = self.pixel_spacing or (0.0, 0.0)
        extent = (self.shape[1] - 1) * between_rows, (self.shape[2] - 1) * between_columns
        x, y, z = self.origins[index].tolist()
        return slice_place((x, y, z), self.row_cosines, self.column_cosines, extent)

    def edge_letters(self) -> tuple[str, str, str, str]:
        """Orientation letters at the left, right, top and bottom edge of the image as stored; empty without positions."""
        if self.origins is None:
            return ("", "", "", "")
        r, c = np.asarray(self.row_cosines), np.asarray(self.column_cosines)
        return direction_letters(-r), direction_letters(r), direction_letters(-c), direction_letters(c)
