"""Fields, shapes and tubes are what their docstrings say, at any resolution."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.datasets.phantom.fields import NoiseField, Warp
from ctviewer.datasets.phantom.shapes import SliceGrid, View, coverage, ellipse, intersection, union
from ctviewer.datasets.phantom.tubes import Tubes, tube_coverage


def _view(pixel: float, half: float = 40.0, z: float = 0.0, thickness: float = 1.0) -> View:
    axis = np.arange(-half + pixel / 2, half, pixel, dtype=np.float32)
    grid = SliceGrid(axis, axis, pixel)
    x, y = np.meshgrid(axis, axis)
    return View(grid, x, y, z, thickness)


def test_a_field_has_mean_zero_and_deviation_one():
    field = NoiseField(np.random.default_rng(0), 3.0)
    axis = np.linspace(0, 140, 200, dtype=np.float32)
    values = np.stack([field.plane(axis, axis, z) for z in range(0, 140, 10)])

    assert abs(values.mean()) < 0.1
    assert 0.85 < values.std() < 1.15


def test_a_field_is_the_same_by_plane_and_by_point():
    field = NoiseField(np.random.default_rng(1), 5.0)
    x, y = np.array([-31.0, 4.5], np.float32), np.array([12.25, 90.0, -3.0], np.float32)
    plane = field.plane(x, y, 17.5)
    points = np.array([[a, b, 17.5] for b in y for a in x])

    assert field.at(points).reshape(3, 2) == pytest.approx(plane, abs=1e-4)


def test_a_warp_moves_points_as_it_moves_outlines():
    warp = Warp.draw(np.random.default_rng(2), 2.5)
    points = np.random.default_rng(3).uniform(-80, 80, (50, 3))
    moved = warp.place(points)

    for before, after in zip(points, moved, strict=True):
        x, y = warp.grids(after[:1], after[1:2], float(after[2]))
        assert (x[0, 0], y[0, 0]) == pytest.approx(before[:2], abs=0.8)


@pytest.mark.parametrize("pixel", [0.5, 1.0, 2.0])
def test_coverage_keeps_the_area_at_any_resolution(pixel):
    view = _view(pixel)
    area = coverage(ellipse(view.x, view.y, 20.0, 12.0), pixel).sum() * pixel**2

    assert area == pytest.approx(np.pi * 20 * 12, rel=0.03)


def test_union_and_intersection_round_over_their_radius():
    assert union(0.0, 0.0, 8.0) == pytest.approx(-2.0)
    assert intersection(0.0, 0.0, 8.0) == pytest.approx(2.0)
    assert union(-5.0, 20.0, 8.0) == -5.0
    assert intersection(-5.0, 20.0, 8.0) == 20.0


def test_a_tube_is_as_wide_as_its_radius_and_tapers():
    tube = Tubes.path(np.array([[-30.0, 0, 0], [30.0, 0, 0]]), np.array([2.0, 6.0]))
    filled = tube_coverage(tube, _view(0.5))

    width = filled.sum(axis=0) * 0.5
    assert width[40] == pytest.approx(2 * (2 + 4 / 6), abs=0.35)
    assert width[120] == pytest.approx(2 * (6 - 4 / 6), abs=0.35)
    assert filled.max() <= 1.0


def test_a_tube_through_the_slice_is_seen_as_a_disc_where_it_crosses():
    tube = Tubes.path(np.array([[10.0, -8, -50], [10.0, -8, 50]]), 4.0)
    filled = tube_coverage(tube, _view(0.5))
    y, x = np.indices(filled.shape)

    assert filled.sum() * 0.25 == pytest.approx(np.pi * 16, rel=0.03)
    assert np.average(x, weights=filled) * 0.5 - 39.75 == pytest.approx(10, abs=0.1)
    assert np.average(y, weights=filled) * 0.5 - 39.75 == pytest.approx(-8, abs=0.1)


def test_a_thick_slice_holds_a_thin_tube_only_in_part():
    tube = Tubes.path(np.array([[-30.0, 0, 0], [30.0, 0, 0]]), 1.0)
    thin, thick = (tube_coverage(tube, _view(0.5, thickness=t)).max() for t in (1.0, 10.0))

    assert thick < 0.4 * thin


def test_tubes_off_the_slice_or_the_image_leave_no_trace():
    above = Tubes.path(np.array([[0.0, 0, 30], [10.0, 0, 40]]), 3.0)
    beside = Tubes.path(np.array([[400.0, 0, 0], [500.0, 0, 0]]), 3.0)

    assert not tube_coverage(Tubes.join([above, beside]), _view(1.0)).any()
    assert not tube_coverage(Tubes.none(), _view(1.0)).any()


def test_a_tube_over_the_border_is_cut_not_wrapped():
    filled = tube_coverage(Tubes.path(np.array([[38.0, 10, 0], [60.0, 10, 0]]), 3.0), _view(1.0))

    assert filled[:, -1].max() == pytest.approx(1.0)
    assert not filled[:, :20].any()
