from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.overlays import OverlayPlane


@given(st.integers(1, 9), st.integers(1, 9), st.integers(-12, 12), st.integers(-12, 12), st.integers(0, 2**32 - 1))
def test_a_plane_on_an_image_pixel_by_pixel(rows, columns, top, left, seed):
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.5
    plane = OverlayPlane(rows, columns, top, left, np.packbits(mask.ravel(), bitorder="little"))
    assert np.array_equal(plane.array(), mask)
    image = plane.on_image(7, 10)
    for y, x in np.ndindex(7, 10):
        inside = 0 <= y - top < rows and 0 <= x - left < columns
        assert image[y, x] == (inside and mask[y - top, x - left])


def test_the_name_is_the_label_else_the_description():
    bits = np.zeros(1, np.uint8)
    assert OverlayPlane(1, 1, 0, 0, bits, label="L", description="D").name == "L"
    assert OverlayPlane(1, 1, 0, 0, bits, description="D").name == "D"
    assert OverlayPlane(1, 1, 0, 0, bits).name == ""
