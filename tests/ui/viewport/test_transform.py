"""Image to view and back: zoom, pan, flips, aspect, device pixels."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.geometry import Geometry
from ctviewer.ui.viewport.transform import ViewTransform, pixel_aspect, reading_flips

BASE = ViewTransform(100, 200, area=(0.0, 20.0, 400.0, 300.0))

transforms = st.builds(
    ViewTransform,
    rows=st.integers(1, 2000),
    columns=st.integers(1, 2000),
    aspect=st.sampled_from([(1.0, 1.0), (2.5, 1.0), (1.0, 1.3)]),
    area=st.tuples(st.just(0.0), st.floats(0, 50), st.floats(10, 3000), st.floats(10, 3000)),
    scale=st.floats(0.05, 30),
    centre=st.tuples(st.floats(0, 2000), st.floats(0, 2000)),
    flip_h=st.booleans(),
    flip_v=st.booleans(),
    device_ratio=st.sampled_from([1.0, 1.25, 1.5, 2.0, 3.0]),
)


@given(transforms, st.floats(-100, 3000), st.floats(-100, 3000))
def test_there_and_back(transform: ViewTransform, x: float, y: float) -> None:
    assert transform.to_image(*transform.to_view(x, y)) == pytest.approx((x, y), abs=1e-6)


@given(transforms)
def test_the_image_starts_on_a_device_pixel(transform: ViewTransform) -> None:
    for value in transform.origin:
        assert value * transform.device_ratio == pytest.approx(round(value * transform.device_ratio), abs=1e-6)


@given(transforms)
def test_a_fitted_image_is_inside_and_touches_two_edges(transform: ViewTransform) -> None:
    fitted = transform.fitted()
    left, top, width, height = fitted.image_rect()
    area_left, area_top, area_width, area_height = fitted.area
    slack = 1.0 / fitted.device_ratio
    assert area_left - slack <= left
    assert left + width <= area_left + area_width + slack
    assert area_top - slack <= top
    assert top + height <= area_top + area_height + slack
    assert width == pytest.approx(area_width) or height == pytest.approx(area_height)
    assert width / height == pytest.approx(fitted.columns * fitted.aspect[1] / (fitted.rows * fitted.aspect[0]))


@given(transforms, st.floats(0.2, 8), st.floats(0, 1), st.floats(0, 1))
def test_zoom_keeps_the_point_under_the_cursor(transform: ViewTransform, zoom: float, fx: float, fy: float) -> None:
    fitted = transform.fitted()
    left, top, width, height = fitted.image_rect()
    vx, vy = left + fx * width, top + fy * height
    zoomed = fitted.at_zoom(zoom, vx, vy)
    if 0 < zoomed.centre[0] < zoomed.columns and 0 < zoomed.centre[1] < zoomed.rows:  # not held at the border
        x, y = fitted.to_image(vx, vy)
        assert zoomed.to_view(x, y) == pytest.approx((vx, vy), abs=1.01 / fitted.device_ratio)


def test_pixel_under_a_point_with_flips() -> None:
    one = replace(BASE.fitted(), scale=2.0)
    left, top, width, height = one.image_rect()
    assert one.pixel_at(left + 0.1, top + 0.1) == (0, 0)
    assert one.pixel_at(left + width - 0.1, top + height - 0.1) == (99, 199)
    flipped = replace(one, flip_h=True, flip_v=True)
    assert flipped.pixel_at(left + 0.1, top + 0.1) == (99, 199)
    assert one.pixel_at(left + 0.1, top - 0.1) is None
    assert one.pixel_at(left + 0.1, 10.0) is None  # in the banner


def test_panning_never_loses_the_image() -> None:
    far = BASE.fitted().panned(1e6, -1e6)
    assert far.centre == (0.0, 100.0)
    assert BASE.fitted().panned(10, 0).to_view(0, 0)[0] == BASE.fitted().to_view(0, 0)[0] + 10
    flipped = replace(BASE.fitted(), flip_h=True)
    assert flipped.panned(10, 0).to_view(0, 0)[0] == flipped.to_view(0, 0)[0] + 10


def test_zoom_is_limited_but_reaches_fit_and_one_to_one() -> None:
    assert BASE.at_zoom(1e9).zoom == 64.0
    assert BASE.at_zoom(1e-9).scale == pytest.approx(BASE.fit_scale * 0.25)
    huge = ViewTransform(4000, 4000, area=(0, 0, 300, 300))
    assert huge.at_zoom(huge.fit_scale).scale == pytest.approx(huge.fit_scale)
    tiny = ViewTransform(4, 4, area=(0, 0, 800, 800))
    assert tiny.at_zoom(1.0).zoom == 1.0


@pytest.mark.parametrize(
    ("spacing", "aspect"),
    [(None, (1, 1)), ((0.7, 0.7), (1, 1)), ((2.0, 1.0), (2, 1)), ((0.5, 0.75), (1, 1.5)), ((0.0, 1.0), (1, 1))],
)
def test_aspect(spacing: tuple[float, float] | None, aspect: tuple[float, float]) -> None:
    assert pixel_aspect(spacing) == pytest.approx(aspect)


@pytest.mark.parametrize(
    ("row", "column", "flips", "left_top"),
    [
        ((1, 0, 0), (0, 1, 0), (False, False), "RA"),  # axial as usual
        ((-1, 0, 0), (0, 1, 0), (True, False), "RA"),  # axial seen from the head
        ((-1, 0, 0), (0, -1, 0), (False, False), "LP"),  # prone: as scanned
        ((1, 0, 0), (0, 0, -1), (False, False), "RH"),  # coronal as usual
        ((-1, 0, 0), (0, 0, 1), (True, True), "RH"),
        ((0, 1, 0), (0, 0, -1), (False, False), "AH"),  # sagittal as usual
        ((0, -1, 0), (0, 0, 1), (True, True), "AH"),
        ((0, 0, -1), (1, 0, 0), (False, False), "HR"),  # coronal stored on its side
    ],
)
def test_slices_are_shown_as_they_are_read(row, column, flips, left_top) -> None:
    geometry = Geometry((1, 4, 4), np.zeros((1, 3)), row, column, (1.0, 1.0))
    assert reading_flips(geometry) == flips
    left, right, top, bottom = geometry.edge_letters()
    assert (right if flips[0] else left) + (bottom if flips[1] else top) == left_top


def test_without_positions_nothing_is_flipped() -> None:
    assert reading_flips(Geometry((1, 4, 4), None, (-1, 0, 0), (0, 1, 0))) == (False, False)
