"""Windowing against PS3.3 C.11.2.1.2, written a second time as the standard's own pseudo-code, value by value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.windowing import PRESETS, VoiFunction, Window, apply_window, window_lut

LINEAR, EXACT, SIGMOID = VoiFunction.LINEAR, VoiFunction.LINEAR_EXACT, VoiFunction.SIGMOID


def by_the_standard(x: float, window: Window) -> float:
    """The standard's formulas with an output range of 0..1."""
    c, w = window.centre, window.width
    if window.function is SIGMOID:
        return 1 / (1 + math.exp(min(700.0, -4 * (x - c) / w)))
    if window.function is EXACT:
        if x <= c - w / 2:
            return 0.0
        return 1.0 if x > c + w / 2 else (x - c) / w + 0.5
    if x <= c - 0.5 - (w - 1) / 2:
        return 0.0
    return 1.0 if x > c - 0.5 + (w - 1) / 2 else (x - (c - 0.5)) / (w - 1) + 0.5


windows = st.builds(
    Window, st.floats(-2000, 3000), st.one_of(st.just(1.0), st.floats(1.0, 5000)), st.sampled_from(list(VoiFunction))
)


@given(
    windows, st.lists(st.one_of(st.integers(-3000, 5000).map(float), st.floats(-3000, 5000)), min_size=1, max_size=50)
)
def test_each_value_as_the_standard_says(window, values):
    expected = [by_the_standard(x, window) for x in values]
    np.testing.assert_allclose(apply_window(np.array(values), window), expected, atol=1e-9)


def test_the_standards_own_example():
    """PS3.3 C.11.2.1.2.1: centre 2048, width 4096 maps 0..4095 to the whole range."""
    window = Window(2048, 4096)
    np.testing.assert_allclose(apply_window(np.array([0.0, 2047.5, 4095.0]), window), [0, 0.5, 1])
    lut = window_lut(window, 1, 0, signed=False)
    assert lut[0] == 0
    assert lut[4095] == 255
    assert (np.diff(lut[:4096].astype(int)) >= 0).all()


@pytest.mark.parametrize("centre", [0.0, 40.0, -600.5])
def test_width_1_is_a_step(centre):
    edge = centre - 0.5
    values = np.array([edge - 1, edge, np.nextafter(edge, np.inf), edge + 1])
    np.testing.assert_array_equal(apply_window(values, Window(centre, 1)), [0, 0, 1, 1])


def test_linear_and_linear_exact_differ_by_half():
    assert apply_window(np.array([39.5]), Window(40, 400))[0] == pytest.approx(0.5)
    assert apply_window(np.array([40.0]), Window(40, 400, EXACT))[0] == pytest.approx(0.5)


def test_sigmoid_far_out_is_quiet_and_bounded():
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        np.testing.assert_allclose(
            apply_window(np.array([-1e6, 0, 1e6]), Window(0, 1e-3, SIGMOID)), [0, 0.5, 1], atol=1e-12
        )


def test_shape_and_type_are_kept():
    assert apply_window(np.zeros((2, 3, 4), np.float32), PRESETS[0]).shape == (2, 3, 4)
    assert apply_window(np.zeros((2, 3), np.float32), PRESETS[0]).dtype == np.float64


@pytest.mark.parametrize("function", VoiFunction)
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("invert", [True, False])
@pytest.mark.parametrize(
    ("slope", "intercept"), [(1.0, 0.0), (1.0, -1024.0), (1.0002, -1024.5), (-2.0, 100.0), (0.0, 7.0)]
)
def test_table_against_a_loop(function, signed, invert, slope, intercept):
    window = Window(-600, 1500, function)
    table = window_lut(window, slope, intercept, signed=signed, invert=invert)
    assert table.shape == (65536,)
    assert table.dtype == np.uint8
    for stored in (-32768, -1025, -1, 0, 1, 424, 1024, 30000, 32767) if signed else (0, 1, 424, 1024, 32768, 65535):
        grey = by_the_standard(stored * slope + intercept, window) * 255
        level = table[np.uint16(stored & 0xFFFF)]
        assert abs(int(255 - level if invert else level) - grey) <= 0.5 + 1e-6


def test_signed_values_are_looked_up_by_their_bits():
    stored = np.array([[-1000, -1, 0, 1000]], np.int16)
    table = window_lut(Window(0, 2000), 1, 0, signed=True)
    levels = table[stored.view(np.uint16)]
    assert levels[0].tolist() == sorted(levels[0].tolist())
    assert levels[0, 0] == 0


@pytest.mark.parametrize(
    ("centre", "width", "function"),
    [
        (40, 0.5, LINEAR),
        (40, 0, LINEAR),
        (40, -1, EXACT),
        (40, 0, SIGMOID),
        (math.nan, 400, LINEAR),
        (40, math.nan, LINEAR),
        (math.inf, 400, LINEAR),
        (40, math.inf, EXACT),
    ],
)
def test_senseless_windows_are_not_built(centre, width, function):
    with pytest.raises(ValueError, match="not valid"):
        Window(centre, width, function)


def test_narrow_windows_of_the_other_functions():
    assert Window(0, 0.1, EXACT).width == 0.1


def test_presets_are_those_of_reading_room_md():
    assert [(p.name.lower(), p.width, p.centre) for p in PRESETS] == [
        ("lung", 1500, -600),
        ("mediastinum", 400, 40),
        ("abdomen", 350, 40),
        ("bone", 2000, 350),
        ("brain", 80, 40),
        ("liver", 150, 90),
    ]
