from __future__ import annotations

import pytest

from ctviewer.core.words import amount_text, counted, duration_text, enumerated, share_text


@pytest.mark.parametrize(
    ("count", "one", "text"),
    [
        (1, "slice", "1 slice"),
        (2, "slice", "2 slices"),
        (3, "series", "3 series"),
        (1, "study", "1 study"),
        (0, "study", "0 studies"),
    ],
)
def test_counted(count, one, text):
    assert counted(count, one) == text


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_enumerated(words, text):
    assert enumerated(words) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "under a minute"),
        (29, "under a minute"),
        (90, "2 min"),
        (3599, "1 h"),
        (12_000, "3 h 20 min"),
        (200_000, "2.3 days"),
    ],
)
def test_times_in_words(seconds, text):
    assert duration_text(seconds) == text


def test_amounts_in_words():
    assert amount_text(850_000_000) == "850 MB" and amount_text(12_500_000_000) == "12.5 GB"


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0 %"), (0.0001, "<0.1 %"), (0.0994, "9.9 %"), (0.0996, "10 %"), (1.0, "100 %")],
)
def test_small_shares_do_not_vanish(share, said):
    assert share_text(share) == said
