import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.ui.strip.rows import RowMap

sizes = st.tuples(st.integers(1, 1200), st.integers(1, 900))


@given(sizes)
def test_every_row_and_every_slice_is_used_in_order(size):
    rows = RowMap(*size)
    shown = [position for y in range(rows.height) for position in rows.slices(y)]
    assert sorted(set(shown)) == list(range(rows.count))
    assert shown == sorted(shown)
    assert all(len(rows.slices(y)) >= 1 for y in range(rows.height))


@given(sizes, st.data())
def test_a_slice_is_found_at_its_own_rows(size, data):
    rows = RowMap(*size)
    position = data.draw(st.integers(0, rows.count - 1))
    assert len(rows.rows(position)) >= 1
    assert all(position in rows.slices(y) for y in rows.rows(position))
    assert rows.rows(position).start <= rows.centre(position) <= rows.rows(position).stop


def test_rows_outside_are_the_nearest_ones():
    rows = RowMap(40, 400)
    assert list(rows.slices(-5)) == [0]
    assert list(rows.slices(9999)) == [39]


def test_a_crowded_row_shows_its_maximum_and_leads_to_it():
    rows = RowMap(800, 200)
    values = np.zeros(800)
    values[402] = 5.0
    values[401] = np.nan
    row = next(y for y in range(200) if 402 in rows.slices(y))
    drawn = {r.start: v for r, v in rows.maxima(values)}
    assert drawn[row] == 5.0
    assert sum(v > 0 for v in drawn.values()) == 1
    assert rows.strongest(row, values) == 402


def test_a_row_nobody_looked_at_is_nan_and_leads_to_its_middle():
    rows = RowMap(800, 200)
    values = np.full(800, np.nan)
    assert all(np.isnan(v) for _, v in rows.maxima(values))
    assert rows.strongest(10, values, None) == 42


def test_the_second_values_speak_where_the_first_are_silent():
    rows = RowMap(800, 200)
    area = np.zeros(800)
    area[41] = 12.0
    assert rows.strongest(10, np.full(800, np.nan), area) == 41
    assert rows.strongest(10, None, area) == 41
