"""What an analysis says, and when it must not say that a slice stands out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.findings import (
    RESEARCH_USE,
    UNVERIFIED,
    Check,
    Instance,
    Lesion,
    ModelInfo,
    SliceScore,
    StudyClassification,
    Suitability,
)
from ctviewer.core.masks import BoxMask


def classification(weights, probabilities=(0.1, 0.9), negative="normal", threshold=0.5, score=SliceScore.ATTENTION):
    """An answer of a classifier with the classes normal, infection-like, ..."""
    classes = ("normal", "infection-like", "third")[: len(probabilities)]
    model = ModelInfo("m", "1.0.0", "study_classifier", "00", classes, "trained on phantoms only", "none", "none")
    return StudyClassification(model, tuple(probabilities), negative, threshold, score, np.asarray(weights, float))


def peaked(n: int, factor: float) -> np.ndarray:
    """Uniform but for one slice, whose bar is `factor`."""
    weights = np.full(n, (1 - factor / n) / (n - 1))
    weights[n // 2] = factor / n
    return weights


def test_finding_probability_is_what_is_not_negative():
    assert classification([1.0], (0.2, 0.5, 0.3)).finding_probability == pytest.approx(0.8)


@pytest.mark.parametrize("negative", ["", "not a class"])
def test_without_a_negative_class_the_highest_counts(negative):
    assert classification([1.0], (0.2, 0.5, 0.3), negative).finding_probability == 0.5


def test_top_class():
    assert classification([1.0], (0.2, 0.3, 0.5)).top_class == "third"


def test_bars_are_multiples_of_uniform():
    np.testing.assert_allclose(classification([0.25] * 4).bar_lengths, 1.0)
    np.testing.assert_allclose(classification([0.5, 0.25, 0.25, 0.0]).bar_lengths, [2, 1, 1, 0])


def test_bars_count_only_slices_looked_at():
    bars = classification([0.5, np.nan, 0.5, np.nan]).bar_lengths
    np.testing.assert_allclose(bars, [1, np.nan, 1, np.nan])


def test_probabilities_are_bars_as_they_are():
    np.testing.assert_array_equal(classification([0.9, 0.1], score=SliceScore.PROBABILITY).bar_lengths, [0.9, 0.1])


@pytest.mark.parametrize(
    ("weights", "stands_out"),
    [
        (np.full(100, 0.01), False),
        (peaked(100, 1.9), False),
        (peaked(100, 2.1), True),
        (peaked(100, 50), True),
        (np.r_[np.full(50, 0.0196), np.full(50, 0.0004)], True),  # half of the slices: low entropy, no bar over 2
        ([1.0], True),
        ([np.nan, 1.0, np.nan], True),
        (np.r_[np.full(100, 0.01), [np.nan] * 50], False),  # not looked at is not "no attention"
    ],
)
def test_when_a_slice_stands_out(weights, stands_out):
    assert classification(weights).stands_out is stands_out


@pytest.mark.parametrize(("probability", "stands_out"), [(0.49, False), (0.5, True), (0.51, True)])
def test_nothing_stands_out_below_the_threshold(probability, stands_out):
    assert classification(peaked(100, 50), (1 - probability, probability)).stands_out is stands_out


def test_slice_probabilities_stand_out_in_a_positive_study():
    assert classification([0.5] * 4, score=SliceScore.PROBABILITY).stands_out
    assert not classification([0.5] * 4, (0.9, 0.1), score=SliceScore.PROBABILITY).stands_out


def test_ranking_falls_keeps_ties_in_order_and_leaves_out_what_was_not_seen():
    assert classification([0.1, np.nan, 0.4, 0.1, 0.4, 0.0]).ranking().tolist() == [2, 4, 0, 3, 5]
    assert classification([np.nan, np.nan]).ranking().tolist() == []


@given(st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=50))
def test_ranking_is_sorted(weights):
    ranking = classification(weights).ranking()
    ranked = np.asarray(weights, float)[ranking]
    assert (np.diff(ranked) <= 0).all()
    assert set(ranking) == {i for i, w in enumerate(weights) if np.isfinite(w)}


def test_suitability():
    checks = (Check("a", "ok", "fine"), Check("b", "warn", "Thick slices."), Check("c", "abstain", "No CT."))
    assert Suitability(checks).abstains
    assert Suitability(checks).warnings == ("Thick slices.",)
    assert Suitability(checks).reasons == ("No CT.",)
    assert not Suitability(checks[:2]).abstains
    assert not Suitability(()).abstains


def instance(index: int, area: int) -> Instance:
    """A row of `area` pixels on a slice."""
    return Instance(index, "GGO", 0.5, BoxMask.from_array(np.ones((1, area), bool)))


def test_lesion_slices_and_its_largest():
    lesion = Lesion(1, "GGO", 0.9, (instance(5, 3), instance(3, 4), instance(5, 2)), None, None, None)
    assert lesion.slices == (3, 5)
    assert lesion.largest_slice == 5, "two outlines on one slice count together"


def test_the_first_of_equal_slices_is_the_largest():
    assert Lesion(1, "GGO", 0.9, (instance(7, 3), instance(2, 3)), None, None, None).largest_slice == 2


def test_the_two_statements():
    assert RESEARCH_USE == "For research use, not a medical device."
    assert UNVERIFIED == "AI output, not verified"
