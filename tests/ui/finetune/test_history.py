"""Curves of a run: smoothing, steps done twice, thinning, folds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ctviewer.core.events import Progress
from ctviewer.training.events import EpochDone, RunBegun, StepDone
from ctviewer.ui.finetune.history import FoldCurves, RunHistory
from ctviewer.ui.finetune.state import fold_text


def step(number: int, loss: float, fold: int = 0) -> StepDone:
    return StepDone(fold, 1, number, 100, loss, 1e-3, 1.0, None, 0)


def epoch(number: int, fold: int = 0, **metrics: float) -> EpochDone:
    return EpochDone(fold, number, 9, 1.0 / number, 2.0 / number, metrics, number == 2)


def test_the_smoothed_loss_is_the_mean_at_first_and_a_running_mean_later():
    losses = np.random.default_rng(0).normal(size=60)
    curves = FoldCurves()
    for number, loss in enumerate(losses, 1):
        curves.add_step(number, loss)
    steps, raw, smooth = curves.steps
    assert steps.tolist() == list(range(1, 61)) and np.array_equal(raw, losses)
    assert smooth[:10] == pytest.approx(np.cumsum(losses[:10]) / np.arange(1, 11))
    expected = smooth[9]
    for loss in losses[10:]:
        expected = 0.9 * expected + 0.1 * loss
    assert smooth[-1] == pytest.approx(expected)


def test_steps_that_are_done_again_take_the_place_of_what_followed():
    curves, once = FoldCurves(), FoldCurves()
    for number in range(1, 21):
        curves.add_step(number, 1.0 / number)
    for number in range(13, 31):
        curves.add_step(number, 1.0 / number)
    for number in range(1, 31):
        once.add_step(number, 1.0 / number)
    for one, other in zip(curves.steps, once.steps, strict=True):
        assert one.tolist() == other.tolist()


def test_a_loss_that_is_not_finite_leaves_the_smoothed_one_alone():
    curves = FoldCurves()
    for number, loss in enumerate((1.0, math.nan, 1.0), 1):
        curves.add_step(number, loss)
    _, raw, smooth = curves.steps
    assert math.isnan(raw[1]) and smooth.tolist() == [1.0, 1.0, 1.0]


def test_a_long_run_is_thinned_and_keeps_its_ends():
    curves = FoldCurves()
    for number in range(1, 30_001):
        curves.add_step(number, float(number))
    steps, losses, smooth = curves.steps
    assert len(steps) == len(losses) == len(smooth) <= 4001
    assert steps[0] == 1 and steps[-1] == 30_000 and (np.diff(steps) > 0).all() and np.array_equal(steps, losses)


def test_epochs_and_their_figures():
    curves = FoldCurves()
    for one in (epoch(1, auc=0.5), epoch(2, auc=0.7, ap=0.6), epoch(3, auc=0.6), epoch(2, auc=0.8)):
        curves.add_epoch(one)
    number, training, validation = curves.losses
    assert number.tolist() == [1, 2] and training.tolist() == [1.0, 0.5] and validation.tolist() == [2.0, 1.0]
    assert curves.metrics["auc"][1].tolist() == [0.5, 0.8] and "ap" not in curves.metrics
    assert curves.best is not None and curves.best.epoch == 2


def test_the_newest_fold_is_the_current_one():
    history = RunHistory()
    assert history.current.steps[0].size == 0 and history.fold == 0
    assert not history.add(Progress("Reading", 1, 2))
    events = (RunBegun(100, 3, "CPU", "float32", 0, 40, 10, 10), step(1, 1.0), epoch(1), step(1, 0.5, fold=1))
    assert all(history.add(event) for event in events)
    assert history.fold == 1 and history.current.steps[1].tolist() == [0.5] and history.begun.folds == 3
    assert history.folds[0].steps[1].tolist() == [1.0]


def test_folds_in_words():
    assert fold_text(0, 1) == "One training, no folds"
    assert fold_text(1, 11) == "Fold 2 of 11" and fold_text(10, 11) == "Final training (11 of 11)"
