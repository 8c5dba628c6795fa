"""Confusion and figures of slice classes by hand and against torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.training.scores.detection import slice_classes as sc
from ctviewer.training.slice_predictions import SlicePrediction, SlicePredictions

CLASSES = ("Normal", "CP", "NCP")


def told(pairs, patients=None):
    """Predictions of slices with a true class and the answered one."""
    cases = []
    for n, (truth, answer) in enumerate(pairs):
        logits = tuple(1.0 if name == answer else -1.0 for name in CLASSES)
        patient = f"p{n}" if patients is None else patients[n]
        cases.append(SlicePrediction(f"s{n}", "0", patient, "test", truth, logits))
    return SlicePredictions("m 1.0.0", ("background", "ggo"), ("ggo",), CLASSES, "Normal", 0.5, tuple(cases))


def test_figures_are_those_of_torchmetrics():
    import torch
    from torchmetrics.functional import classification as tm

    rng = np.random.default_rng(0)
    pairs = [(CLASSES[a], CLASSES[b if rng.random() < 0.4 else a]) for a, b in rng.integers(0, 3, (60, 2))]
    table = sc.confusions(told(pairs)).sum(axis=0)
    truth = torch.tensor([CLASSES.index(a) for a, _ in pairs])
    answer = torch.tensor([CLASSES.index(b) for _, b in pairs])
    assert (table == tm.multiclass_confusion_matrix(answer, truth, 3).numpy()).all()
    for mine, theirs in (
        (sc.sensitivities, tm.multiclass_recall),
        (sc.precisions, tm.multiclass_precision),
        (sc.f1_scores, tm.multiclass_f1_score),
    ):
        values = mine(table)
        assert values == pytest.approx(theirs(answer, truth, 3, average="none").numpy(), abs=1e-6)
        weighted = float(theirs(answer, truth, 3, average="weighted"))
        assert float(sc.weighted_mean(values, table)) == pytest.approx(weighted, abs=1e-6)


def test_a_class_never_answered_gives_nought_and_one_absent_from_the_truth_is_left_out():
    table = sc.confusions(told([("Normal", "Normal"), ("CP", "Normal"), ("Normal", "NCP")])).sum(axis=0)
    assert sc.precisions(table)[1] == sc.f1_scores(table)[1] == sc.sensitivities(table)[1] == 0.0
    assert np.isnan([sc.sensitivities(table)[2], sc.precisions(table)[2], sc.f1_scores(table)[2]]).all()
    assert float(sc.weighted_mean(sc.sensitivities(table), table)) == pytest.approx(1 / 3)


def test_the_papers_weights():
    assert sc.paper_shares(CLASSES) == (0.45, 0.35, 0.2)
    assert sc.paper_shares(("COVID-19", "control", "common pneumonia")) == (0.2, 0.45, 0.35)
    assert sc.paper_shares(("control", "covid")) is None
    table = sc.confusions(told([("Normal", "Normal"), ("CP", "CP"), ("NCP", "CP")])).sum(axis=0)
    f1 = sc.f1_scores(table)
    assert float(sc.weighted_mean(f1, table, sc.paper_shares(CLASSES))) == pytest.approx(0.45 + 0.35 * 2 / 3)


def test_draws_count_patients_with_all_their_slices():
    predictions = told([("Normal", "Normal"), ("CP", "CP"), ("CP", "NCP")], ["b", "a", "a"])
    table = sc.confusions(predictions)
    drawn = sc.drawn_confusions(np.array([[2.0, 0.0], [1.0, 1.0]]), table)
    assert drawn[0].tolist() == [[0, 0, 0], [0, 2, 2], [0, 0, 0]]
    assert drawn[1].tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]
