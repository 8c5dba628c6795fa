"""The brush covers what a disc in the patient covers, on any pixels, in any view."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from ctviewer.core.masks import BoxMask
from ctviewer.ui.viewport import OverlayShape
from ctviewer.ui.viewport.brush import SIZES, Stroke, next_size, sweep
from ctviewer.ui.viewport.editable_view import Brush, EditableView

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
GREEN = QColor(0, 158, 115)


def reference(shape, start, end, diameter, aspect) -> np.ndarray:
    """Pixel by pixel: the distance of its middle from many points on the way; and the pixels under those points."""
    out = np.zeros(shape, bool)
    ways = [(start[0] + t * (end[0] - start[0]), start[1] + t * (end[1] - start[1])) for t in np.linspace(0, 1, 2001)]
    for row in range(shape[0]):
        for column in range(shape[1]):
            nearest = min(
                math.hypot((column + 0.5 - x) * aspect[1], (row + 0.5 - y) * aspect[0]) for x, y in ways[::20]
            )
            out[row, column] = nearest <= diameter / 2
    for x, y in ways:
        if 0 <= math.floor(y) < shape[0] and 0 <= math.floor(x) < shape[1]:
            out[math.floor(y), math.floor(x)] = True
    return out


@pytest.mark.parametrize("aspect", [(1.0, 1.0), (2.5, 1.0), (1.0, 1.7)])
@pytest.mark.parametrize("diameter", [1, 3, 8])
def test_a_sweep_covers_what_a_plain_loop_says(aspect, diameter):
    for start, end in (((7.3, 6.1), (7.3, 6.1)), ((2.2, 3.4), (15.6, 11.9)), ((-3.0, 5.0), (30.0, 6.0))):
        mask = np.zeros((16, 22), bool)
        sweep(mask, start, end, diameter, aspect)
        wanted = reference(mask.shape, start, end, diameter, aspect)
        assert np.count_nonzero(mask & ~wanted) <= 2, "but for middles that lie on the rim"
        assert np.count_nonzero(wanted & ~mask) <= (2 if diameter > 1 else 6), "and pixels grazed at a corner"
        assert mask.any()


def test_the_smallest_brush_leaves_no_gap():
    mask = np.zeros((40, 40), bool)
    sweep(mask, (1.2, 3.7), (38.4, 29.9), 1, (1.0, 1.0))
    assert all(mask[:, column].any() for column in range(1, 39))


def test_sizes_end_at_both_ends():
    assert next_size(SIZES[0], -1) == SIZES[0] and next_size(SIZES[-1], 5) == SIZES[-1]
    assert next_size(8, 1) == 11 and next_size(9, -1) == 6


@pytest.fixture
def editable(qtbot, qapp):
    widget = EditableView()
    qtbot.addWidget(widget)
    widget.resize(300, 260)
    widget.show()
    qapp.processEvents()
    yield widget
    widget.close()


def strokes_of(view) -> list[Stroke]:
    made: list[Stroke] = []
    view.stroke_made.connect(made.append)
    return made


def at_pixel(view, row: float, column: float) -> tuple[float, float]:
    return view.transform.to_view(column + 0.5, row + 0.5)


@pytest.mark.parametrize("flips", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (2.0, 0.8)])
@pytest.mark.parametrize("zoom", [None, 6.0])
def test_a_stroke_lands_on_the_pixels_under_it(editable, make_volume, mouse, flips, spacing, zoom):
    editable.set_volume(make_volume(spacing=spacing))
    editable.set_flips(*flips)
    if zoom:
        editable.set_zoom(zoom)
    editable.set_brush(Brush(1, GREEN))
    made = strokes_of(editable)
    for column, kind in ((28, "press"), (31, "move"), (34, "move"), (34, "release")):
        mouse(editable, kind, *at_pixel(editable, 24, column), LEFT)
    (stroke,) = made
    assert stroke.index == editable.slice_index and stroke.start == (24, 28)
    assert sorted(zip(*np.nonzero(stroke.mask), strict=True)) == [(24, c) for c in range(28, 35)]
    assert (stroke.erase, stroke.take) == (False, False)


def test_a_brush_is_round_in_the_patient(editable, make_volume, mouse):
    editable.set_volume(make_volume(spacing=(2.0, 1.0)))
    editable.set_brush(Brush(12, GREEN, erase=True))
    made = strokes_of(editable)
    x, y = at_pixel(editable, 20, 30)
    mouse(editable, "press", x, y, LEFT)
    mouse(editable, "release", x, y, LEFT)
    rows, columns = np.nonzero(made[0].mask)
    assert made[0].erase
    assert (rows.max() - rows.min() + 1) * 2.0 == pytest.approx((columns.max() - columns.min() + 1) * 1.0, abs=2.0)


def test_shift_takes_and_escape_drops(editable, make_volume, mouse):
    editable.set_volume(make_volume())
    editable.set_brush(Brush(3, GREEN))
    made = strokes_of(editable)
    spot = QPoint(*(round(v) for v in at_pixel(editable, 24, 30)))
    QTest.mouseClick(editable, LEFT, Qt.KeyboardModifier.ShiftModifier, spot)
    assert made[0].take
    mouse(editable, "press", *at_pixel(editable, 24, 30), LEFT)
    QTest.keyClick(editable, Qt.Key.Key_Escape)
    mouse(editable, "release", *at_pixel(editable, 24, 30), LEFT)
    assert len(made) == 1 and editable.brush is not None


def test_a_stroke_ends_on_its_slice_when_the_slice_changes(editable, make_volume, mouse):
    editable.set_volume(make_volume())
    editable.set_brush(Brush(3, GREEN))
    made, before = strokes_of(editable), editable.slice_index
    mouse(editable, "press", *at_pixel(editable, 24, 30), LEFT)
    editable.set_slice(before + 1)
    assert [s.index for s in made] == [before]
    mouse(editable, "move", *at_pixel(editable, 24, 34), LEFT)
    mouse(editable, "release", *at_pixel(editable, 24, 34), LEFT)
    assert len(made) == 1


def test_nothing_is_painted_where_findings_are_hidden_or_no_image_is(editable, make_volume, mouse):
    volume = make_volume()
    editable.set_volume(volume)
    editable.set_brush(Brush(3, GREEN))
    made, refused = strokes_of(editable), []
    editable.refused.connect(lambda: refused.append(True))
    spot = at_pixel(editable, 24, 30)
    for hide, show in (
        (lambda: editable.set_marks_visible(False), lambda: editable.set_marks_visible(True)),
        (lambda: editable.set_overlay_visible(False), lambda: editable.set_overlay_visible(True)),
    ):
        hide()
        mouse(editable, "press", *spot, LEFT)
        mouse(editable, "release", *spot, LEFT)
        show()
    assert made == [] and len(refused) == 2
    volume.failed[editable.slice_index] = True
    mouse(editable, "press", *spot, LEFT)
    mouse(editable, "release", *spot, LEFT)
    mouse(editable, "press", 2.0, 2.0, LEFT)
    mouse(editable, "release", 2.0, 2.0, LEFT)
    assert made == []


def test_without_a_brush_the_left_button_drags_and_clicks_as_before(editable, make_volume, mouse):
    editable.set_volume(make_volume())
    made, asked = strokes_of(editable), []
    editable.window_changed.connect(asked.append)
    for kind, x in (("press", 100.0), ("move", 160.0), ("release", 160.0)):
        mouse(editable, kind, x, 130.0, LEFT)
    assert asked and made == []


def test_ctrl_and_a_click_select_another_finding_and_a_right_click_asks_for_the_menu(editable, make_volume, mouse):
    editable.set_volume(make_volume())
    mask = np.zeros((48, 64), bool)
    mask[20:30, 20:30] = True
    editable.set_lesions({editable.slice_index: (OverlayShape("GGO", 7, BoxMask.from_array(mask), GREEN),)})
    editable.set_brush(Brush(3, GREEN))
    made, clicked, menus = strokes_of(editable), [], []
    editable.lesion_clicked.connect(clicked.append)
    editable.menu_requested.connect(lambda _at, lesion: menus.append(lesion))
    inside, outside = at_pixel(editable, 25, 25), at_pixel(editable, 5, 50)
    QTest.mouseClick(editable, LEFT, Qt.KeyboardModifier.ControlModifier, QPoint(*(round(v) for v in inside)))
    assert clicked == [7] and made == []
    for spot in (inside, outside):
        mouse(editable, "press", *spot, RIGHT)
        mouse(editable, "release", *spot, RIGHT)
    assert menus == [7, None]


def test_the_wheel_with_shift_changes_the_size_and_alone_the_slice(editable, make_volume):
    editable.set_volume(make_volume())
    editable.set_brush(Brush(3, GREEN))
    sizes, slices = [], []
    editable.resize_requested.connect(sizes.append)
    editable.slice_requested.connect(slices.append)
    for modifier, delta in (
        (Qt.KeyboardModifier.ShiftModifier, QPoint(0, 120)),
        (Qt.KeyboardModifier.ShiftModifier, QPoint(-120, 0)),
        (Qt.KeyboardModifier.NoModifier, QPoint(0, -120)),
    ):
        at = QPointF(100, 100)
        event = QWheelEvent(
            at, editable.mapToGlobal(at), QPoint(), delta, Qt.MouseButton.NoButton, modifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(editable, event)
    assert sizes == [1, -1] and slices == [1]


def test_the_stroke_is_seen_while_it_is_made(editable, make_volume, mouse, grey_of):
    editable.set_volume(make_volume(np.zeros((3, 48, 64), np.int16)))
    editable.set_brush(Brush(8, QColor(255, 0, 0)))
    before = grey_of(editable)
    x, y = at_pixel(editable, 24, 30)
    mouse(editable, "press", x, y, LEFT)
    after = grey_of(editable)
    change = after.astype(int) - before
    assert change[round(y), round(x), 0] > 5 and change[round(y), round(x), 1] < -20
    mouse(editable, "release", x, y, LEFT)
    mouse(editable, "move", 5.0, 200.0, Qt.MouseButton.NoButton)
    assert np.array_equal(grey_of(editable)[round(y), round(x)], before[round(y), round(x)])
