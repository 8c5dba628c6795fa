"""What slices may be used for together, from their places alone; no file is needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ctviewer.core.geometry import Geometry
from ctviewer.core.layout import layout_of, volume_use
from ctviewer.core.series import VolumeUse


def stack(heights, spacing=(0.8, 0.8), rounding=0.0, y=None) -> Geometry:
    """An axial stack."""
    heights = np.asarray(heights, float)
    sideways = np.zeros_like(heights) if y is None else np.asarray(y, float)
    origins = np.stack([np.full_like(heights, -100.0), sideways, heights], axis=1)
    return Geometry((len(heights), 4, 4), origins, pixel_spacing=spacing, rounding=rounding)


REGULAR = np.arange(10) * 2.0


@pytest.mark.parametrize(
    ("geometry", "use", "reason"),
    [
        (stack(REGULAR), VolumeUse.VOLUME, ""),
        (stack([5.0]), VolumeUse.SLICES_ONLY, "there is one slice only"),
        (
            Geometry((4, 2, 2), None, pixel_spacing=(1, 1)),
            VolumeUse.SLICES_ONLY,
            "positions of the slices are not known",
        ),
        (stack([3.0, 3, 3]), VolumeUse.SLICES_ONLY, "all slices lie at one position"),
        (stack([0, 2, 2, 4]), VolumeUse.SLICES_ONLY, "several slices lie at the same position"),
        (stack([0, 2, 4, 8, 10]), VolumeUse.SLICES_ONLY, "slices are missing"),
        (stack([0, 2, 4, 6.5, 8.5]), VolumeUse.SLICES_ONLY, "the distances between slices are uneven"),
        (stack([0, 2, 4, 6.3, 8.3]), VolumeUse.VOLUME, ""),
        (stack(REGULAR, None), VolumeUse.SLICES_ONLY, "the pixel spacing is not known"),
        (
            stack(REGULAR, y=[0, 0, 0, 9, 0, 0, 0, 0, 0, 0]),
            VolumeUse.SLICES_ONLY,
            "slices are shifted against each other",
        ),
        (
            stack(REGULAR, y=REGULAR * np.tan(np.radians(12))),
            VolumeUse.SHEARED,
            "the gantry was tilted by 12.0 degrees",
        ),
        (stack(REGULAR, y=REGULAR * np.tan(np.radians(0.2))), VolumeUse.VOLUME, ""),
    ],
)
def test_use(geometry, use, reason):
    assert volume_use(geometry) == (use, reason)


def test_rounding_explains_uneven_gaps_but_no_missing_slice():
    rounded = np.round(np.arange(30) * 0.625, 1)
    assert volume_use(stack(rounded, rounding=0.101))[0] is VolumeUse.VOLUME
    assert stack(rounded, rounding=0.101).slice_spacing == pytest.approx(0.625, abs=0.002), "the mean, not 0.6"
    coarse = stack([0, 1, 2, 4, 5, 6], rounding=1.01)
    assert list(layout_of(coarse).missing) == [0, 0, 1, 0, 0]
    assert not coarse.is_regular() and volume_use(coarse)[1] == "slices are missing"


def test_rounding_keeps_tissue_that_a_hole_would_lose():
    """0.333 mm written with one decimal: gaps of 0.4 among gaps of 0.3 are no holes."""
    geometry = stack(np.round(np.arange(31) / 3, 1), rounding=0.101)
    assert geometry.is_regular() and geometry.slice_extents().sum() == pytest.approx(31 / 3, rel=0.01)


def test_the_larger_of_two_gaps_is_the_hole():
    layout = layout_of(stack([0, 10, 30]))
    assert list(layout.missing) == [0, 1] and stack([0, 10, 30]).slice_spacing == 10


def test_repeated_positions_do_not_make_the_spacing_nothing():
    twice = stack(np.repeat(REGULAR, 2))
    assert twice.slice_spacing == 2.0 and layout_of(twice).repeated.sum() == 10
    extents = twice.slice_extents()
    assert np.isnan(extents).all(), "which of two slices shows the patient is not known"
    assert stack([3.0, 3, 3]).slice_spacing is None and stack([3.0, 3, 3]).slice_extents() is None


def test_very_small_voxels_are_not_one_position():
    tiny = stack(np.arange(9) * 0.004, spacing=(0.004, 0.004))
    assert volume_use(tiny) == (VolumeUse.VOLUME, "") and tiny.slice_spacing == pytest.approx(0.004)


def test_a_tilt_with_one_slice_beside_it():
    y = REGULAR * np.tan(np.radians(-20))
    y[3] += 5
    layout = layout_of(stack(REGULAR, y=y))
    assert layout.tilt == pytest.approx(20) and list(np.flatnonzero(layout.shifted)) == [3]


def test_rounded_places_of_an_oblique_stack_are_no_tilt():
    row, column = np.array([0.8, 0.6, 0.0]), np.array([0.36, -0.48, 0.8])
    normal = np.cross(row, column)
    origins = np.round(np.outer(np.arange(300) * 0.6, normal), 1)
    geometry = replace(
        Geometry((300, 4, 4), origins, tuple(row), tuple(column), (0.7, 0.7)),
        rounding=0.101 * float(np.abs(normal).sum()),
    )
    assert volume_use(geometry) == (VolumeUse.VOLUME, "")
