"""Shortcuts: found where a fact tells the class of patients not fitted to, and not found in noise."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.training.preflight.facts import StudyFacts
from ctviewer.training.preflight.precision import auc_interval, auc_standard_error
from ctviewer.training.preflight.report import ALL_FACTS, Shortcut
from ctviewer.training.preflight.shortcuts import FACTS, cross_tables, find_shortcuts
from ctviewer.training.splits import Case


def facts(count: int, seed: int = 0, studies: int = 1, **of) -> list[StudyFacts]:
    """Studies of two classes; `of` gives facts from the class and a random generator, the rest is noise."""
    rng = np.random.default_rng(seed)
    made = []
    for n in range(count):
        label = "ab"[n % 2]
        known = {name: rule(label, rng) for name, rule in of.items()}
        date = known.pop("date", f"20{10 + int(rng.integers(10))}-05-01")
        plain = {
            "manufacturer": str(rng.choice(["ACME", "Bolt"])),
            "thickness": float(rng.choice([1.0, 2.5])),
            "slices": 80,
        }
        made += [StudyFacts(Case(f"s{n}-{s}", f"p{n}", (label,), date=date), **(plain | known)) for s in range(studies)]
    return made


def shortcuts(data: list[StudyFacts]) -> tuple[Shortcut, ...]:
    return tuple(find_shortcuts(data))


def areas(found) -> dict[str, float]:
    return {one.fact: one.auc for one in found}


def test_noise_predicts_nothing():
    found = shortcuts(facts(200))
    assert {"manufacturer", "thickness", "date", ALL_FACTS} == set(areas(found)), "what never varies is no fact"
    assert all(auc < 0.65 for auc in areas(found).values())


@pytest.mark.parametrize(
    ("name", "fact", "rule"),
    [
        ("kernel", "kernel", lambda label, rng: "B60" if label == "a" else "B30"),
        ("thickness", "thickness", lambda label, rng: float(rng.normal(1.0 if label == "a" else 3.0, 0.5))),
        (
            "field_of_view",
            "field of view",
            lambda label, rng: 350.0 if label == "a" else float(rng.choice([250.0, 450.0])),
        ),
        ("contrast", "contrast", lambda label, rng: label == "a"),
        ("slices", "slice count", lambda label, rng: 60 if label == "a" else 300),
        ("date", "date", lambda label, rng: f"20{10 if label == 'a' else 20}-0{rng.integers(1, 9)}-01"),
        ("thickness", "thickness", lambda label, rng: None if label == "a" else 1.0),
    ],
)
def test_each_fact_is_found_out(name, fact, rule):
    found = shortcuts(facts(60, **{name: rule}))
    one = next(s for s in found if s.fact == fact)
    assert one.auc > 0.95 and one.low is not None and one.low <= one.auc <= one.high
    assert areas(found)[ALL_FACTS] > 0.9


def test_facts_of_a_patient_are_not_tested_on_that_patient():
    rng = np.random.default_rng(1)
    names = {n: f"kernel {rng.integers(1 << 30)}" for n in range(30)}
    data = [
        StudyFacts(Case(f"s{n}-{s}", f"p{n}", ("ab"[n % 2],)), kernel=names[n]) for n in range(30) for s in range(4)
    ]
    assert areas(shortcuts(data))["kernel"] < 0.6


def test_few_patients_external_and_unreadable_studies_are_left_out():
    assert shortcuts(facts(6)) == ()
    data = facts(40)
    data.append(StudyFacts(Case("e", "e", ("a",), "external:U"), manufacturer="Other"))
    data.append(StudyFacts(Case("x", "x", ("a",)), error="It is damaged."))
    assert {one.patients for one in shortcuts(data)} == {40}


def test_each_of_several_classes_is_set_against_the_rest():
    data = facts(60, kernel=lambda label, rng: label)
    third = [StudyFacts(Case(f"t{n}", f"t{n}", ("c",)), manufacturer="ACME", kernel="c", slices=80) for n in range(20)]
    found = shortcuts(data + third)
    assert {one.label for one in found} == {"a", "b", "c"}
    assert shortcuts(data + third) == found, "the seed decides"


def test_cross_tables_count_every_study():
    data = facts(
        40, kernel=lambda label, rng: "B60" if label == "a" else "", thickness=lambda label, rng: rng.normal(2, 1)
    )
    tables = {table.fact: table for table in cross_tables(data)}
    assert tuple(tables) == FACTS
    assert tables["kernel"].rows == ("b60", "not stated") and tables["kernel"].counts == ((20, 0), (0, 20))
    assert len(tables["thickness"].rows) == 4
    for table in tables.values():
        assert np.sum(table.counts, axis=0).tolist() == [20, 20]


def test_dates_of_one_year_are_shown_by_month_and_many_values_end_in_other():
    data = [
        StudyFacts(Case(f"s{n}", f"p{n}", ("a",), date=f"2020-{n % 3 + 1:02d}-05"), kernel=f"k{n}", slices=80)
        for n in range(30)
    ]
    tables = {table.fact: table for table in cross_tables(data)}
    assert tables["date"].rows == ("2020-01", "2020-02", "2020-03")
    assert len(tables["kernel"].rows) == 12 and "other" in tables["kernel"].rows


def test_intervals_are_those_of_hanley_and_mcneil():
    # their table: an area of 0.893 with 51 positives and 58 negatives has a standard error of 0.032
    assert auc_standard_error(0.893, 51, 58) == pytest.approx(0.032, abs=0.001)
    low, high = auc_interval(0.9, 5, 5)
    assert low < 0.75 and high == 1.0
    assert np.diff(auc_interval(0.8, 400, 400))[0] < 0.07
