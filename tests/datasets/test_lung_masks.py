from __future__ import annotations

import numpy as np
import pytest

from ctviewer.datasets.lung_masks import lung_masks

SIDE, SLICES, MM = 96, 5, 4.0
SPACING = (8.0, MM, MM)
R, C = np.mgrid[:SIDE, :SIDE]


def disc(row, column, radius, wide=1.0):
    return ((R - row) / radius) ** 2 + ((C - column) / (radius * wide)) ** 2 < 1


BODY = disc(48, 48, 30, 1.35)
RIGHT, LEFT = disc(48, 30, 15, 0.8), disc(48, 66, 15, 0.8)
TRACHEA = disc(46, 48, 2.6)


def thorax():
    """HU `[slices, rows, columns]`: body on a table, lungs, trachea."""
    hu = np.full((SLICES, SIDE, SIDE), -1000.0, np.float32)
    hu[:, BODY] = 40.0
    hu[:, 84:87, 15:80] = 300.0  # the table
    hu[:, RIGHT | LEFT] = -850.0
    hu[:, TRACHEA] = -990.0
    return hu + np.random.default_rng(0).normal(0, 12, hu.shape).astype(np.float32)


def test_both_lungs_and_nothing_else():
    got = lung_masks(thorax(), SPACING)
    for plane in got:
        np.testing.assert_array_equal(plane, RIGHT | LEFT)


def test_vessels_and_nodules_belong_to_the_lung():
    hu = thorax()
    vessel, scar = disc(46, 31, 2), (R == 48) & (C >= 17) & (C <= 22)  # the scar touches the pleura
    hu[:, vessel | scar] = 60.0
    got = lung_masks(hu, SPACING)
    assert got[:, vessel].all()
    assert got[:, scar & RIGHT].all()
    assert not got[:, ~(RIGHT | LEFT)].any()


def test_bowel_gas_below_the_lungs_is_none():
    hu = thorax()
    hu[2:] = np.where(BODY, 40.0, hu[2:])  # the diaphragm, and an abdomen below it
    hu[3:, disc(40, 60, 8)] = -985.0  # a stomach, larger than a trachea
    hu[3:, disc(52, 30, 2)] = -800.0  # stool
    got = lung_masks(hu, SPACING)
    assert not got[2:].any()
    np.testing.assert_array_equal(got[:2], np.broadcast_to(RIGHT | LEFT, (2, SIDE, SIDE)))


@pytest.mark.parametrize("inside", [40.0, -990.0])
def test_where_there_are_no_lungs_nothing_is_marked(inside):
    hu = thorax()
    hu[:, RIGHT | LEFT | TRACHEA] = 40.0
    hu[:, disc(48, 48, 12)] = inside
    assert not lung_masks(hu, SPACING).any()
    assert not lung_masks(np.full((3, 32, 32), -1000.0, np.float32), SPACING).any()


def test_the_posture_changes_nothing():
    hu = thorax()
    hu[:, disc(40, 26, 3)] = -300.0
    got = lung_masks(hu, SPACING)
    turned = lung_masks(np.ascontiguousarray(hu[::-1, ::-1, ::-1]), SPACING)
    np.testing.assert_array_equal(turned[::-1, ::-1, ::-1], got)
    across = lung_masks(np.ascontiguousarray(hu.swapaxes(1, 2)), SPACING)
    np.testing.assert_array_equal(across.swapaxes(1, 2), got)


def test_phantoms(tiny_phantom):
    phantom = tiny_phantom
    row, column = phantom.geometry.pixel_spacing
    truth = phantom.labels >= 1
    got = lung_masks(phantom.hu.astype(np.float32), (phantom.geometry.slice_spacing, row, column))
    dice = 2 * (got & truth).sum() / (got.sum() + truth.sum())
    assert dice > 0.9
