"""Weighted figures against torchmetrics and plain loops, on sets in which studies stand as often as they weigh."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional import classification as tm

from ctviewer.training.scores import weighted


def drawn(seed, n=40, decimals=None):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    scores = np.clip(rng.normal(0.4, 0.2, n) + 0.25 * positive, 0.001, 0.999)
    if decimals is not None:
        scores = np.round(scores, decimals)
    weights = rng.integers(0, 4, (5, n)).astype(float)
    return weights, scores, positive


def repeated(row, scores, positive):
    """The set itself, as torchmetrics takes it: each study as often as it weighs."""
    times = row.astype(int)
    return torch.from_numpy(np.repeat(scores, times)), torch.from_numpy(np.repeat(positive, times)).long()


@pytest.mark.parametrize("decimals", [None, 1])  # with one decimal most scores are tied
@pytest.mark.parametrize("seed", range(3))
def test_each_draw_is_what_torchmetrics_says_of_the_set_drawn(seed, decimals):
    weights, scores, positive = drawn(seed, decimals=decimals)
    auc, ap = weighted.auc_roc(weights, scores, positive), weighted.average_precision(weights, scores, positive)
    area = weighted.auc_pr(weights, scores, positive)
    for i, row in enumerate(weights):
        p, y = repeated(row, scores, positive)
        assert auc[i] == pytest.approx(float(tm.binary_auroc(p, y)), abs=1e-6)
        assert ap[i] == pytest.approx(float(tm.binary_average_precision(p, y)), abs=1e-6)
        precision, recall, _ = tm.binary_precision_recall_curve(p, y)
        assert area[i] == pytest.approx(float(-torch.trapezoid(precision, recall)), abs=1e-6)


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    weights, scores, positive = drawn(7, decimals=1)
    won = total = 0.0
    for i in np.flatnonzero(positive):
        for j in np.flatnonzero(~positive):
            pair = weights[0, i] * weights[0, j]
            total += pair
            won += pair * (1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0)
    assert weighted.auc_roc(weights, scores, positive)[0] == pytest.approx(won / total)


def test_calibration_error_against_torchmetrics_and_a_loop():
    weights, scores, positive = drawn(3)
    found = weighted.calibration_error(weights, scores, positive)
    for i, row in enumerate(weights):
        p, y = repeated(row, scores, positive)
        said = tm.binary_calibration_error(p.contiguous(), y, n_bins=weighted.BINS, norm="l1")
        assert found[i] == pytest.approx(float(said), abs=1e-6)
        total = 0.0
        for k in range(10):
            inside = (scores >= k / 10) & (scores < (k + 1) / 10)
            n = row[inside].sum()
            if n:
                mean, share = (row * scores)[inside].sum() / n, (row * positive)[inside].sum() / n
                total += n / row.sum() * abs(mean - share)
        assert found[i] == pytest.approx(total)


def test_probabilities_of_one_and_on_edges_have_a_bin():
    assert weighted.bin_of(np.array([0.0, 0.05, 0.1, 0.999, 1.0])).tolist() == [0, 0, 1, 9, 9]


def test_shares_and_means_are_weighted():
    weights = np.array([[1.0, 2.0, 0.0, 1.0]])
    called, among = np.array([True, False, True, True]), np.array([True, True, True, False])
    assert weighted.share(weights, called, among)[0] == pytest.approx(1 / 3)
    assert weighted.mean(weights, np.array([1.0, 2.0, 9.0, 3.0]))[0] == pytest.approx(2.0)


def test_what_is_not_defined_is_nan():
    weights, scores = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]), np.array([0.1, 0.6, 0.7])
    positive = np.array([False, False, True])  # the first draw has no positives
    for figure in (weighted.auc_roc, weighted.average_precision, weighted.auc_pr):
        found = figure(weights, scores, positive)
        assert np.isnan(found[0]) and found[1] == pytest.approx(1.0)
    assert np.isnan(weighted.share(weights, positive, positive)[0])


def test_a_model_that_is_right_has_the_calibration_error_that_chance_gives():
    rng = np.random.default_rng(5)
    scores = rng.random(80)
    errors = []
    for _ in range(300):
        truth = rng.random(80) < scores
        errors.append(weighted.calibration_error(np.ones((1, 80)), scores, truth)[0])
    assert weighted.chance_error(scores) == pytest.approx(np.mean(errors), rel=0.1)
