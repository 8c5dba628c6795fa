"""What is on record of a calibration: counts, its error, and bands only from enough real patients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from ctviewer.core.doubt import doubt_of
from ctviewer.core.findings import ModelInfo, SliceScore, StudyClassification
from ctviewer.training.calibration_record import are_patients, calibration_record
from ctviewer.training.predictions import Prediction, Predictions
from ctviewer.training.preflight.report import CrossTable, PreflightReport

CLASSES = ("clear", "sick")
EQUAL = {"clear": 0.5, "sick": 0.5}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def right(n, seed=0, sharp=1.0, studies=1):
    """`n` patients of each class; the truth is drawn by the probability given, at sharpness 1."""
    rng = np.random.default_rng(seed)
    cases, left = [], dict.fromkeys(CLASSES, n)
    while any(left.values()):
        z = rng.normal(0, 1.5)
        name = CLASSES[int(rng.random() < sigmoid(z))]
        if left[name]:
            left[name] -= 1
            for _ in range(studies):
                i = len(cases)
                cases.append(Prediction(f"s{i}", f"p{i // studies}", (name,), (0.0, sharp * z), "val"))
    return Predictions("m 1.0.0", CLASSES, "clear", True, 0.5, tuple(cases))


def answer(record, p):
    model = ModelInfo("m", "1.0.0", "study_classifier", "a" * 64, CLASSES, "", "", "", calibration=record)
    return doubt_of(StudyClassification(model, (1 - p, p), "clear", 0.5, SliceScore.NONE, np.zeros(0)))


def test_enough_real_patients_give_an_interval_that_narrows_with_their_number():
    few, many = (calibration_record(right(n), EQUAL, "patients", True, draws=60) for n in (30, 400))
    assert few.patients == {"clear": 30, "sick": 30} and few.real and few.enough
    widths = []
    for record in (few, many):
        low, high = answer(record, 0.5).intervals[1]
        assert low < 0.5 < high
        widths.append(high - low)
    assert widths[1] < 0.5 * widths[0] < 0.3


@pytest.mark.parametrize(("n", "real"), [(29, True), (60, False)])
def test_fewer_patients_or_no_real_ones_give_none(n, real):
    record = calibration_record(right(n), EQUAL, "studies", real, draws=5)
    assert record.bands == {} and record.method == "" and record.patients == {"clear": n, "sick": n}
    assert answer(record, 0.5).intervals == (None, None)


def test_patients_count_and_not_their_studies():
    record = calibration_record(right(20, studies=2), EQUAL, "patients", True, draws=5)
    assert record.patients == {"clear": 20, "sick": 20} and not record.bands


def test_a_model_that_is_too_sure_has_no_interval_where_patients_do_not_bear_it_out():
    record = calibration_record(right(400, sharp=4.0), EQUAL, "patients", True, draws=60)
    assert answer(record, 0.97).intervals == (None, None)
    assert record.ece > calibration_record(right(400), EQUAL, "patients", True, draws=1).ece


def test_a_draw_is_a_plain_refit_of_slope_and_intercept():
    """One draw, made again by a loss written out here."""
    made, seed = right(40, seed=3), 7
    record = calibration_record(made, EQUAL, "patients", True, draws=1, seed=seed)
    picks = np.random.default_rng((seed, 1)).integers(0, 80, 80)
    z = made.logits[:, 1]
    sick = made.truth[:, 1]
    order = np.argsort(np.array(made.patients))  # patients are counted by their names
    times = np.zeros(80)
    times[order] = np.bincount(picks, minlength=80)
    yes, no = times[sick].sum(), times[~sick].sum()
    weight = times * np.where(sick, 0.5 / yes, 0.5 / no)
    goal = np.where(sick, (yes + 1) / (yes + 2), 1 / (no + 2))

    def loss(x):
        s = x[0] * z + x[1]
        return float((weight * (np.logaddexp(0, s) - goal * s)).sum())

    slope, intercept = minimize(loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10}).x
    for point in record.bands["sick"]:
        at = np.log(point.probability / (1 - point.probability))
        assert point.low == point.high == pytest.approx(sigmoid(slope * at + intercept), abs=2e-3)


def test_the_same_seed_gives_the_same_record():
    made = right(30)
    assert calibration_record(made, EQUAL, "p", True, 10) == calibration_record(made, EQUAL, "p", True, 10)


def test_a_class_needs_patients_without_it_too():
    """Classes that stand alone: all but five patients have `a`."""
    rng = np.random.default_rng(0)
    cases = tuple(
        Prediction(f"s{i}", f"p{i}", tuple(n for n, is_it in (("a", i >= 5), ("b", i % 2)) if is_it) or ("b",), tuple(rng.normal(size=2)), "val")
        for i in range(90)
    )  # fmt: skip
    made = Predictions("m 1.0.0", ("a", "b"), "", False, 0.5, cases)
    record = calibration_record(made, {"a": 0.9, "b": 0.5}, "patients", True, draws=10)
    assert set(record.bands) == {"b"}


def report(*rows):
    tables = (CrossTable("manufacturer", rows, CLASSES, ((1, 1),) * len(rows)),) if rows else ()
    return replace(PreflightReport(2, 2, ()), tables=tables)


def test_phantoms_of_this_program_are_no_patients():
    assert are_patients(report("siemens", "not stated"))
    assert not are_patients(report("siemens", "ctviewer phantom d"))
    assert not are_patients(report())
