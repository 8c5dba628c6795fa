"""Splits: by patient always, stratified, repeatable, by time, and never against what is given."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.errors import InputError
from ctviewer.training.splits import (
    TRAIN_ONLY,
    Case,
    Split,
    conflicts,
    repeated_folds,
    split_by_time,
    split_stratified,
)


def cases(counts: dict[str, int], studies: int = 2) -> list[Case]:
    """Patients by class, each with some studies."""
    return [
        Case(f"{name}{n}-{s}", f"{name}{n}", (name,), date=f"20{10 + n:02d}-01-0{s + 1}")
        for name, count in counts.items()
        for n in range(count)
        for s in range(studies)
    ]


def patients(split: Split, found: list[Case]) -> dict[str, set[str]]:
    of = {case.study: case.patient for case in found}
    return {name: {of[study] for study in studies} for name, studies in split.parts.items()}


def test_patients_stay_together_and_classes_are_shared_out():
    found = cases({"a": 20, "b": 40})
    parts = patients(split_stratified(found, seed=1), found)
    count = {name: {c: sum(p.startswith(c) for p in ids) for c in "ab"} for name, ids in parts.items()}
    assert count == {"train": {"a": 14, "b": 28}, "val": {"a": 3, "b": 6}, "test": {"a": 3, "b": 6}}


def test_the_seed_decides_and_the_order_of_the_table_does_not():
    found = cases({"a": 15, "b": 9})
    first = split_stratified(found, seed=1)
    backwards = split_stratified(found[::-1], seed=1)
    assert {n: set(s) for n, s in first.parts.items()} == {n: set(s) for n, s in backwards.parts.items()}
    assert first == split_stratified(found, seed=1) != split_stratified(found, seed=2)


def test_a_rare_class_reaches_every_part():
    found = cases({"common": 40, "rare": 3})
    parts = patients(split_stratified(found, seed=5), found)
    assert all(any(p.startswith("rare") for p in ids) for ids in parts.values())


def test_given_parts_are_respected_and_followed():
    found = [
        *cases({"a": 10}),
        Case("g1", "g", ("a",), "test"),
        Case("g2", "g", ("a",)),
        Case("e", "x", ("a",), "external:U"),
    ]
    split = split_stratified(found, seed=3)
    assert {"g1", "g2"} <= set(split.test) and split.external == {"U": ("e",)}
    assert sorted(s for part in split.parts.values() for s in part) == sorted(c.study for c in found)


def test_a_patient_given_to_two_parts_is_refused():
    torn = [Case("s1", "p", ("a",), "train"), Case("s2", "p", ("a",), "external:U"), Case("s3", "q", ("a",))]
    assert conflicts(torn) == {"p": ("s1", "s2")}
    with pytest.raises(InputError, match="patient of study s1"):
        split_stratified(torn)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.2, 0.1), (1.2, -0.1, -0.1)])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(InputError, match="sum to 1"):
        split_stratified(cases({"a": 5}), shares)


def test_an_unknown_part_is_refused():
    with pytest.raises(InputError, match="not known"):
        split_stratified([Case("s", "p", ("a",), "dev")])


def test_no_share_is_no_study():
    assert split_stratified(cases({"a": 9}), (0.8, 0.2, 0.0)).test == ()


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sets(st.sampled_from("abcd"), min_size=1)), min_size=1, max_size=40),
    st.integers(0, 99),
)
def test_every_study_is_in_one_part_whatever_the_labels(rows, seed):
    found = [Case(f"s{i}", f"p{p}", tuple(sorted(classes))) for i, (p, classes) in enumerate(rows)]
    parts = split_stratified(found, seed=seed)
    assert sorted(s for part in parts.parts.values() for s in part) == sorted(c.study for c in found)
    sides = list(patients(parts, found).values())
    assert sum(map(len, sides)) == len(set().union(*sides))


def test_by_time_no_training_study_is_newer_than_a_tested_patient():
    found = cases({"a": 20})
    split = split_by_time(found)
    date = {case.study: case.date for case in found}
    assert max(date[s] for s in split.train) < min(date[s] for s in split.validation)
    assert max(date[s] for s in split.validation) < min(date[s] for s in split.test)
    assert len(split.train) == 28 and len(split.test) == 6


def test_one_day_is_one_part_and_a_late_study_takes_its_patient_along():
    found = [Case(f"s{i}", f"p{i}", ("a",), date="2020-01-01") for i in range(9)]
    assert set(split_by_time(found).parts) == {"train"}
    mixed = [Case("old", "p", ("a",), date="2010-01-01"), Case("new", "p", ("a",), date="2025-01-01")]
    mixed += [Case(f"s{i}", f"q{i}", ("a",), date=f"2020-01-{i + 1:02d}") for i in range(9)]
    assert set(split_by_time(mixed).test) >= {"old", "new"}


def test_without_a_date_there_is_no_split_by_time():
    with pytest.raises(InputError, match="date of study s is not known"):
        split_by_time([Case("s", "p", ("a",))])


def test_folds_test_every_patient_once_a_repeat_and_stay_apart():
    found = [*cases({"a": 10, "b": 7}), Case("e", "x", ("a",), "external:U")]
    splits = repeated_folds(found, folds=5, repeats=3, seed=2)
    assert len(splits) == 15
    for repeat in range(3):
        tested = [p for split in splits[repeat * 5 : repeat * 5 + 5] for p in patients(split, found)["test"]]
        assert len(tested) == 17 == len(set(tested))
    for split in splits:
        sides = patients(split, found)
        assert not sides["train"] & (sides["val"] | sides["test"]) and not sides["val"] & sides["test"]
        assert sum(p.startswith("a") for p in sides["test"]) == 2 and split.external == {"U": ("e",)}
    assert splits[0] != splits[5] and splits == repeated_folds(found, folds=5, repeats=3, seed=2)


def test_folds_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="4 patients cannot be shared out over 5 folds"):
        repeated_folds(cases({"a": 4}))
    with pytest.raises(InputError, match="also in an external set"):
        repeated_folds([Case("s", "p", ("a",)), Case("e", "p", ("a",), "external:U")])


def test_what_is_for_training_only_judges_in_no_fold_and_takes_its_patient_along():
    found = cases({"a": 6, "b": 6})
    found[0] = replace(found[0], split=TRAIN_ONLY)  # a0 has another study whose part is open
    for split in (*repeated_folds(found, 3, 2, seed=1), split_stratified(found, seed=1), split_by_time(found)):
        assert {"a0-0", "a0-1"} <= set(split.train)
    tested = {study for split in repeated_folds(found, 3, 1) for study in split.test}
    assert tested == {case.study for case in found} - {"a0-0", "a0-1"}


def test_training_only_is_no_other_part_than_training_but_is_one_than_test():
    same = [Case("s1", "p", ("a",), TRAIN_ONLY), Case("s2", "p", ("a",), "train")]
    assert conflicts(same) == {}
    assert conflicts([*same, Case("s3", "p", ("a",), "test")]) == {"p": ("s1", "s2", "s3")}


def test_too_few_to_judge_by_says_how_many_only_train():
    found = [replace(case, split=TRAIN_ONLY) for case in cases({"a": 6})] + cases({"b": 2})
    with pytest.raises(InputError, match=r"2 patients \(6 more are for training only\) cannot be shared"):
        repeated_folds(found, 3, 1)
