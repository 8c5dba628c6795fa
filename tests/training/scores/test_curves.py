"""Curves against torchmetrics, intervals of shares against SciPy, tables against counting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from torchmetrics.functional import classification as tm

from ctviewer.training.scores.curves import confusion, curves, reliability, wilson
from ctviewer.training.scores.targets import Target, answers, targets


@pytest.mark.parametrize("rounded", [None, 0])
def test_the_roc_curve_is_torchmetrics_without_what_lies_on_straight_lines(predictions_of, rounded):
    for target in targets(predictions_of(rounded=rounded)):
        made = curves(target)
        x, y, _ = tm.binary_roc(torch.from_numpy(target.scores), torch.from_numpy(target.positive).long())
        points = np.array(made.roc)
        assert (np.diff(points, axis=0) >= 0).all()
        area = np.trapezoid(points[:, 1], points[:, 0])
        assert area == pytest.approx(float(torch.trapezoid(y, x)), abs=1e-6)
        told = {(round(float(a), 5), round(float(b), 5)) for a, b in zip(x, y, strict=True)}
        assert {(round(a, 5), round(b, 5)) for a, b in made.roc} <= told


def test_precision_over_recall_is_torchmetrics(predictions_of):
    target = targets(predictions_of(rounded=1))[2]
    precision, recall, _ = tm.binary_precision_recall_curve(
        torch.from_numpy(target.scores), torch.from_numpy(target.positive).long()
    )
    told = sorted((round(float(r), 5), round(float(p), 5)) for r, p in zip(recall, precision, strict=True))
    assert sorted((round(r, 5), round(p, 5)) for r, p in curves(target).precision_recall) == told


def test_the_model_works_at_its_own_sensitivity_and_specificity(predictions_of):
    target = targets(predictions_of())[0]
    x, y = curves(target).answered
    assert x == pytest.approx(np.mean(target.called[~target.positive]))
    assert y == pytest.approx(np.mean(target.called[target.positive]))


def test_no_curve_without_both_sides():
    yes = np.ones(3, bool)
    assert curves(Target("x", np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.2, 0.3]), yes, yes)) is None


def test_reliability_counts_every_study_once(predictions_of):
    target = targets(predictions_of(studies=100))[0]
    bins = reliability(target).bins
    assert sum(one.studies for one in bins) == 100 and all(one.studies for one in bins)
    for one in bins:
        inside = (target.scores >= one.low) & (target.scores < one.high)
        assert one.studies == inside.sum()
        assert one.probability == pytest.approx(target.scores[inside].mean())
        assert one.share == pytest.approx(target.positive[inside].mean())
        assert 0 <= one.share_low <= one.share <= one.share_high <= 1


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (5, 5), (3, 11), (40, 200)])
def test_wilson_is_scipys(hits, n):
    told = binomtest(hits, n).proportion_ci(0.95, "wilson")
    assert wilson(hits, n) == (pytest.approx(told.low, abs=1e-9), pytest.approx(told.high, abs=1e-9))


def test_confusion_counts_truth_by_row(predictions_of):
    made = predictions_of()
    table, said = confusion(made), answers(made)
    for i, true in enumerate(made.classes):
        for j in range(3):
            n = sum(case.truth == (true,) and said[k, j] for k, case in enumerate(made.cases))
            assert table.studies[i][j] == n
    assert confusion(predictions_of(exclusive=False)) is None
