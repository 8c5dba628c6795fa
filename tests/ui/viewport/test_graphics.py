"""Overlay planes of the file: which screen pixels they cover, to the pixel."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.core.overlays import OverlayPlane
from ctviewer.core.palette import ATTENTION, class_colour
from ctviewer.ui.viewport.graphics import GRAPHICS

COLOUR = (GRAPHICS.red(), GRAPHICS.green(), GRAPHICS.blue())
SHAPE = (48, 64)


def plane(mask: np.ndarray, top: int = 0, left: int = 0, **facts: object) -> OverlayPlane:
    return OverlayPlane(*mask.shape, top, left, np.packbits(mask.ravel(), bitorder="little"), **facts)


def drawn(pixels: np.ndarray) -> np.ndarray:
    return (pixels == COLOUR).all(axis=2)


def on_screen(view, pixels: np.ndarray) -> np.ndarray:
    left, top, width, height = (round(v * view.devicePixelRatioF()) for v in view.transform.image_rect())
    return pixels[max(top, 0) : top + height, max(left, 0) : left + width]


def show(view, volume) -> None:
    """At 1:1 in a view that is large enough for all text to stand beside the image."""
    view.resize(400, 300)
    view.set_volume(volume)
    view.zoom_one_to_one()


@pytest.fixture
def mask() -> np.ndarray:
    made = np.random.default_rng(5).random(SHAPE) < 0.03
    made[[0, -1], [0, -1]] = True
    return made


@pytest.mark.parametrize(("horizontal", "vertical"), [(False, False), (True, False), (False, True), (True, True)])
def test_one_to_one_each_pixel_is_where_the_file_says(view, make_volume, grey_of, mask, horizontal, vertical) -> None:
    show(view, make_volume(overlays={2: (plane(mask),)}))
    view.set_flips(horizontal, vertical)
    want = mask[:: -1 if vertical else 1, :: -1 if horizontal else 1]
    assert np.array_equal(drawn(on_screen(view, grey_of(view))), want)


def test_only_on_its_slice_and_hidden_by_either_switch(view, make_volume, grey_of, mask) -> None:
    show(view, make_volume(overlays={2: (plane(mask),)}))
    assert drawn(grey_of(view)).any()
    for hide in (view.set_graphics_visible, view.set_marks_visible):
        hide(False)
        assert not drawn(grey_of(view)).any()
        hide(True)
        assert drawn(grey_of(view)).any()
    view.set_slice(1)
    assert not drawn(grey_of(view)).any()


@pytest.mark.parametrize(("top", "left"), [(-3, -5), (40, 60), (10, -60), (0, 0), (-47, 63)])
def test_an_origin_outside_the_image_cuts_the_plane(view, make_volume, grey_of, mask, top, left) -> None:
    show(view, make_volume(overlays={2: (plane(mask, top, left),)}))
    want = np.zeros(SHAPE, bool)
    for row, column in np.argwhere(mask):
        if 0 <= row + top < SHAPE[0] and 0 <= column + left < SHAPE[1]:
            want[row + top, column + left] = True
    assert np.array_equal(drawn(on_screen(view, grey_of(view))), want)


def test_a_plane_wholly_outside_draws_nothing(view, make_volume, grey_of) -> None:
    show(view, make_volume(overlays={2: (plane(np.ones((4, 4), bool), 100, 100),)}))
    assert not drawn(on_screen(view, grey_of(view))).any()


def test_magnified_it_stays_sharp_and_reduced_no_line_is_lost(view, make_volume, grey_of) -> None:
    lines = np.zeros((200, 240), bool)
    lines[101], lines[:, 53] = True, True
    show(view, make_volume(np.zeros((1, *lines.shape), np.int16), overlays={0: (plane(lines),)}, origins=None))
    view.resize(2000, 1500)
    view.set_zoom(5.0)
    seen = drawn(on_screen(view, grey_of(view)))
    assert np.array_equal(seen, lines.repeat(5, 0).repeat(5, 1))
    view.resize(400, 300)
    view.set_zoom(0.4)
    seen = drawn(on_screen(view, grey_of(view)))
    rows, columns = np.flatnonzero(seen.all(axis=1)), np.flatnonzero(seen.all(axis=0))
    assert rows.tolist() == [int(101 * 0.4)] and columns.tolist() == [int(53 * 0.4)]


def test_magnified_beyond_the_view_only_what_is_seen_is_drawn(view, make_volume, grey_of, mask) -> None:
    show(view, make_volume(overlays={2: (plane(mask),)}))
    view.set_zoom(16.0)
    seen = drawn(grey_of(view))
    seen[:60] = False  # the plane's name stands there in the same colour
    left, top, _, _ = view.transform.image_rect()
    assert seen.any()
    for y, x in np.argwhere(seen)[::97]:
        assert mask[int((y - top) // 16), int((x - left) // 16)]


def test_pixels_that_are_not_square_are_stretched_with_the_image(view, make_volume, grey_of) -> None:
    dot = np.zeros((20, 20), bool)
    dot[5, 7] = True
    volume = make_volume(np.zeros((1, 20, 20), np.int16), spacing=(3.0, 1.0), overlays={0: (plane(dot),)})
    show(view, volume)
    seen = drawn(on_screen(view, grey_of(view)))
    assert np.argwhere(seen).tolist() == [[15, 7], [16, 7], [17, 7]]


def test_a_rim_keeps_it_legible_on_white(view, make_volume, grey_of) -> None:
    dot = np.zeros(SHAPE, bool)
    dot[20, 30] = True
    show(view, make_volume(np.full((3, *SHAPE), 3000, np.int16), overlays={1: (plane(dot),)}))
    pixels = on_screen(view, grey_of(view))
    assert tuple(pixels[20, 30]) == COLOUR and pixels[10, 10].min() == 255
    assert pixels[19:22, 29:32].reshape(-1, 3)[[0, 1, 2, 3, 5, 6, 7, 8]].max() < 120


def test_the_name_stands_in_the_corner(view, make_volume, grey_of) -> None:
    blank_corner = np.zeros(SHAPE, bool)
    blank_corner[40, 60] = True
    view.resize(600, 500)
    show(view, make_volume(overlays={2: (plane(blank_corner, label="ROI 1"),)}))
    assert drawn(grey_of(view)[:40, :200]).any()
    view.set_graphics_visible(False)
    assert not drawn(grey_of(view)[:40, :200]).any()


def test_its_colour_is_none_that_means_something_else() -> None:
    lesions = [class_colour(str(n), [str(i) for i in range(6)]) for n in range(6)]
    for other in (ATTENTION, *lesions):
        assert np.abs(np.subtract(COLOUR, other)).max() >= 60
