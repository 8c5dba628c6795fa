"""Figures against loops written from their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.models.metrics import auc_roc, average_precision, bootstrap, detection_ap, dice, iou, match

pairs = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=25)


@given(pairs)
def test_auc_is_the_share_of_pairs_in_order(data: list[tuple[int, bool]]) -> None:
    scores, positive = np.array([s for s, _ in data], float), np.array([p for _, p in data])
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in scores[positive] for b in scores[~positive]]
    value = auc_roc(scores, positive)
    assert math.isnan(value) if not wins else value == pytest.approx(sum(wins) / len(wins))


@given(pairs)
def test_average_precision_is_the_step_sum(data: list[tuple[int, bool]]) -> None:
    scores, positive = np.array([s for s, _ in data], float), np.array([p for _, p in data])
    expected, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        called = scores >= threshold
        hits = (called & positive).sum()
        recall = hits / max(1, positive.sum())
        expected += (recall - before) * hits / called.sum()
        before = recall
    value = average_precision(scores, positive)
    assert math.isnan(value) if not positive.any() else value == pytest.approx(expected)


def test_overlap_of_masks() -> None:
    a, b = np.zeros((2, 4), bool), np.zeros((2, 4), bool)
    assert math.isnan(dice(a, b)) and math.isnan(iou(a, b))
    a[0, :3] = b[0, 1:] = True
    assert dice(a, b) == pytest.approx(2 * 2 / 6) and iou(a, b) == pytest.approx(2 / 4)


def test_each_truth_is_matched_once_and_the_best_first() -> None:
    scores = np.array([0.5, 0.9, 0.8])
    overlaps = np.array([[0.9, 0.0], [0.6, 0.55], [0.7, 0.4]])
    assert match(scores, overlaps, 0.5).tolist() == [False, True, False]  # 0.9 took the first truth
    assert match(scores, overlaps, 0.65).tolist() == [False, False, True]
    assert match(scores, np.zeros((3, 0)), 0.5).tolist() == [False, False, False]


def test_detection_ap_of_known_cases() -> None:
    one = np.ones((1, 1))
    assert detection_ap([(np.array([0.9]), one)], 0.5) == 1.0
    assert math.isnan(detection_ap([(np.array([0.9]), np.zeros((1, 0)))], 0.5))
    assert detection_ap([(np.zeros(0), np.zeros((0, 2)))], 0.5) == 0.0
    # a false one above, then a true one: precision 1/2 at every recall up to 1
    assert detection_ap([(np.array([0.9, 0.8]), np.array([[0.0], [0.9]]))], 0.5) == pytest.approx(0.5)
    # half of the truths found: 51 of the 101 recalls
    assert detection_ap([(np.array([0.9]), np.array([[0.9, 0.0]]))], 0.5) == pytest.approx(51 / 101)


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
