"""What is for training only is learned from in every fold and in the final training, and judged by nowhere."""

from __future__ import annotations

import pytest

from ctviewer.training.config import DataConfig
from ctviewer.training.engine import plans
from ctviewer.training.events import StepDone
from ctviewer.training.predictions_file import read_predictions
from ctviewer.training.splits import TRAIN_ONLY, Split

pytestmark = pytest.mark.usefixtures("no_figures")

MARKED = ("s0", "s3")


@pytest.fixture
def marked(labelled):
    """Twelve studies, two of which carry labels that a model gave."""
    source = labelled(12, slices=2)
    source.split = lambda study: TRAIN_ONLY if study in MARKED else ""
    return source


def test_no_fold_tests_or_chooses_by_them(marked):
    cases = plans.cases_of(marked, Split(marked.ids()))
    folds = plans.folds_of(cases, DataConfig("", folds=3, repeats=2), 5)
    assert len(folds) == 6
    for fold in folds:
        assert set(MARKED) <= set(fold.train)
    assert {study for fold in folds for study in fold.test} == set(marked.ids()) - set(MARKED)


def test_a_cross_validated_run_never_judges_by_them_and_learns_from_them_at_the_end(inputs, small_config, marked, said):
    data = {"cross_validation": "always", "folds": 3, "repeats": 1}
    wanted = inputs(small_config(epochs=1, batch=1, data=data), marked, Split(marked.ids()))
    done = said(wanted)
    judged = read_predictions(wanted.folder / "predictions.json").of("cross-validation")
    assert sorted(case.study for case in judged.cases) == sorted(set(marked.ids()) - set(MARKED))
    final = [event for event in done.of(StepDone) if event.fold == 3]
    assert len(final) == 12, "one study a step: all of them"
