"""What the reader does by mouse, and what the view tells."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from ctviewer.core.masks import BoxMask
from ctviewer.core.windowing import Window
from ctviewer.ui.viewport import OverlayShape, Tool
from ctviewer.ui.viewport.painting import image_area, info_area, info_lines

LEFT, MIDDLE, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton


def signals(signal) -> list:
    found: list = []
    signal.connect(found.append)
    return found


def drag(mouse, view, button, start, end) -> None:
    mouse(view, "press", *start, button)
    mouse(view, "move", (start[0] + end[0]) / 2, (start[1] + end[1]) / 2, button)
    mouse(view, "move", *end, button)


def wheel(view, angle: int, modifiers=Qt.KeyboardModifier.NoModifier, at=(100.0, 90.0)) -> None:
    position = QPointF(*at)
    event = QWheelEvent(
        position,
        view.mapToGlobal(position),
        QPoint(),
        QPoint(0, angle),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def test_left_drag_asks_for_a_window_and_does_not_take_it(view, make_volume, mouse) -> None:
    view.set_volume(make_volume())
    view.set_window(Window(-600, 1500))
    asked = signals(view.window_changed)
    drag(mouse, view, LEFT, (50, 90), (114, 58))
    mouse(view, "release", 114, 58, LEFT)
    assert asked[-1].width == round(1500 + 64 * 1500 / 256)
    assert asked[-1].centre == round(-600 - 32 * 1500 / 256)  # up is brighter
    assert view.window_setting == Window(-600, 1500)


def test_escape_takes_a_window_drag_back(view, make_volume, mouse) -> None:
    view.set_volume(make_volume())
    view.window_changed.connect(view.set_window)
    before = view.window_setting
    drag(mouse, view, LEFT, (50, 90), (120, 60))
    assert view.window_setting != before
    shortcut = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier)
    shortcut.ignore()
    QApplication.sendEvent(view, shortcut)
    assert shortcut.isAccepted()  # no shortcut of the window may take it
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert view.window_setting == before
    mouse(view, "move", 150, 60, LEFT)
    assert view.window_setting == before
    override = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier)
    override.ignore()
    QApplication.sendEvent(view, override)
    assert not override.isAccepted()


def test_middle_drag_pans_by_as_much(view, make_volume, mouse) -> None:
    view.set_volume(make_volume())
    before = view.transform.to_view(10, 10)
    drag(mouse, view, MIDDLE, (100, 90), (120, 75))
    after = view.transform.to_view(10, 10)
    assert (after[0] - before[0], after[1] - before[1]) == pytest.approx((20, -15), abs=1.01)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert view.transform.to_view(10, 10) == before
    view.resize(300, 300)
    assert view.transform.scale == view.transform.fit_scale  # it fits again


def test_right_drag_zooms_about_its_start(view, make_volume, mouse) -> None:
    view.set_volume(make_volume())
    zooms = signals(view.view_changed)
    before = view.zoom
    under = view.transform.to_image(80, 80)
    drag(mouse, view, RIGHT, (80, 80), (80, 30))
    assert view.zoom == pytest.approx(before * 2 ** (50 / 150))
    assert zooms[-1] == view.zoom
    assert view.transform.to_view(*under) == pytest.approx((80, 80), abs=1.01)


@pytest.mark.parametrize("tool", [Tool.PAN, Tool.ZOOM])
def test_the_tool_changes_the_left_button(view, make_volume, mouse, tool) -> None:
    view.set_volume(make_volume())
    view.set_tool(tool)
    asked = signals(view.window_changed)
    before = view.transform
    drag(mouse, view, LEFT, (80, 80), (95, 60))
    assert asked == []
    assert view.transform != before
    assert (view.zoom == before.zoom) == (tool is Tool.PAN)


def test_scroll_tool_jumps_in_display_order(view, make_volume, mouse) -> None:
    volume = make_volume(np.zeros((40, 20, 20), np.int16))
    view.set_volume(volume)
    view.set_tool(Tool.SCROLL)
    view.slice_jump_requested.connect(view.set_slice)
    start = view.slice_index
    drag(mouse, view, LEFT, (80, 80), (80, 125))
    assert view.slice_index == start - 10  # head first: down is a smaller index
    drag_end = signals(view.slice_jump_requested)
    mouse(view, "move", 80, 4000, LEFT)
    assert view.slice_index == 0
    mouse(view, "move", 80, -4000, LEFT)
    assert drag_end[-1] == 39


def test_wheel_steps_and_small_turns_add_up(view, make_volume) -> None:
    view.set_volume(make_volume())
    steps = signals(view.slice_requested)
    wheel(view, 120)
    wheel(view, -240)
    for _ in range(8):
        wheel(view, -15)
    assert steps == [-1, 2, 1]
    assert view.slice_index == 2


def test_control_wheel_zooms_at_the_cursor(view, make_volume) -> None:
    view.set_volume(make_volume())
    steps = signals(view.slice_requested)
    under = view.transform.to_image(60, 60)
    before = view.zoom
    wheel(view, 240, Qt.KeyboardModifier.ControlModifier, (60.0, 60.0))
    assert view.zoom == pytest.approx(before * 1.44)
    assert view.transform.to_view(*under) == pytest.approx((60, 60), abs=1.01)
    assert steps == []


def test_double_click_asks_for_the_whole_window(view, make_volume) -> None:
    view.set_volume(make_volume())
    asked: list = []
    view.maximise_requested.connect(lambda: asked.append(True))
    QTest.mouseDClick(view, LEFT, pos=QPoint(100, 90))
    QTest.mouseDClick(view, RIGHT, pos=QPoint(100, 90))
    assert asked == [True]


def test_value_under_the_cursor_comes_from_the_stored_value(view, make_volume, mouse) -> None:
    volume = make_volume(slope=2.0, intercept=-1024.0, padding=(-1000, -999))
    volume.stored[2, 7, 9] = 500
    volume.stored[2, 7, 10] = -1000
    view.set_volume(volume)
    view.set_zoom(4)
    seen = signals(view.hovered)
    for column in (9, 10):
        mouse(view, "move", *view.transform.to_view(column + 0.5, 7.5), Qt.MouseButton.NoButton)
    first, second = seen[-2], seen[-1]
    assert (first.row, first.column, first.value, first.unit) == (7, 9, -24.0, "HU")
    assert first.position == pytest.approx((-10 + 9, -20 + 7, -96.0))
    assert second.value is None  # padding
    texts = [text for line in info_lines(view._scene, view._look()) for _, text in line]
    assert texts[-1] == "HU –"
    QApplication.sendEvent(view, QEvent(QEvent.Type.Leave))
    assert seen[-1] is None


def test_the_value_follows_the_slice_and_its_loading(view, make_volume, mouse) -> None:
    stored = np.stack([np.full((20, 20), 100 * i, np.int16) for i in range(3)])
    volume = make_volume(stored, loaded=np.array([True, True, False]))
    view.set_volume(volume)
    seen = signals(view.hovered)
    mouse(view, "move", 100, 90, Qt.MouseButton.NoButton)
    view.set_slice(0)
    view.set_slice(2)
    volume.loaded[2] = True
    view.slice_loaded(2)
    assert [info.value for info in seen] == [100, 0, None, 200]


def shape(lesion: int, top: int, left: int, size: int) -> OverlayShape:
    mask = np.zeros((48, 64), bool)
    mask[top : top + size, left : left + size] = True
    packed = BoxMask.from_array(mask)
    assert packed is not None
    return OverlayShape("x", lesion, packed, QColor("cyan"))


def test_a_click_tells_the_smallest_lesion(view, make_volume, mouse) -> None:
    view.set_volume(make_volume())
    view.set_lesions({2: (shape(7, 5, 5, 30), shape(8, 10, 10, 6))})
    clicked = signals(view.lesion_clicked)

    def click(column: float, row: float) -> None:
        at = view.transform.to_view(column, row)
        mouse(view, "press", *at, LEFT)
        mouse(view, "release", *at, LEFT)

    click(12, 12)
    click(25, 25)
    click(60, 45)
    assert clicked == [8, 7]
    view.set_overlay_visible(False)
    click(12, 12)
    view.set_overlay_visible(True)
    mouse(view, "press", *view.transform.to_view(12, 12), LEFT)
    mouse(view, "move", *view.transform.to_view(40, 40), LEFT)
    mouse(view, "release", *view.transform.to_view(12, 12), LEFT)  # a drag is no click
    assert clicked == [8, 7]


def test_a_tiny_lesion_can_be_hit_beside(view, make_volume, mouse) -> None:
    view.set_volume(make_volume())
    view.set_lesions({2: (shape(3, 20, 20, 1),)})
    clicked = signals(view.lesion_clicked)
    x, y = view.transform.to_view(21, 20.5)
    mouse(view, "press", x + 2, y, LEFT)
    mouse(view, "release", x + 2, y, LEFT)
    assert clicked == [3]


def test_closing_or_another_volume_while_dragging(view, make_volume, mouse) -> None:
    view.set_volume(make_volume())
    asked = signals(view.window_changed)
    drag(mouse, view, LEFT, (50, 90), (80, 90))
    count = len(asked)
    view.set_volume(make_volume(np.zeros((2, 8, 8), np.int16)))
    mouse(view, "move", 150, 90, LEFT)
    assert len(asked) == count
    drag(mouse, view, MIDDLE, (50, 90), (80, 90))
    view.close()
    before = view.transform
    mouse(view, "move", 150, 90, MIDDLE)
    assert view.transform == before


def test_a_lost_release_ends_the_drag(view, make_volume, mouse) -> None:
    view.set_volume(make_volume())
    drag(mouse, view, MIDDLE, (50, 90), (80, 90))
    before = view.transform
    mouse(view, "move", 150, 90, Qt.MouseButton.NoButton)
    mouse(view, "move", 160, 90, MIDDLE)
    assert view.transform == before


def test_without_a_volume_nothing_is_asked(view, mouse) -> None:
    asked = [signals(s) for s in (view.window_changed, view.slice_requested, view.hovered, view.lesion_clicked)]
    drag(mouse, view, LEFT, (50, 90), (80, 70))
    mouse(view, "release", 80, 70, LEFT)
    wheel(view, 120)
    wheel(view, 120, Qt.KeyboardModifier.ControlModifier)
    view.set_slice(3)
    view.slice_loaded(3)
    view.fit()
    view.reset_view()
    assert asked == [[], [], [], []]


def test_fit_follows_the_size_and_zoom_does_not(view, make_volume, qapp) -> None:
    view.set_volume(make_volume())
    view.resize(400, 360)
    qapp.processEvents()
    assert view.transform.scale == view.transform.fit_scale
    view.zoom_one_to_one()
    view.resize(300, 300)
    assert view.zoom == 1.0
    assert view.transform.centre == (32, 24)
    view.set_flips(True, True)
    view.reset_view()
    assert view.flips == (False, False)
    assert view.transform.scale == view.transform.fit_scale


def test_no_repaint_storms(view, make_volume, mouse, qapp) -> None:
    view.set_volume(make_volume())
    lesions = {2: (shape(1, 5, 5, 10),), 3: (shape(2, 5, 5, 10),)}
    view.set_lesions(lesions)
    qapp.processEvents()
    frame = view._frame
    assert frame is not None
    view.set_slice(2)
    view.set_window(view.window_setting)
    view.set_lesions({2: (shape(1, 5, 5, 10),), 3: ()})  # looks the same on this slice
    view.set_banner(())
    view.slice_loaded(0)
    for x in range(40, 160, 5):
        mouse(view, "move", x, 90, Qt.MouseButton.NoButton)
        qapp.processEvents()
    assert view._frame is frame  # not rendered again
    view.set_slice(3)
    assert view._frame is None


@pytest.mark.parametrize("size", [(400, 400), (900, 900), (260, 260)])
def test_texts_do_not_overlap(view, make_volume, size, qapp) -> None:
    view.resize(*size)
    view.set_volume(make_volume(np.zeros((5, 512, 512), np.int16), spacing=(0.7, 0.7), lossy=True))
    view.set_banner(("A rather long name of a patient", "ID 0123456789"), ("Chest CT with a long description", "Se 3"))
    qapp.processEvents()
    look, scene = view._look(), view._scene
    lines = info_lines(scene, look)
    assert image_area(scene, look)[1] > 0
    assert info_area(scene, look).bottom() <= size[1]
    for line in lines:
        ends = [x + look.metrics.horizontalAdvance(text) for x, text in line]
        assert all(end <= start for end, (start, _) in zip(ends, line[1:], strict=False))
        assert ends[-1] <= size[0]
    assert [text for line in lines for _, text in line][:3] == ["W 1500 L -600", "slice 3/5", "Se 3 / Im 3"]


def test_accessible_description_names_the_slice(view, make_volume) -> None:
    view.set_volume(make_volume())
    view.set_slice(0)
    assert view.accessibleName() == "Slice view"
    assert "slice 5/5" in view.accessibleDescription()
