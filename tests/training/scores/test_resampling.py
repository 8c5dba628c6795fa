"""The bootstrap: whole patients, the same for two models, intervals that shrink with patients and not with studies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from ctviewer.training.scores import resampling
from ctviewer.training.scores.resampling import draws_of_patients, exact_interval, interval, resampled


def all_draws(patients, draws=50, seed=0):
    return np.concatenate(list(draws_of_patients(patients, draws, seed)))


def test_studies_of_a_patient_come_together_and_as_many_patients_are_drawn_as_there_are():
    patients = ("b", "a", "b", "c", "a", "d")
    weights = all_draws(patients)
    assert weights.shape == (50, 6)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 1], weights[:, 4])
    np.testing.assert_array_equal(weights[:, [0, 1, 3, 5]].sum(axis=1), np.full(50, 4))
    assert len(np.unique(weights, axis=0)) > 20


def test_draws_depend_on_the_seed_alone_and_not_on_how_they_are_shared_out(monkeypatch):
    patients = tuple(f"p{i % 7}" for i in range(20))
    once = all_draws(patients)
    np.testing.assert_array_equal(once, all_draws(patients))
    assert (once != all_draws(patients, seed=1)).any()
    monkeypatch.setattr(resampling, "_VALUES_AT_ONCE", 60)  # three draws at a time
    np.testing.assert_array_equal(once, all_draws(patients))


def test_copies_of_studies_make_no_interval_narrower():
    rng = np.random.default_rng(0)
    values = rng.normal(size=40)

    def width(copies):
        patients = tuple(f"p{i}" for i in range(40) for _ in range(copies))
        each = np.repeat(values, copies)
        drawn = resampled([lambda w: w @ each / w.sum(axis=1)], patients, 2000)[0]
        low, high = interval(drawn, len(set(patients)))
        return high - low

    assert width(5) == pytest.approx(width(1), rel=1e-9)
    standard_error = values.std() / np.sqrt(40)
    assert width(1) == pytest.approx(2 * 1.96 * standard_error, rel=0.08)


def test_no_interval_where_nothing_moves_or_most_is_unknown():
    assert interval(np.full(100, 0.7), 9) is None
    assert interval(np.array([np.nan] * 60 + [0.1, 0.2] * 20), 9) is None
    assert interval(np.array([np.nan] * 40 + [0.1, 0.2] * 30), 5) == (0.1, 0.2)
    assert interval(np.array([np.nan] * 40 + [0.1, 0.2] * 30), 4) is None, "so few say nothing of others"


@pytest.mark.parametrize("trials", [1, 7, 40])
def test_the_exact_interval_is_clopper_and_pearsons(trials):
    low, high = exact_interval(trials, trials)
    assert (low, high) == (pytest.approx(beta.ppf(0.025, trials, 1)), 1.0)
    low, high = exact_interval(0, trials)
    assert (low, high) == (0.0, pytest.approx(beta.ppf(0.975, 1, trials)))


def test_the_exact_interval_is_for_shares_of_zero_and_one():
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        exact_interval(1, 3)
