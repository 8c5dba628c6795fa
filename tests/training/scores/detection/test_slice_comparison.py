"""Two one-shot models on the same slices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.training.comparison import BETTER, CORRECTED, LOST, from_json, to_json
from ctviewer.training.slice_comparison import compare_slices
from ctviewer.training.slice_predictions import SlicePrediction, SlicePredictions

CLASSES = ("clear", "pneumonia")


def named(predictions, model, cases=None):
    return replace(predictions, model=model, cases=predictions.cases if cases is None else tuple(cases))


def classed(answers, model="m 1.0.0", classes=CLASSES, negative="clear"):
    """One slice a patient: (truth, answer)."""
    cases = []
    for n, (truth, answer) in enumerate(answers):
        logits = tuple(2.0 if name == answer else -2.0 for name in classes)
        cases.append(SlicePrediction(f"s{n}", "0", f"p{n}", "test", truth, logits))
    return SlicePredictions(model, ("background", "ggo"), ("ggo",), classes, negative, 0.5, tuple(cases))


@pytest.fixture
def pair(draw, kept):
    """The same slices marked badly, and marked with what is true."""
    slices = draw(21, patients=8)
    good = [replace(one, marks=[(label, 0.9, mask) for label, mask in one.truths]) for one in slices]
    return named(kept(slices), "old 1.0.0"), named(kept(good), "new 1.1.0")


def test_differences_are_of_the_figures_both_have_on_the_same_draws_of_patients(pair):
    told = compare_slices(*pair, draws=200)
    by_name = {one.name: one for one in told.differences}
    assert told.main.name == "AP .5:.95, mean over classes"
    assert (told.main.new, told.main.verdict) == (pytest.approx(1.0), BETTER)
    assert by_name["Dice per scan, any lesion"].new == 1.0
    marked = by_name.get("slices without a lesion that get a mark, any lesion")
    assert marked is None or marked.lower_is_better
    assert (told.unit, told.studies, told.patients) == ("slice", 32, 8)
    assert told.classes == ("lung", "ggo", "consolidation")
    assert told.old_confusion is None and told.changed == ()
    same = compare_slices(pair[0], named(pair[0], "twin 1.0.0"), draws=50)
    assert all(one.difference == 0 for one in same.differences)


def test_it_is_read_as_it_was_written(pair):
    told = compare_slices(*pair, draws=20)
    assert from_json(to_json(told)) == told


def test_slices_that_change_their_answer(pair):
    old = classed([("clear", "clear"), ("clear", "pneumonia"), ("pneumonia", "pneumonia"), ("pneumonia", "clear")])
    new = classed([("clear", "pneumonia"), ("clear", "clear"), ("pneumonia", "pneumonia"), ("pneumonia", "clear")])
    told = compare_slices(old, new, draws=50)
    assert [(one.study, one.slice, one.outcome) for one in told.changed] == [("s0", "0", LOST), ("s1", "0", CORRECTED)]
    assert told.changed[0].new_finding == pytest.approx(1 / (1 + np.exp(-2.0)))
    s = told.sides
    assert (s.both_right, s.old_right, s.new_right, s.both_wrong) == (1, 1, 1, 1)
    assert told.main.name.startswith("slice F1")
    assert told.old_confusion.studies == ((1, 1), (1, 1))


def test_classes_in_another_order_are_compared_by_name():
    old = classed([("clear", "clear"), ("pneumonia", "clear")], classes=CLASSES[::-1])
    told = compare_slices(old, classed([("clear", "clear"), ("pneumonia", "clear")]), draws=20)
    assert told.changed == () and told.sides.both_right == 1


def test_other_classes_of_slices_are_compared_by_finding_against_none():
    old = classed(
        [("healthy", "healthy"), ("covid", "covid")], "old 1.0.0", ("healthy", "pneumonia", "covid"), "healthy"
    )
    new = classed([("healthy", "clear"), ("covid", "clear")], "new 1.0.0", ("clear", "covid"), "clear")
    told = compare_slices(old, new, draws=20)
    assert told.new_confusion.classes == ("no finding", "finding")
    assert told.new_confusion.studies == ((1, 0), (1, 0)) and told.old_confusion.studies == ((1, 0), (0, 1))
    assert any("by finding against none" in note for note in told.notes)


def test_models_of_other_lesions_are_compared_by_lesions_of_any_class(pair):
    old, new = pair
    other = replace(old, classes=("background", "lung", "infection", "x"), lesion_classes=("infection", "x"))
    told = compare_slices(other, new, draws=20)
    names = {one.name for one in told.differences}
    assert "Dice per scan, any lesion" in names
    assert not any("mean over classes" in name or "per_image" in name or "ggo" in name for name in names)
    assert any("lesions of any class are compared" in note for note in told.notes)


def test_what_only_one_was_asked_about_is_left_out_and_other_labels_are_refused(pair):
    old, new = pair
    told = compare_slices(named(old, old.model, old.cases[1:]), new, draws=20)
    assert told.studies == 31 and any("1 slice that only one of the models answers" in note for note in told.notes)
    with pytest.raises(InputError, match="no slice in common"):
        compare_slices(named(old, old.model, ()), new)
    with pytest.raises(InputError, match="The labels of 1 slice differ"):
        compare_slices(classed([("clear", "clear")]), classed([("pneumonia", "clear")]))
    contents = [replace(case, content="a" * 64) for case in old.cases]
    others = [replace(case, content="b" * 64) for case in new.cases]
    with pytest.raises(InputError, match="no slice in common"):
        compare_slices(named(old, old.model, contents), named(new, new.model, others))


def test_nothing_in_common_is_said(pair):
    bare = classed([("clear", "clear")], classes=CLASSES, negative="")
    other = classed([("clear", "a")], classes=("a", "b"), negative="")
    with pytest.raises(InputError, match="no figure in common"):
        compare_slices(bare, other)
