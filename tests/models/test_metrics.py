"""Figures against loops written from their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.models.metrics import auc_roc, bootstrap

pairs = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=25)


@given(pairs)
def test_auc_is_the_share_of_pairs_in_order(data: list[tuple[int, bool]]) -> None:
    scores, positive = np.array([s for s, _ in data], float), np.array([p for _, p in data])
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in scores[positive] for b in scores[~positive]]
    value = auc_roc(scores, positive)
    assert math.isnan(value) if not wins else value == pytest.approx(sum(wins) / len(wins))


def test_bootstrap_resamples_groups() -> None:
    rng = np.random.default_rng(0)
    groups = [[float(v)] * 10 for v in rng.normal(0, 1, 100)]  # ten equal values each: they count once

    def mean(picked: object) -> float:
        return float(np.mean(picked))  # type: ignore[arg-type]

    low, high = bootstrap(groups, mean)
    assert low is not None and high is not None and low < mean(groups) < high
    assert high - low == pytest.approx(2 * 1.96 * np.std([g[0] for g in groups]) / 10, rel=0.15)
    assert bootstrap(groups, mean) == (low, high)


def test_bootstrap_says_nothing_where_nothing_can_be_said() -> None:
    assert bootstrap([1.0], lambda g: g[0]) == (None, None)
    assert bootstrap([1.0, 2.0], lambda _: math.nan) == (None, None)
