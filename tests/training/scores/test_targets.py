"""What the model answers is what the viewer would show; labels that it does not know are refused in words."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.core.findings import ModelInfo, SliceScore, StudyClassification
from ctviewer.training.evaluation import evaluate
from ctviewer.training.predictions_file import from_json, to_json
from ctviewer.training.scores.curves import curves
from ctviewer.training.scores.figures import AREAS, figures
from ctviewer.training.scores.pairing import _reordered, by_finding
from ctviewer.training.scores.targets import (
    FINDING,
    answers,
    finding_probability,
    probabilities,
    require_known,
    targets,
)


@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("negative", ["clear", ""])
@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_answers_are_those_of_the_viewer(predictions_of, exclusive, negative, threshold):
    made = predictions_of(exclusive=exclusive, negative=negative, threshold=threshold)
    p, called = probabilities(made), answers(made)
    model = ModelInfo("Tiny", "1", "study_classifier", "", made.classes, "", "", "")
    for row, said in zip(p, called, strict=True):
        shown = StudyClassification(model, tuple(row), negative, threshold, SliceScore.NONE, np.zeros(0))
        assert {name for name, yes in zip(made.classes, said, strict=True) if yes} == set(shown.answer)


def test_any_finding_comes_first_and_a_pair_of_classes_is_not_told_twice(predictions_of):
    assert [t.name for t in targets(predictions_of())] == [FINDING, "clear", "infection", "other"]
    assert [t.name for t in targets(predictions_of(negative=""))] == ["clear", "infection", "other"]
    pair = predictions_of(classes=("clear", "sick"))
    assert [t.name for t in targets(pair)] == [FINDING, "clear"]
    several = predictions_of(classes=("clear", "sick"), exclusive=False)
    assert [t.name for t in targets(several)] == [FINDING, "clear", "sick"]


def test_any_finding_is_everything_but_the_negative_class(predictions_of):
    made = predictions_of()
    finding = targets(made)[0]
    np.testing.assert_allclose(finding.scores, probabilities(made)[:, 1:].sum(axis=1))
    np.testing.assert_array_equal(finding.positive, [case.truth != ("clear",) for case in made.cases])
    assert finding_probability(predictions_of(negative="")) is None


def test_studies_may_be_ranked_otherwise_than_they_are_told(predictions_of):
    """Areas go by the ranking alone, everything else by the logits; other models of them keep both."""
    told, ranked = predictions_of(studies=90), predictions_of(studies=90, skill=3.0)
    both = replace(
        told, cases=tuple(replace(a, ranking=b.logits) for a, b in zip(told.cases, ranked.cases, strict=True))
    )
    other = tuple(reversed(both.classes))
    for change in (lambda p: p, lambda p: _reordered(p, other), lambda p: by_finding(p, "clear")):
        found, by_told, by_ranked = ({f.name: f for f in figures(change(p))} for p in (both, told, ranked))
        for name, figure in found.items():
            expected = by_ranked if figure.kind in AREAS else by_told
            assert figure.value(90) == expected[name].value(90), name
        assert any(by_told[name].value(90) != by_ranked[name].value(90) for name in found if name.startswith(AREAS))
    assert [c.roc for c in map(curves, targets(both))] == [c.roc for c in map(curves, targets(ranked))]
    given = {one.name: one.value for one in evaluate(both, draws=10)}
    for figure in figures(both):
        assert given[figure.name] == pytest.approx(figure.value(90), abs=1e-5), figure.name
    assert from_json(json.loads(json.dumps(to_json(both)))) == both


def test_labels_that_the_model_does_not_know_are_named(predictions_of):
    made = predictions_of()
    strange = replace(made, cases=(replace(made.cases[0], truth=("tumour",)), *made.cases[1:]))
    with pytest.raises(InputError, match=r"'tumour' \(1 study\); its classes are clear, infection, other"):
        require_known(strange)


def test_several_classes_are_refused_where_they_exclude_each_other(predictions_of):
    made = predictions_of()
    both = replace(made, cases=(replace(made.cases[0], truth=("infection", "other")), *made.cases[1:]))
    with pytest.raises(InputError, match="several classes to 1 study"):
        require_known(both)
    require_known(replace(both, exclusive=False))


@pytest.mark.parametrize("change", [{"cases": ()}, {"bare": True}])
def test_nothing_to_judge(predictions_of, change):
    made = predictions_of()
    cases = () if "cases" in change else (replace(made.cases[0], truth=()),)
    with pytest.raises(InputError):
        require_known(replace(made, cases=cases))
