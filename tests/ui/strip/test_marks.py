import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.findings import SliceScore
from ctviewer.ui.strip.data import StripData
from ctviewer.ui.strip.marks import ruler_labels, spread


@given(st.lists(st.floats(0, 500), max_size=6))
def test_labels_are_spread_in_order_and_inside(centres):
    placed = spread(centres, 12, 6, 506)
    ordered = [placed[k] for k in sorted(range(len(centres)), key=lambda k: centres[k])]
    assert all(b - a >= 12 - 1e-6 for a, b in itertools.pairwise(ordered))
    assert all(6 - 1e-6 <= p <= 506 + 1e-6 for p in placed)


def test_labels_with_room_stay_where_they_belong():
    assert spread([100.0, 50.0, 400.0], 12, 0, 500) == [100.0, 50.0, 400.0]


def test_a_crowd_is_spread_around_its_middle():
    assert spread([100.0, 100.0], 12, 0, 500) == [94.0, 106.0]


@pytest.mark.parametrize("count", [1, 2, 3, 40, 148, 800, 3000])
@pytest.mark.parametrize("height", [100, 590, 1400])
def test_the_ruler_names_both_ends_and_round_numbers_without_overlap(count, height):
    labels = ruler_labels(count, height)
    assert labels[0] == 0
    assert labels[-1] == count - 1
    inner = labels[1:-1]
    assert all((p + 1) % (inner[0] + 1) == 0 for p in inner)
    rows = [p * height / count for p in labels]
    assert count <= 2 or all(b - a >= 20 for a, b in itertools.pairwise(rows))


@pytest.mark.parametrize(
    ("score", "title"),
    [(SliceScore.ATTENTION, "Attention"), (SliceScore.PROBABILITY, "Probability"), (SliceScore.NONE, "")],
)
def test_only_attention_is_called_attention(score, title):
    assert StripData(count=3, score=score).title == title
