"""By whom a run can judge: told before it begins, as the engine will do it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ctviewer.core.errors import InputError
from ctviewer.training.config import DataConfig
from ctviewer.training.engine.plans import folds_of
from ctviewer.training.preflight.known import Judging, about_judging
from ctviewer.training.preflight.report import Severity
from ctviewer.training.splits import TRAIN_ONLY, Case


@dataclass(frozen=True)
class Read:
    case: Case
    error: str = ""
    study: str = ""


def cases(open_ones, fixed, external=0, patient="p{}"):
    splits = [""] * open_ones + [TRAIN_ONLY] * fixed + ["external:there"] * external
    return [Case(f"s{i}", patient.format(i), ("a",), split) for i, split in enumerate(splits)]


def told(found, setting="auto", folds=5):
    return list(about_judging(Judging.of([Read(case) for case in found], setting, folds)))


@pytest.mark.parametrize("setting", ["auto", "always", "never"])
@pytest.mark.parametrize(("open_ones", "fixed"), [(12, 0), (12, 3), (5, 9), (4, 9), (2, 3), (1, 20), (0, 9), (60, 5)])
def test_what_is_told_is_what_the_engine_does(setting, open_ones, fixed):
    found = cases(open_ones, fixed)
    codes = {one.code: one.severity for one in told(found, setting)}
    try:
        folds = folds_of(found, DataConfig("", cross_validation=setting), 0)
    except InputError:
        assert codes["too-few-to-fold"] is Severity.ERROR
        return
    assert "too-few-to-fold" not in codes and ("cross-validation" in codes) == bool(folds)


def test_nobody_is_a_doubt_in_words_that_name_what_becomes_of_the_model():
    (one,) = told(cases(0, 9))
    assert one.severity is Severity.DOUBT and one.code == "nobody-judges" and not one.studies
    assert "all 9 are for training alone" in one.text and "the last one is kept" in one.text
    assert "nothing shows whether the new model is better" in one.text
    (one,) = told(cases(0, 9, external=2))
    assert "only the external sets show" in one.text


def test_a_patient_judges_only_with_all_studies():
    twice = cases(3, 3, patient="one of few")
    assert [one.code for one in told(twice)] == ["nobody-judges"]


def test_some_who_never_judge_are_counted():
    (few,) = told(cases(4, 9))
    assert few.severity is Severity.INFO and "4 of 13 patients may judge. This run judges by one split." in few.text
    (crossed,) = told(cases(12, 3))
    assert crossed.code == "cross-validation" and "3 of them are learned from in each fold" in crossed.text
