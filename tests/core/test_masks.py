"""Masks as packed bits."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ctviewer.core.masks import BoxMask

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.booleans(), fill=st.just(False))


@given(masks)
def test_round_trip(mask):
    packed = BoxMask.from_array(mask)
    if not mask.any():
        assert packed is None
        return
    np.testing.assert_array_equal(packed.full(mask.shape), mask)
    assert packed.area == mask.sum()
    box = packed.array()
    assert box.shape == (packed.height, packed.width)
    assert box[0].any() and box[-1].any() and box[:, 0].any() and box[:, -1].any(), "the box is tight"


@given(masks)
def test_packing_is_canonical(mask):
    if mask.any():
        packed = BoxMask.from_array(mask)
        assert BoxMask.from_array(packed.full(mask.shape)) == packed


def test_a_lesion_costs_bytes():
    mask = np.zeros((512, 512), bool)
    mask[100:140, 200:240] = True
    assert len(BoxMask.from_array(mask).bits) == 200


def test_one_pixel_at_the_far_corner():
    mask = np.zeros((7, 9), bool)
    mask[6, 8] = True
    assert BoxMask.from_array(mask) == BoxMask(6, 8, 1, 1, b"\x80")


def test_on_a_larger_slice():
    assert BoxMask(1, 2, 1, 1, b"\x80").full((3, 4)).nonzero() == (1, 2)
