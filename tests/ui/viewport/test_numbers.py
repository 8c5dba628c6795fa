"""Scale bar, drags, wheel, text and layout: the parts without Qt."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.geometry import Geometry
from ctviewer.core.windowing import VoiFunction, Window
from ctviewer.ui.viewport.interaction import WheelSteps, drag_slices, drag_window, drag_zoom, wheel_zoom
from ctviewer.ui.viewport.layout import Placer, flow, overlaps
from ctviewer.ui.viewport.scale_bar import choose_scale_bar
from ctviewer.ui.viewport.slice_text import HoverInfo, stack_names, value_text, window_text

LUNG = Window(-600, 1500, name="Lung")


@pytest.mark.parametrize(
    ("mm_per_pixel", "longest", "label"),
    [(0.4, 225, "5 cm"), (0.8, 225, "10 cm"), (0.1, 100, "1 cm"), (0.04, 130, "5 mm"), (3.0, 100, "20 cm")],
)
def test_scale_bar_is_round_and_true(mm_per_pixel: float, longest: float, label: str) -> None:
    bar = choose_scale_bar(mm_per_pixel, longest)
    assert bar is not None
    assert bar.label == label
    assert bar.pixels <= longest
    assert bar.pixels * mm_per_pixel == pytest.approx(bar.length_mm)


def test_no_scale_bar_without_spacing_or_room() -> None:
    assert choose_scale_bar(None, 200) is None
    assert choose_scale_bar(0.0, 200) is None
    assert choose_scale_bar(50.0, 100) is None
    assert choose_scale_bar(0.001, 100) is None


def test_drag_right_is_wider_and_up_is_brighter() -> None:
    assert drag_window(LUNG, 256, 0) == Window(-600, 3000)
    assert drag_window(LUNG, 0, -256).centre == -2100
    assert drag_window(LUNG, 0, 0).name == ""
    assert drag_window(Window(40, 80), 10, 0).width < drag_window(Window(40, 800), 10, 0).width


@given(
    st.floats(-3000, 3000),
    st.floats(1, 8000),
    st.floats(-5000, 5000),
    st.floats(-5000, 5000),
    st.sampled_from(VoiFunction),
)
def test_any_drag_gives_a_valid_window(
    centre: float, width: float, dx: float, dy: float, function: VoiFunction
) -> None:
    window = drag_window(Window(centre, width, function), dx, dy)
    assert window.width >= 1
    assert window.function is function


def test_a_window_of_width_one_can_be_widened() -> None:
    assert drag_window(Window(0, 1), 100, 0).width > 20


def test_small_ranges_are_not_rounded_to_whole_units() -> None:
    window = drag_window(Window(0.5, 1.0, VoiFunction.LINEAR_EXACT), 64, 0, least_step=1 / 4096)
    assert window.width == pytest.approx(1.25)


def test_zoom_drags_and_wheel() -> None:
    assert drag_zoom(1.0, -150) == pytest.approx(2.0)
    assert drag_zoom(1.0, 150) == pytest.approx(0.5)
    assert wheel_zoom(120) * wheel_zoom(-120) == pytest.approx(1.0)


def test_scroll_drag_covers_the_series_within_reason() -> None:
    assert drag_slices(500, 1000, 100) == 50
    assert drag_slices(-12, 1000, 3) == -1
    assert drag_slices(100, 500, 1000) == 50


def test_wheel_adds_up_small_turns() -> None:
    wheel = WheelSteps()
    assert [wheel.add(40) for _ in range(6)] == [0, 0, -1, 0, 0, -1]
    assert wheel.add(-360) == 3
    wheel.add(100)
    assert wheel.add(-100) == 0  # another direction starts anew
    assert wheel.add(-20) == 1
    wheel.add(100)
    wheel.clear()
    assert wheel.add(100) == 0


def test_texts() -> None:
    assert window_text(LUNG) == "W 1500 L -600"
    assert window_text(Window(0.125, 0.5, VoiFunction.LINEAR_EXACT)) == "W 0.5 L 0.125"
    assert value_text(HoverInfo(0, 1, 2, -742.6, "HU", None)) == "HU -743"
    assert value_text(HoverInfo(0, 1, 2, 0.1234, "g/ml", None)) == "g/ml 0.1234"
    assert value_text(HoverInfo(0, 1, 2, None, "HU", None)) == "HU –"
    assert value_text(HoverInfo(0, 1, 2, 5.0, "", None)) == "5"


def test_names_count_in_display_order_and_place_the_middle() -> None:
    origins = np.array([[0, 0, -10.0], [0, 0, -8.0], [0, 0, -6.0]])
    names = stack_names(Geometry((3, 4, 4), origins, pixel_spacing=(1.0, 1.0)))
    assert names.numbers == (3, 2, 1)  # head first
    assert names.places == ("z -10.0 mm", "z -8.0 mm", "z -6.0 mm")


def test_a_tilted_slice_is_placed_by_its_middle() -> None:
    tilt = np.deg2rad(20)
    column = (0.0, float(np.cos(tilt)), float(np.sin(tilt)))
    geometry = Geometry((1, 101, 101), np.zeros((1, 3)), (1.0, 0.0, 0.0), column, (1.0, 1.0))
    assert stack_names(geometry).places == (f"z {50 * np.sin(tilt):.1f} mm",)


def test_oblique_and_unplaced_stacks() -> None:
    s = float(np.sqrt(0.5))
    geometry = Geometry((1, 4, 4), np.array([[0, 0, 2.0]]), (1.0, 0.0, 0.0), (0.0, s, s), (1.0, 1.0))
    assert stack_names(geometry).places == ("loc 1.4 mm",)
    unplaced = stack_names(Geometry((2, 4, 4), None))
    assert unplaced.places == ("", "")
    assert unplaced.numbers == (1, 2)


def test_flow_breaks_lines_and_keeps_order() -> None:
    assert flow([50, 50, 50], 120, 10) == [[0, 1], [2]]
    assert flow([500, 10], 100, 10) == [[0], [1]]
    assert flow([], 100, 10) == []


def test_labels_never_overlap_and_stay_inside() -> None:
    placer = Placer((0, 0, 100, 100), [(60, 0, 40, 40)])
    boxes = [placer.place((40, 40, 10, 10), (30, 12), 2.0) for _ in range(6)]
    found = [box for box in boxes if box is not None]
    assert len(found) == 3  # one of four corners is taken
    assert not any(overlaps(a, b) for i, a in enumerate(found) for b in [*found[:i], (60, 0, 40, 40)])


def test_labels_avoid_shapes_if_they_can() -> None:
    shapes = [(52.0, 20.0, 40.0, 30.0)]
    assert Placer((0, 0, 100, 100)).place((40, 40, 10, 10), (30, 12), 2.0, shapes) == (8.0, 28.0, 30, 12)
    everywhere = [(0.0, 0.0, 100.0, 100.0)]
    assert Placer((0, 0, 100, 100)).place((40, 40, 10, 10), (30, 12), 2.0, everywhere) is not None


def test_these_modules_need_no_qt() -> None:
    import ctviewer.ui.viewport as package

    for name in ("transform", "scale_bar", "contour", "interaction", "layout", "slice_text"):
        source = (Path(package.__file__).parent / f"{name}.py").read_text(encoding="utf-8")
        assert "PySide6" not in source
