"""How a run ended, in words: no checkpoint is claimed that was never told."""

from __future__ import annotations

import pytest

from ctviewer.training.events import Paused, RunBegun, StepDone
from ctviewer.ui.finetune.ends import SavedState, paused_text, resuming_text
from ctviewer.ui.finetune.history import RunHistory


def history(fold: int, folds: int, step: int) -> RunHistory:
    made = RunHistory()
    made.add(RunBegun(40, folds, "cpu", "float32", 0, 42, 9, 9))
    if step:
        made.add(StepDone(fold, 1, step, 40, 1.0, 1e-3, 1.0, None, 1))
    return made


@pytest.mark.parametrize(
    ("fold", "folds", "step", "saved", "text"),
    [
        (0, 1, 0, None, "Paused before the first step; Resume begins the training."),
        (0, 1, 12, SavedState(0, 12, "14:02"), "Paused at step 12 of 40; checkpoint saved 14:02."),
        (0, 1, 12, SavedState(0, 12), "Paused at step 12 of 40."),
        (2, 11, 0, SavedState(2, 0, "14:02"), "Paused at step 0 of 40, fold 3 of 11; checkpoint saved 14:02."),
        (
            10,
            11,
            7,
            SavedState(10, 7, "14:02"),
            "Paused at step 7 of 40, final training (11 of 11); checkpoint saved 14:02.",
        ),
    ],
)
def test_where_a_paused_run_stands(fold, folds, step, saved, text):
    assert paused_text(Paused(fold, step), history(fold, folds, step), saved) == text


@pytest.mark.parametrize(
    ("fold", "folds", "saved", "text"),
    [
        (0, 1, None, "No checkpoint was written yet; Resume begins the training anew."),
        (0, 1, SavedState(0, 10, "14:02"), "The last checkpoint is of step 10 (14:02); Resume goes on from there."),
        (0, 1, SavedState(0, 10), "The last checkpoint is of step 10; Resume goes on from there."),
        (2, 11, SavedState(1, 40, "14:02"), "Resume begins fold 3 of 11 anew; what was finished before it is kept."),
        (10, 11, None, "Resume begins final training (11 of 11) anew; what was finished before it is kept."),
    ],
)
def test_from_where_a_run_whose_process_died_goes_on(fold, folds, saved, text):
    assert resuming_text(saved, history(fold, folds, 15)) == text
