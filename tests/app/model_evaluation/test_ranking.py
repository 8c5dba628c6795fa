"""Rankings against plain loops, and the classical score on a phantom whose lesions are known."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.app.model_evaluation.dense_lung import DENSE_HU, dense_fractions, lungs_of
from ctviewer.app.model_evaluation.ranking import outer_tenths, position_scores, ranked
from ctviewer.datasets.phantom import Family, PhantomSpec, Variant, generate
from ctviewer.datasets.sources import phantom_volume


def test_figures_of_a_ranking_are_those_of_plain_loops():
    rng = np.random.default_rng(3)
    scores, infected = rng.integers(0, 8, 30).astype(float), rng.random(30) < 0.4
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in scores[infected] for b in scores[~infected]]
    order = sorted(range(30), key=lambda i: (-scores[i], i))
    found = ranked(scores, infected)
    assert found["AUC-ROC"] == pytest.approx(sum(wins) / len(wins))
    for count in (4, 10, 20):
        share = sum(bool(infected[i]) for i in order[:count]) / count
        assert found[f"infected among the top {count}"] == pytest.approx(share)


def test_slices_that_were_not_looked_at_are_left_out_and_what_is_undefined_is_not_given():
    scores, infected = np.array([5.0, np.nan, 1.0, 3.0, 2.0]), np.array([True, True, False, False, True])
    assert ranked(scores, infected) == ranked(scores[[0, 2, 3, 4]], infected[[0, 2, 3, 4]])
    assert set(ranked(scores, np.zeros(5, bool))) == {"infected among the top 4"}
    assert ranked(np.full(5, np.nan), infected) == {}


def test_positions_rank_as_they_say():
    lung = np.array([False, True, True, True, True, False, False, False])
    found = position_scores(8, lung)
    assert int(np.argmax(found["slice position, towards the feet"])) == 7
    middle = found["slice position, near the middle of the scan"]
    assert middle[3] == middle[4] == middle.max()
    of_lungs = found["slice position, near the middle of the lungs"]
    assert of_lungs[2] == of_lungs[3] == of_lungs.max()
    assert len(position_scores(8, np.zeros(8, bool))) == 2


def test_outer_tenths_are_of_what_was_looked_at():
    weights = np.full(40, 1 / 38)
    weights[[0, 39]] = np.nan
    assert outer_tenths(weights) == pytest.approx((4 / 38, 4 / 38))
    assert outer_tenths(np.array([0.7, 0.1, 0.2])) == pytest.approx((0.7, 0.2))


@pytest.fixture(scope="module")
def ill():
    return generate(PhantomSpec(71_001, Variant.COVID, Family.A, matrix=128, slices=16))


def test_the_lung_is_found_with_what_is_dense_in_it(ill):
    found, truth = lungs_of(phantom_volume(ill)), ill.labels > 0
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9
    assert (found & (ill.labels >= 2)).sum() > 0.6 * (ill.labels >= 2).sum()


def test_the_dense_fraction_is_that_of_a_plain_loop_and_ranks_infected_slices(ill):
    volume = phantom_volume(ill)
    lungs = lungs_of(volume)
    found = dense_fractions(volume, lungs)
    pixel = volume.geometry.pixel_spacing[0]
    assert pixel > 2.0  # the opening is by a cross of five pixels
    for i in (4, 8, 11):
        hu, lung = volume.hu(i), lungs[i]
        dense = np.pad(lung & (hu > DENSE_HU[0]) & (hu < DENSE_HU[1]), 1)
        near = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)]
        core = np.all([np.roll(dense, by, (0, 1)) for by in near], axis=0)
        opened = np.any([np.roll(core, by, (0, 1)) for by in near], axis=0)
        assert found[i] == pytest.approx(opened.sum() / lung.sum())
    order = volume.geometry.display_order
    assert ranked(found[order], ill.infected_slices[order])["AUC-ROC"] > 0.8


def test_without_lungs_there_is_no_dense_fraction(volume_of):
    volume = volume_of(np.full((4, 64, 64), 40, np.int16))
    lungs = lungs_of(volume)
    assert not lungs.any() and not dense_fractions(volume, lungs).any()
