"""Figures of a set: torchmetrics' values, intervals over patients, and nothing where there is too little to say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torchmetrics.functional import classification as tm

from ctviewer.core.errors import InputError
from ctviewer.training.evaluation import evaluate, examine
from ctviewer.training.scores.figures import AREAS, figures
from ctviewer.training.scores.targets import targets


def by_name(metrics):
    return {one.name: one for one in metrics}


def test_values_are_those_of_torchmetrics(predictions_of):
    made = predictions_of(studies=120)
    found = by_name(evaluate(made))
    logits, truth = torch.from_numpy(made.logits), torch.from_numpy(made.truth).int().argmax(dim=1)
    p = logits.softmax(dim=1)
    auc = tm.multiclass_auroc(p, truth, 3, average="none")
    ap = tm.multiclass_average_precision(p, truth, 3, average="none")
    for i, name in enumerate(made.classes):
        assert found[f"AUC-ROC, {name}"].value == pytest.approx(float(auc[i]), abs=1e-5)
        assert found[f"AP, {name}"].value == pytest.approx(float(ap[i]), abs=1e-5)
    nll = torch.nn.functional.cross_entropy(logits, truth)
    assert found["log loss"].value == pytest.approx(float(nll), abs=1e-5)


@pytest.mark.parametrize("exclusive", [True, False])
def test_the_figures_that_are_resampled_are_those_that_are_given(predictions_of, exclusive):
    made = predictions_of(studies=150, exclusive=exclusive, rounded=1)
    given = by_name(evaluate(made, draws=20))
    for figure in figures(made):
        assert figure.value(150) == pytest.approx(given[figure.name].value, abs=1e-5), figure.name
    assert ("accuracy" in given) is exclusive


def test_sensitivity_and_specificity_are_of_the_answer_at_the_threshold(predictions_of):
    made = predictions_of(threshold=0.7)
    finding = 1 - np.exp(made.logits[:, 0]) / np.exp(made.logits).sum(axis=1)
    sick = np.array([case.truth != ("clear",) for case in made.cases])
    found = by_name(evaluate(made, draws=20))
    assert found["sensitivity, any finding"].value == pytest.approx((finding[sick] >= 0.7).mean(), abs=1e-6)
    assert found["specificity, any finding"].value == pytest.approx((finding[~sick] < 0.7).mean(), abs=1e-6)
    assert found["sensitivity, any finding"].n == len({c.patient for c in made.cases if c.truth != ("clear",)})


def test_log_loss_of_labels_that_do_not_exclude_each_other(predictions_of):
    made = predictions_of(exclusive=False)
    told = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.from_numpy(made.logits), torch.from_numpy(made.truth).double()
    )
    assert by_name(evaluate(made, draws=20))["log loss"].value == pytest.approx(float(told), abs=1e-5)


def test_intervals_are_over_patients(predictions_of):
    """Four copies of every study tell no more than one, if they are of the same patient."""
    made = predictions_of(studies=60, share=10**6)
    alone = replace(made, cases=tuple(replace(case, patient=f"p{i}") for i, case in enumerate(made.cases)))
    copied = tuple(replace(case, study=f"{case.study}-{k}") for case in alone.cases for k in range(4))
    once, four = by_name(evaluate(alone)), by_name(evaluate(replace(alone, cases=copied)))
    for name in ("AUC-ROC, any finding", "AP, other", "sensitivity, clear", "ECE, infection", "log loss"):
        assert four[name].value == pytest.approx(once[name].value, abs=1e-5)
        assert (four[name].low, four[name].high) == (pytest.approx(once[name].low), pytest.approx(once[name].high))
        assert four[name].n == once[name].n


def test_no_area_under_ten_patients_of_a_class(predictions_of):
    made = predictions_of(studies=24, share=10**6)
    made = replace(made, cases=tuple(replace(case, patient=f"p{i}") for i, case in enumerate(made.cases)))
    metrics, notes = evaluate(made, draws=50), examine(made, "test", draws=50).notes
    names = {one.name for one in metrics}
    for target in targets(made):
        few = min(target.positive.sum(), (~target.positive).sum()) < 10
        for area in AREAS:
            assert (f"{area}, {target.name}" in names) is not few
        if few:
            assert any(target.name in note and "10 patients" in note for note in notes)
        assert f"sensitivity, {target.name}" in names
    assert any(min(t.positive.sum(), (~t.positive).sum()) < 10 for t in targets(made))
    assert {f"AUC-ROC, {t.name}" for t in targets(made)} <= {one.name for one in evaluate(made, draws=20, least=1)}


def test_ten_studies_of_nine_patients_are_too_few(predictions_of):
    made = predictions_of(studies=40, classes=("clear", "sick"), share=10**6)
    sick = [case for case in made.cases if case.truth == ("sick",)][:10]
    well = [case for case in made.cases if case.truth == ("clear",)][:12]
    cases = [replace(case, patient=f"p{i}") for i, case in enumerate(sick + well)]
    assert "AUC-ROC, any finding" in by_name(evaluate(replace(made, cases=tuple(cases)), draws=20))
    cases[0] = replace(cases[0], patient="p1")
    assert "AUC-ROC, any finding" not in by_name(evaluate(replace(made, cases=tuple(cases)), draws=20))


def test_a_class_that_the_set_lacks_has_no_figures_that_need_it(predictions_of):
    made = predictions_of(studies=80)
    made = replace(made, cases=tuple(case for case in made.cases if case.truth != ("other",)))
    told = examine(made, "test", draws=50)
    names = {one.name for one in told.metrics}
    assert "specificity, other" in names and "ECE, other" in names
    assert not names & {"sensitivity, other", "AUC-ROC, other", "AP, other", "AUC-PR, other"}
    assert told.classes[2].studies == 0 and "No study of this set shows other" in told.notes[0]
    assert all(np.isfinite(one.value) for one in told.metrics)


def test_a_model_without_mistakes_is_not_taken_for_certain(predictions_of):
    made = predictions_of(studies=60, classes=("clear", "sick"), skill=60.0)
    found = by_name(evaluate(made))
    sensitivity = found["sensitivity, any finding"]
    assert sensitivity.value == 1.0 and sensitivity.high == 1.0
    assert sensitivity.low == pytest.approx(0.025 ** (1 / sensitivity.n))
    area = found["AUC-ROC, any finding"]
    assert area.value == 1.0 and area.low is None and area.high is None
    assert any("No interval is given for AUC-ROC" in note for note in examine(made, "test", draws=50).notes)


def test_attention_on_the_outer_tenths(predictions_of):
    made = predictions_of()
    found = by_name(evaluate(made, draws=50))
    first = np.mean([sum(case.attention[:2]) for case in made.cases])
    last = np.mean([sum(case.attention[-2:]) for case in made.cases])
    assert found["attention on the first tenth of the slices"].value == pytest.approx(first, abs=1e-5)
    assert found["attention on the last tenth of the slices"].value == pytest.approx(last, abs=1e-5)
    without = replace(made, cases=tuple(replace(case, attention=()) for case in made.cases))
    assert not any("attention" in name for name in by_name(evaluate(without, draws=20)))


def test_one_study(predictions_of):
    made = predictions_of(studies=1)
    told = examine(made, "test")
    assert {"accuracy", "log loss"} <= by_name(told.metrics).keys()
    assert by_name(told.metrics)["log loss"].low is None and not told.curves


def test_what_a_page_shows(predictions_of):
    made = predictions_of(studies=150)
    told = examine(made, "external:far", draws=50)
    assert (told.part, told.studies, told.patients) == ("external:far", 150, len(set(made.patients)))
    assert told.metrics[0].data == f"external:far, 150 studies of {told.patients} patients"
    assert [curve.name for curve in told.reliability] == ["any finding", "clear", "infection", "other"]
    right = sum(told.confusion.studies[i][i] for i in range(3))
    assert len(told.mistakes) == 150 - right
    assert by_name(told.metrics)["accuracy"].value == pytest.approx(right / 150, abs=1e-6)
    for mistake in told.mistakes:
        assert set(mistake.truth) != set(mistake.answer)


def test_labels_that_the_model_does_not_know(predictions_of):
    made = predictions_of()
    with pytest.raises(InputError, match="does not know the class 'mass'"):
        evaluate(replace(made, cases=(replace(made.cases[0], truth=("mass",)),)))


def test_the_same_seed_gives_the_same_intervals(predictions_of):
    made = predictions_of()
    assert evaluate(made, draws=100) == evaluate(made, draws=100)
    assert evaluate(made, draws=100) != evaluate(made, draws=100, seed=1)
