from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.units import unit_text
from ctviewer.core.windowing import VoiFunction, VoiTable, Window, apply_window, as_window, preset_for, window_lut


def table(first: int, values, bits: int = 8, name: str = "") -> VoiTable:
    return VoiTable(first, bits, np.asarray(values, "<u2").tobytes(), name)


def test_each_value_takes_its_entry_and_the_ends_go_on():
    voi = table(-2, [10, 20, 30, 255])
    grey = apply_window(np.array([-1e9, -3, -2, -1, 0, 1, 2, 1e9]), voi)
    assert (grey * 255).tolist() == pytest.approx([10, 10, 10, 20, 30, 255, 255, 255])


def test_values_between_whole_ones_take_the_nearest():
    assert (apply_window(np.array([0.4, 0.6, 1.4]), table(0, [0, 100, 200])) * 255).round().tolist() == [0, 100, 100]


@given(
    st.integers(-40000, 70000),
    st.lists(st.integers(0, 4095), min_size=1, max_size=40),
    st.sampled_from([1.0, 1.0002, -2.0, 0.5, 1e6]),
    st.floats(-2000, 2000),
    st.booleans(),
)
def test_the_drawing_table_against_a_loop(first, values, slope, intercept, signed):
    lut = window_lut(table(first, values, 12), slope, intercept, signed=signed)
    for stored in (-32768, -1, 0, 1, 1000, 32767) if signed else (0, 1, 1000, 40000, 65535):
        place = int(np.rint(stored * slope + intercept)) - first
        entry = values[min(max(place, 0), len(values) - 1)]
        assert lut[stored & 0xFFFF] == np.rint(entry / 4095 * 255)


def test_a_drag_starts_from_the_range_in_which_it_changes():
    flat = [0] * 100 + list(range(1, 101)) + [100] * 50
    window = as_window(table(-1000, flat, 8))
    assert (window.centre - window.width / 2, window.width, window.function) == (-901, 101, VoiFunction.LINEAR)
    assert as_window(Window(1, 2)) == Window(1, 2)
    assert as_window(table(0, [7, 7, 7])).width == 3


def test_equal_tables_are_equal_and_can_be_keys():
    assert table(0, [1, 2], name="A") == table(0, [1, 2], name="A")
    assert len({table(0, [1, 2]), table(0, [1, 2]), table(0, [1, 3])}) == 2
    with pytest.raises(ValueError, match="read-only"):
        table(0, [1]).values[0] = 3


@pytest.mark.parametrize(("bits", "entries"), [(8, b""), (8, b"\0"), (0, b"\0\0"), (17, b"\0\0")])
def test_senseless_tables_are_not_built(bits, entries):
    with pytest.raises(ValueError, match="table"):
        VoiTable(0, bits, entries)


@pytest.mark.parametrize(("centre", "width"), [(1e300, 400), (40, 1e300), (-1e13, 400)])
def test_absurd_windows_are_not_built(centre, width):
    with pytest.raises(ValueError, match="not valid"):
        Window(centre, width)


def test_body_parts():
    assert [preset_for(part).name for part in ("", "Chest", "HEAD", "LSPINE", "LIVER", "something")] == [
        *("Lung", "Lung", "Brain", "Bone", "Liver", "Lung"),
    ]


@pytest.mark.parametrize(("unit", "shown"), [("HU", "HU"), ("BQML", "Bq/mL"), ("MGML", "mg/mL"), ("", ""), ("x", "x")])
def test_units_in_words(unit, shown):
    assert unit_text(unit) == shown
