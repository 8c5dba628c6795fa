"""Regions of interest on the image: off by default, told apart by line and sign, numbers under the cursor."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt

from ctviewer.core.findings import Roi
from ctviewer.ui.viewport import rois as layer
from ctviewer.ui.viewport.rois import NEGATIVE, POSITIVE, describe, outline, roi_at

UP = Roi(2, (10.0, 8.0, 40.0, 36.0), "ground glass", 0.83, 0.9, 0.001)
DOWN = Roi(2, (44.0, 4.0, 60.0, 20.0), "lung", 0.4, 0.05, 0.98)
WEAK = Roi(2, (2.0, 40.0, 8.0, 46.0), "ground glass", 0.05, 0.05, 0.019)
ROIS = {2: (UP, DOWN, WEAK)}


@pytest.fixture
def shown(view, make_volume):
    """A black 48 x 64 image at its slice 2, with three regions that are shown."""
    view.set_volume(make_volume(np.full((5, 48, 64), -1000, np.int16)))
    view.resize(420, 360)
    view.set_slice(2)
    view.set_rois(ROIS)
    view.set_rois_visible(True)
    return view


@pytest.fixture
def move_to(mouse):
    return lambda view, x, y: mouse(view, "move", x, y, Qt.MouseButton.NoButton)


def coloured(pixels, colour):
    wanted = np.array([colour.red(), colour.green(), colour.blue()])
    return np.abs(pixels.astype(int) - wanted).max(axis=-1) <= 2


def edge(view, grey_of, roi, colour):
    """How much of the upper edge of a region's box is drawn in a colour, 0..1."""
    box, pixels = outline(roi, view.transform), coloured(grey_of(view), colour)
    rows = pixels[round(box.top()) - 2 : round(box.top()) + 3, round(box.left()) : round(box.right())]
    return float(rows.any(axis=0).mean())


def test_the_layer_is_off_until_asked_for(view, make_volume, grey_of):
    view.set_volume(make_volume(np.full((5, 48, 64), -1000, np.int16)))
    before = grey_of(view)
    view.set_rois(ROIS)
    assert np.array_equal(grey_of(view), before)
    view.set_slice(2)
    assert not coloured(grey_of(view), POSITIVE).any()
    view.set_rois_visible(True)
    assert coloured(grey_of(view), POSITIVE).any()
    view.set_rois_visible(False)
    assert not coloured(grey_of(view), POSITIVE).any()


def test_positive_is_solid_and_negative_dashed(shown, grey_of):
    assert edge(shown, grey_of, UP, POSITIVE) > 0.97
    dashed = edge(shown, grey_of, DOWN, NEGATIVE)
    assert 0.3 < dashed < 0.85


def test_signs_tell_them_apart_too(shown, monkeypatch):
    said = []
    monkeypatch.setattr(layer, "draw_text", lambda _painter, _x, _y, text, *_: said.append(text))
    shown.set_rois_visible(False)
    shown.set_rois_visible(True)
    shown.grab()
    assert said == ["−0.98", "+0.90"]  # the strongest first; the weak one has no number


def test_a_region_that_neither_module_looked_at_is_faint(shown, grey_of):
    assert edge(shown, grey_of, WEAK, POSITIVE) == 0 == edge(shown, grey_of, WEAK, NEGATIVE)


def test_the_plain_image_is_one_key_away(shown, grey_of):
    shown.set_marks_visible(False)
    pixels = grey_of(shown)
    assert not coloured(pixels, POSITIVE).any() and not coloured(pixels, NEGATIVE).any()


def test_other_slices_have_no_boxes_and_another_volume_forgets_them(shown, make_volume, grey_of):
    shown.set_slice(1)
    assert not coloured(grey_of(shown), POSITIVE).any()
    shown.set_volume(make_volume(np.full((5, 48, 64), -1000, np.int16)))
    shown.set_slice(2)
    assert not coloured(grey_of(shown), POSITIVE).any()


@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True), (True, True)])
def test_boxes_lie_on_their_pixels_whatever_the_flips(shown, flips):
    shown.set_flips(*flips)
    box = outline(UP, shown.transform)
    inside = shown.transform.pixel_at(box.center().x(), box.center().y())
    assert inside == pytest.approx((22, 25), abs=1)
    assert box.width() == pytest.approx(30 * shown.transform.scale)


def test_the_cursor_tells_the_numbers(shown, monkeypatch, move_to):
    said = []
    monkeypatch.setattr(layer, "draw_text", lambda _painter, _x, _y, text, *_: said.append(text))
    box = outline(UP, shown.transform)
    move_to(shown, box.center().x(), box.center().y())
    shown.grab()
    assert said[:3] == list(describe(UP, 3))
    assert "ground glass 0.83" in said[0] and "+ class-positive attention 0.90 (2.7 × uniform)" in said[1]
    assert "− class-negative attention <0.01 (0.0 × uniform)" in said[2]
    said.clear()
    move_to(shown, 2, shown.height() - 2)
    shown.grab()
    assert said == ["−0.98", "+0.90"]


def test_the_smallest_region_under_the_cursor_is_told(shown):
    inner = Roi(2, (20.0, 14.0, 28.0, 22.0), "consolidation", 0.5, 0.02, 0.02)
    box = outline(inner, shown.transform)
    at = (box.center().x(), box.center().y())
    assert roi_at((UP, inner, DOWN), shown.transform, *at) is inner
    assert roi_at((UP, DOWN), shown.transform, *at) is UP
    assert roi_at((), shown.transform, *at) is None


def test_a_single_region_has_all_attention_and_is_drawn(view, make_volume, grey_of):
    only = Roi(2, (10.0, 8.0, 40.0, 36.0), "ground glass", 0.2, 1.0, 1.0)
    view.set_volume(make_volume(np.full((5, 48, 64), -1000, np.int16)))
    view.resize(420, 360)
    view.set_slice(2)
    view.set_rois_visible(True)
    view.set_rois({2: (only,)})
    pixels = grey_of(view)
    assert coloured(pixels, POSITIVE).any() and coloured(pixels, NEGATIVE).any()
