"""Two models on the same patients: differences against separate figures, and refusals in words."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.models.metrics import auc_roc
from ctviewer.training.comparison import (
    BETTER,
    CORRECTED,
    LOST,
    OPEN,
    WORSE,
    Difference,
    compare,
    from_json,
    read_comparison,
    to_json,
    write_comparison,
)
from ctviewer.training.evaluation import evaluate
from ctviewer.training.scores.targets import answers


def other_model(made, skill=0.0, noise=0.3, seed=9, model="tiny 1.1.0"):
    """The same studies by a model that leans towards the truth by `skill`."""
    rng = np.random.default_rng(seed)
    cases = []
    for case, truth in zip(made.cases, made.truth, strict=True):
        logits = np.array(case.logits) + skill * truth + rng.normal(0, noise, len(truth))
        cases.append(replace(case, logits=tuple(map(float, logits))))
    return replace(made, model=model, cases=tuple(cases))


def by_name(found):
    return {one.name: one for one in found}


def test_both_figures_are_those_of_each_model_alone(predictions_of):
    old = predictions_of(studies=120)
    new = other_model(old, 0.5)
    before, after = by_name(evaluate(old, draws=20)), by_name(evaluate(new, draws=20))
    found = compare(old, new, draws=50)
    for one in found.differences:
        assert one.old == pytest.approx(before[one.name].value, abs=1e-5)
        assert one.new == pytest.approx(after[one.name].value, abs=1e-5)
    names = {one.name.partition(",")[0] for one in found.differences}
    assert names == {"AUC-ROC", "AUC-PR", "AP", "sensitivity", "specificity", "ECE", "accuracy", "log loss"}
    assert (found.old, found.new, found.studies) == ("tiny 1.0.0", "tiny 1.1.0", 120)


def test_intervals_are_of_the_difference_on_the_same_patients(predictions_of):
    """Against a plain loop: patients are drawn, both areas are computed anew, and subtracted."""
    old = predictions_of(studies=60, classes=("clear", "sick"))
    new = other_model(old, 0.4)
    found = by_name(compare(old, new).differences)["AUC-ROC, any finding"]
    rng = np.random.default_rng(5)
    patients = sorted(set(old.patients))
    studies = {p: [i for i, q in enumerate(old.patients) if q == p] for p in patients}
    values = []
    for _ in range(1000):
        drawn = [i for k in rng.integers(0, len(patients), len(patients)) for i in studies[patients[k]]]
        truth = old.truth[drawn, 1]
        odds = [model.logits[drawn, 1] - model.logits[drawn, 0] for model in (old, new)]
        values.append(auc_roc(odds[1], truth) - auc_roc(odds[0], truth))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    assert (found.low, found.high) == (pytest.approx(low, abs=0.02), pytest.approx(high, abs=0.02))
    apart = [by_name(evaluate(model))["AUC-ROC, any finding"] for model in (old, new)]
    assert found.high - found.low < 0.8 * (apart[1].high - apart[1].low)  # paired, so much narrower than either alone


def test_a_model_that_is_better_is_told_so_and_one_that_is_not_stays_open(predictions_of):
    old = predictions_of(studies=150)
    better, same = compare(old, other_model(old, 1.5)), compare(old, other_model(old, 0.0, noise=0.05))
    assert better.main.name == "AUC-ROC, any finding" and better.main.verdict == BETTER
    assert by_name(better.differences)["log loss"].verdict == BETTER  # lower is better
    assert compare(other_model(old, 1.5), old).main.verdict == WORSE
    assert same.main.verdict == OPEN and same.main.low <= 0 <= same.main.high


def test_a_model_against_itself(predictions_of):
    made = predictions_of()
    found = compare(made, made, draws=50)
    assert all(one.difference == 0 and one.verdict == OPEN and one.low is None for one in found.differences)
    assert found.changed == () and found.sides.old_right == found.sides.new_right == 0


@pytest.mark.parametrize(
    ("low", "high", "lower", "verdict"),
    [
        (0.01, 0.2, False, BETTER),
        (0.01, 0.2, True, WORSE),
        (-0.2, -0.1, True, BETTER),
        (-0.2, -0.1, False, WORSE),
        (-0.1, 0.1, False, OPEN),
        (0.0, 0.1, False, OPEN),
    ],
)
def test_a_verdict_leaves_zero_out(low, high, lower, verdict):
    assert Difference("x", 0.5, 0.6, low, high, lower, 10).verdict == verdict


@pytest.mark.parametrize(
    ("new", "patients", "lower", "verdict"),
    [
        (0.0, 6, False, WORSE),
        (0.0, 6, True, BETTER),
        (0.0, 5, False, OPEN),  # five patients of one mind are chance more often than 1 in 20
        (1.0, 6, False, OPEN),
        (1.0 + 1e-12, 6, False, OPEN),  # rounding
    ],
)
def test_without_an_interval_patients_enough_of_one_mind_decide(new, patients, lower, verdict):
    assert Difference("x", 1.0, new, None, None, lower, patients).verdict == verdict


def test_a_model_that_answers_the_same_to_everybody_is_worse_than_a_perfect_one(predictions_of):
    """All draws agree on the difference, so that there is no interval."""
    made = predictions_of(studies=60, classes=("clear", "sick"))
    perfect = replace(
        made,
        cases=tuple(
            replace(case, logits=tuple(map(float, 10 * truth)))
            for case, truth in zip(made.cases, made.truth, strict=True)
        ),
    )
    blind = replace(
        perfect, model="tiny 1.1.0", cases=tuple(replace(case, logits=(9.0, 0.0)) for case in perfect.cases)
    )
    found = compare(perfect, blind)
    area, share = found.main, by_name(found.differences)["sensitivity, any finding"]
    assert (area.old, area.new, area.low, area.verdict) == (1.0, 0.5, None, WORSE)
    assert (share.old, share.new, share.low, share.verdict) == (1.0, 0.0, None, WORSE)
    assert compare(blind, perfect).main.verdict == BETTER


def test_changed_studies_and_sides_are_counted_one_by_one(predictions_of):
    old = predictions_of(studies=100)
    new = other_model(old, 0.6, noise=1.0)
    found, said, says = compare(old, new, draws=20), answers(old), answers(new)
    changed = {one.study: one for one in found.changed}
    counts = dict.fromkeys(("both", "old", "new", "none"), 0)
    for i, case in enumerate(old.cases):
        a, b = (said[i] == old.truth[i]).all(), (says[i] == new.truth[i]).all()
        counts["both" if a and b else "old" if a else "new" if b else "none"] += 1
        assert (case.study in changed) == (said[i] != says[i]).any()
        if case.study in changed and b:
            assert changed[case.study].outcome == CORRECTED and changed[case.study].new == case.truth
        elif case.study in changed and a:
            assert changed[case.study].outcome == LOST and changed[case.study].old == case.truth
    sides = found.sides
    assert (sides.both_right, sides.old_right, sides.new_right, sides.both_wrong) == tuple(counts.values())
    outcomes = [one.outcome for one in found.changed]
    assert outcomes == sorted(outcomes, key=(LOST, CORRECTED, "still wrong").index) and len(set(outcomes)) == 3
    right = sum(found.new_confusion.studies[i][i] for i in range(3))
    assert right == sides.both_right + sides.new_right


def test_classes_in_another_order_are_the_same_classes(predictions_of):
    old = predictions_of(studies=80)
    new = other_model(old, 0.5)
    turned = replace(
        old,
        classes=("other", "clear", "infection"),
        cases=tuple(replace(c, logits=(c.logits[2], c.logits[0], c.logits[1])) for c in old.cases),
    )
    assert compare(turned, new, draws=50) == compare(old, new, draws=50)


def test_other_classes_are_compared_by_finding_against_none(predictions_of):
    new = predictions_of(studies=120)
    rng = np.random.default_rng(0)
    cases = tuple(replace(c, logits=(c.logits[0], float(max(c.logits[1:]) + rng.normal(0, 0.3)))) for c in new.cases)
    old = replace(new, model="base 0.1.0", classes=("normal", "sick"), negative_class="normal", cases=cases)
    found = compare(old, new, draws=100)
    assert found.classes == ("no finding", "finding") and "finding against none" in found.notes[0]
    alone = by_name(evaluate(new, draws=20))
    for kind in ("AUC-ROC", "AP", "sensitivity", "specificity", "ECE"):
        name = f"{kind}, any finding"
        assert by_name(found.differences)[name].new == pytest.approx(alone[name].value, abs=1e-5)
    z, sick = old.logits[:, 1] - old.logits[:, 0], np.array([c.truth != ("clear",) for c in new.cases])
    assert by_name(found.differences)["AUC-ROC, any finding"].old == pytest.approx(auc_roc(z, sick))
    several = replace(old, exclusive=False)
    odds = -several.logits[:, 0]
    area = by_name(compare(several, new, draws=20).differences)["AUC-ROC, any finding"].old
    assert area == pytest.approx(auc_roc(odds, sick))


def test_other_classes_without_a_negative_one_are_refused(predictions_of):
    new = predictions_of()
    cases = tuple(replace(c, logits=c.logits[:2]) for c in new.cases)
    old = replace(new, model="base 0.1.0", classes=("normal", "sick"), negative_class="", cases=cases)
    with pytest.raises(
        InputError, match=r"base 0.1.0 \(normal, sick\) and tiny 1.0.0 .* need a class that means no finding"
    ):
        compare(old, new)


def test_labels_of_neither_model_are_refused(predictions_of):
    new = predictions_of()
    cases = tuple(replace(c, logits=c.logits[:2], truth=("mass",)) for c in new.cases)
    old = replace(new, model="base 0.1.0", classes=("normal", "sick"), negative_class="normal", cases=cases)
    with pytest.raises(InputError, match=r"classes of neither base 0.1.0 nor tiny 1.0.0"):
        compare(old, replace(new, cases=tuple(replace(c, truth=("mass",)) for c in new.cases)))


def test_only_studies_of_both_count_and_that_is_told(predictions_of):
    old = predictions_of(studies=50)
    new = other_model(old)
    found = compare(replace(old, cases=old.cases[5:]), replace(new, cases=new.cases[::-1][:-2]), draws=20)
    assert found.studies == 45 and found.notes == ("Left out: 3 studies that only one of the models was asked about.",)
    assert (
        found.differences
        == compare(replace(old, cases=old.cases[:4:-1]), replace(new, cases=new.cases[:4:-1]), draws=20).differences
    )


def test_studies_whose_pixels_changed_do_not_count(predictions_of):
    old = predictions_of(studies=30)
    new = other_model(old)
    new = replace(
        new, cases=(replace(new.cases[0], content="f" * 64), replace(new.cases[1], content=""), *new.cases[2:])
    )
    found = compare(old, new, draws=20)
    assert found.studies == 29 and found.notes == ("Left out: 1 study with other pixels than before.",)


def test_no_study_in_common(predictions_of):
    old = predictions_of()
    new = replace(old, cases=tuple(replace(c, study=f"x{c.study}") for c in old.cases))
    with pytest.raises(InputError, match="no study in common"):
        compare(old, new)


def test_corrected_labels_are_refused(predictions_of):
    old = predictions_of()
    wrong = ("other",) if old.cases[0].truth != ("other",) else ("clear",)
    new = replace(old, cases=(replace(old.cases[0], truth=wrong), *old.cases[1:]))
    with pytest.raises(InputError, match="labels of 1 study differ"):
        compare(old, new)


def test_labels_that_do_not_exclude_each_other(predictions_of):
    old = predictions_of(exclusive=False, studies=100)
    found = compare(old, other_model(old, 0.5), draws=50)
    assert found.old_confusion is None and len(found.new_reliability) == 4
    assert "accuracy" not in by_name(found.differences)


def test_it_is_the_same_when_read_again(predictions_of, tmp_path):
    old = predictions_of(studies=50)
    made = compare(old, other_model(old, 0.5, noise=1.0), draws=50)
    whole = replace(made, regression=made)
    assert from_json(json.loads(json.dumps(to_json(whole)))) == whole
    write_comparison(tmp_path / "comparison.json", whole)
    assert read_comparison(tmp_path / "comparison.json") == whole


@pytest.mark.parametrize(
    ("text", "why"),
    [("{", "not valid JSON"), ("[]", "holds no comparison"), ('{"schema": "ctviewer.comparison", "version": 9}', "version 9"),
     ('{"schema": "ctviewer.comparison", "version": 1}', "lacks the field")],
)  # fmt: skip
def test_a_file_that_is_no_comparison(tmp_path, text, why):
    path = tmp_path / "comparison.json"
    path.write_text(text)
    with pytest.raises(InputError, match=why) as told:
        read_comparison(path)
    assert str(path) in str(told.value)


def test_the_window_reads_comparisons_without_torch():
    code = "import sys, ctviewer.training.comparison, ctviewer.training.predictions_file; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
