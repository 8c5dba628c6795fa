"""Figures with intervals, what is not given and why, the display threshold, and the file of predictions."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.training.scores.detection.figures import slice_figures
from ctviewer.training.slice_evaluation import (
    choose_display_threshold,
    evaluate_slices,
    examine_slices,
)
from ctviewer.training.slice_predictions import (
    SlicePrediction,
    read_slice_predictions,
    write_slice_predictions,
)

CLASSES = ("clear", "pneumonia")


def classed(predictions, rng):
    """The same with slices of two classes, three in four answered right."""
    cases = list(predictions.cases)
    for patient in predictions.patients:
        for n in range(4):
            truth, right = int(rng.integers(2)), rng.random() < 0.75
            logits = (1.0, -1.0) if (truth == 0) == right else (-1.0, 1.0)
            cases.append(SlicePrediction(f"c-{patient}", str(n), patient, "test", CLASSES[truth], logits))
    return replace(predictions, image_classes=CLASSES, negative_class="clear", cases=tuple(cases))


@pytest.fixture
def predictions(draw, kept):
    return classed(kept(draw(11, patients=8)), np.random.default_rng(11))


def test_each_figure_has_its_number_of_patients_and_an_interval_around_it(predictions):
    metrics = {one.name: one for one in evaluate_slices(predictions, data="test", draws=200)}
    assert {"AP .5, ggo", "AP .5:.95, mean over classes", "per_image_ap, at .5", "Dice per scan, any lesion"} <= set(
        metrics
    )
    assert {"slice sensitivity, pneumonia", "slice F1, weighted by class shares"} <= set(metrics)
    assert not any(name.endswith("lung") for name in metrics), "nothing is said of a class without truth"
    for one in metrics.values():
        assert one.unit == "patients" and 0 < one.n <= 8
        assert one.data == "test, 64 slices of 16 scans of 8 patients"
        assert one.low is None or one.low - 1e-9 <= one.value <= one.high + 1e-9 or "FROC" in one.name


def test_a_draw_is_the_figure_of_the_patients_drawn(predictions):
    """By making the set of a draw by hand: patients with all their slices, those drawn twice under two names."""
    weights = np.array([[0, 2, 1, 1, 0, 3, 1, 0]], float)
    cases = []
    for number, patient in enumerate(predictions.patients):
        for copy in range(int(weights[0][number])):
            cases += [
                replace(case, scan=f"{case.scan}-{copy}", patient=f"{patient}-{copy}")
                for case in predictions.cases
                if case.patient == patient
            ]
    again = replace(predictions, cases=tuple(cases))
    by_hand = {one.name: one.value(len(again.patients)) for one in slice_figures(again)}
    drawn = {one.name: float(one.drawn(weights)[0]) for one in slice_figures(predictions)}
    assert drawn == pytest.approx(by_hand)
    assert len(drawn) > 30


def test_it_says_what_is_not_given(predictions, drawn_slice, kept):
    told = examine_slices(predictions, "test", draws=50)
    assert any("This set holds no outline of lung: without truth there is no AP." in note for note in told.notes)
    assert any("8 patients" in note for note in told.notes)
    assert told.confusion is not None and sum(map(sum, told.confusion.studies)) == 32
    assert len(told.mistakes) == told.confusion.studies[0][1] + told.confusion.studies[1][0]
    assert [curve.name for curve in told.curves] == ["any lesion", "ggo", "consolidation"]
    assert told.lesions[1].instances == told.lesions[1].lesions > 0

    without = replace(predictions, cases=tuple(case for case in predictions.cases if case.lesions is None))
    bare = examine_slices(without, "test", draws=50)
    assert any("no AP, FROC or Dice is given" in note for note in bare.notes)
    assert not any("AP" in one.name or "Dice" in one.name for one in bare.metrics)

    partly = examine_slices(kept([drawn_slice([], [], complete=False)]), "test", draws=50)
    assert any("not all lesions are marked" in note for note in partly.notes)
    assert partly.metrics == ()


def test_a_class_absent_from_the_truth_is_named(predictions):
    only = replace(predictions, cases=tuple(case for case in predictions.cases if case.truth in ("", "clear")))
    told = examine_slices(only, "test", draws=50)
    assert any("No slice of this set shows pneumonia" in note and "taken for it" in note for note in told.notes)


def test_a_class_that_the_model_does_not_know_is_refused(predictions):
    other = replace(predictions, image_classes=("clear", "covid"))
    with pytest.raises(InputError, match="does not know slices of the class pneumonia"):
        evaluate_slices(other)


def test_a_share_without_a_mistake_has_the_exact_interval(predictions):
    cases = tuple(
        replace(case, logits=(1.0, -1.0) if case.truth == "clear" else (-1.0, 1.0))
        for case in predictions.cases
        if case.truth
    )
    metrics = {one.name: one for one in evaluate_slices(replace(predictions, cases=cases), draws=50)}
    one = metrics["slice sensitivity, clear"]
    assert one.value == one.high == 1.0
    assert one.low == pytest.approx(0.025 ** (1 / one.n))


def test_the_display_threshold_is_where_dice_less_marks_on_nothing_is_best(drawn_slice, kept, box):
    lesion, nothing = box(4, 4, 12, 12), box(40, 40, 12, 12)
    slices = [
        drawn_slice([(2, lesion)], [(2, 0.62, lesion), (2, 0.3, nothing)]),
        drawn_slice([], [(2, 0.41, nothing)], scan="other"),
    ]
    threshold, text = choose_display_threshold(kept(slices))
    assert threshold == 0.45, "the lowest that leaves out what is not there"
    assert "0.45" in text
    threshold, text = choose_display_threshold(kept(slices[1:]))
    assert threshold == 0.5 and "No validation slice" in text
    threshold, text = choose_display_threshold(kept([drawn_slice([(2, lesion)], [(2, 0.9, nothing)])]))
    assert threshold == 0.5 and "at no score better" in text


def test_predictions_are_read_as_they_were_written(predictions, tmp_path):
    path = tmp_path / "predictions.json"
    write_slice_predictions(path, predictions)
    assert read_slice_predictions(path) == predictions


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data["cases"][0]["lesions"].update(scores=[]), "contradict each other"),
        (lambda data: data["cases"][-1].update(logits=[1.0]), "one logit per class"),
        (lambda data: data.update(classes=["background"]), "too few or repeat"),
        (lambda data: data["cases"].append(data["cases"][0]), "twice"),
    ],
)
def test_damaged_predictions_are_refused_with_the_reason(predictions, tmp_path, change, why):
    path = tmp_path / "predictions.json"
    write_slice_predictions(path, predictions)
    data = json.loads(path.read_bytes())
    first = next(i for i, case in enumerate(data["cases"]) if case["lesions"] and case["lesions"]["scores"])
    data["cases"].insert(0, data["cases"].pop(first))
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=why):
        read_slice_predictions(path)


@pytest.mark.parametrize(("patients", "has"), [(2, False), (4, False), (5, True)])
def test_a_few_patients_have_no_resampled_interval(draw, kept, patients, has):
    predictions = kept(draw(11, patients=patients))
    found = {one.name: one for one in evaluate_slices(predictions)}
    one = next(metric for name, metric in found.items() if name.startswith("AP .5:.95"))
    assert (one.low is not None) is has
    assert (one.n, one.unit) == (patients, "patients")
    notes = " ".join(examine_slices(predictions, "made up").notes)
    assert ("resampling fewer than 5 patients says nothing of others" in notes) is not has
