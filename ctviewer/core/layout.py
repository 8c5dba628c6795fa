"""How the slices of a stack lie to each other, and what they may be used for together.

The one place where it is decided whether slices are missing, uneven, repeated, tilted or shifted: what is told to the
reader, whether a volume may be reformatted, and what the suitability check says all follow from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.geometry import Geometry
from ctviewer.core.series import VolumeUse

UNEVEN = 0.01  # share of the spacing from which a gap is told
NO_VOLUME = 0.2  # and from which the slices are no regular volume
_TILT_DEGREES = 0.5
_LEAST_TILT_DEGREES = 0.1  # where it adds up to a pixel; below, it is the rounding of the direction vectors


@dataclass(frozen=True, eq=False)
class Layout:
    """What is odd about how slices lie, in volume order.

    Attributes:
        gaps: `[slices - 1]` mm along the normal; empty without positions.
        missing: `[slices - 1]` how many slices are missing in each gap.
        uneven: `[slices - 1]` gaps off the spacing by more than 1 % and more than the rounding of decimals.
        large: `[slices - 1]` those off by more than 20 %.
        repeated: `[slices - 1]` the next slice lies at the same position.
        tilt: degrees between the normal and the direction in which slices follow each other; 0 where there is none.
        shifted: `[slices]` slices that lie sideways by more than a pixel against the others.
    """

    gaps: NDArray[np.float64]
    missing: NDArray[np.intp]
    uneven: NDArray[np.bool_]
    large: NDArray[np.bool_]
    repeated: NDArray[np.bool_]
    tilt: float
    shifted: NDArray[np.bool_]


def layout_of(geometry: Geometry) -> Layout:
    """Look at how the slices of a stack lie; nothing is odd without positions."""
    count = 0 if geometry.origins is None else max(0, geometry.shape[0] - 1)
    gaps = np.zeros(0) if geometry.locations is None else np.diff(geometry.locations)
    step = geometry.slice_spacing
    repeated = gaps <= geometry.same_position
    if step is None:
        none = np.zeros(count, bool)
        return Layout(gaps, np.zeros(count, np.intp), none, none, repeated, 0.0, np.zeros(geometry.shape[0], bool))
    steps = np.rint(gaps / step).astype(np.intp)
    missing = np.where((steps >= 2) & (np.abs(gaps - steps * step) <= NO_VOLUME * step), steps - 1, 0)
    off = np.where(repeated | (missing > 0), 0.0, np.abs(gaps - step))
    slack = min(geometry.rounding, step / 2)  # rounding never explains a whole slice
    tilt, shifted = _sideways(geometry)
    return Layout(
        gaps=gaps,
        missing=missing,
        uneven=off > max(UNEVEN * step, slack),
        large=off > max(NO_VOLUME * step, slack),
        repeated=repeated,
        tilt=tilt,
        shifted=shifted,
    )


def volume_use(geometry: Geometry, layout: Layout | None = None) -> tuple[VolumeUse, str]:
    """What slices may be used for together, and why that is no volume, in a clause (the worst reason alone)."""
    layout = layout or layout_of(geometry)
    reasons = (
        (geometry.shape[0] == 1, "there is one slice only"),
        (geometry.origins is None, "positions of the slices are not known"),
        (bool(layout.repeated.size and layout.repeated.all()), "all slices lie at one position"),
        (bool(layout.repeated.any()), "several slices lie at the same position"),
        (bool(layout.missing.any()), "slices are missing"),
        (bool(layout.large.any()), "the distances between slices are uneven"),
        (bool(layout.shifted.any()), "slices are shifted against each other"),
        (geometry.pixel_spacing is None, "the pixel spacing is not known"),
    )
    for applies, reason in reasons:
        if applies:
            return VolumeUse.SLICES_ONLY, reason
    if layout.tilt:
        return VolumeUse.SHEARED, f"the gantry was tilted by {layout.tilt:.1f} degrees"
    return VolumeUse.VOLUME, ""


def _sideways(geometry: Geometry) -> tuple[float, NDArray[np.bool_]]:
    """Gantry tilt in degrees (all slices move sideways by the same amount per mm), and slices that do not go along."""
    origins, found = geometry.origins, geometry.locations
    assert origins is not None and found is not None  # the caller has a spacing
    span = found - found[0]
    sideways = origins - origins[0] - np.outer(span, geometry.normal)
    pixel = max(geometry.pixel_spacing or (1.0, 1.0))
    best, least = np.zeros(3), -1
    for slope in _slopes(span, sideways, geometry.same_position):  # most slices decide, the simplest answer first
        members = int((_residue(span, sideways, slope) <= max(0.1 * pixel, 2.0 * geometry.rounding)).sum())
        if members > least:
            best, least = slope, members
    steepness = float(np.linalg.norm(best))
    angle = float(np.degrees(np.arctan(steepness)))
    tilted = angle > _TILT_DEGREES or (angle > _LEAST_TILT_DEGREES and steepness * float(span[-1]) > pixel)
    return (angle if tilted else 0.0), _residue(span, sideways, best) > pixel


def _slopes(span: NDArray[np.float64], sideways: NDArray[np.float64], least: float) -> tuple[NDArray[np.float64], ...]:
    """Mm sideways per mm along the normal: none; the median over half the stack (robust to rounding), and from slice to slice."""
    found = [np.zeros(3)]
    for reach in dict.fromkeys((max(1, len(span) // 2), 1)):
        along = span[reach:] - span[:-reach]
        apart = along > least
        if apart.any():
            found.append(_median((sideways[reach:] - sideways[:-reach])[apart] / along[apart, None]))
    return tuple(found)


def _residue(
    span: NDArray[np.float64], sideways: NDArray[np.float64], slope: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`[slices]` mm by which each slice lies beside a straight line of this slope."""
    rest = sideways - np.outer(span, slope)
    return np.asarray(np.linalg.norm(rest - _median(rest), axis=1))


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median `[k]` of `[n, k]`; numpy's own imports masked arrays first, which the first image would wait for."""
    ordered, count = np.sort(values, axis=0), len(values)
    return np.asarray((ordered[(count - 1) // 2] + ordered[count // 2]) / 2)
