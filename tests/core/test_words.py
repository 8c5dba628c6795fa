from __future__ import annotations

import pytest

from ctviewer.core.words import counted, enumerated


@pytest.mark.parametrize(
    ("count", "one", "text"), [(1, "slice", "1 slice"), (2, "slice", "2 slices"), (3, "series", "3 series")]
)
def test_counted(count, one, text):
    assert counted(count, one) == text


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_enumerated(words, text):
    assert enumerated(words) == text
