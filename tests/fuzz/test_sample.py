"""A fixed sample of the fuzzer's cases; `make fuzz` tries thousands."""

from __future__ import annotations

from itertools import chain

import pytest
from fuzz.cases import Case, case, cases
from fuzz.elements import build, parse
from fuzz.runner import run
from fuzz.seeds import FAMILIES, seed
from fuzz.trial import GOOD

EACH = 14


@pytest.mark.parametrize("family", [family for family in FAMILIES if seed(family).is_dicom])
def test_files_are_taken_apart_and_put_together_again(family):
    assert build(parse(seed(family).data)) == seed(family).data


def test_the_same_numbers_make_the_same_case():
    one = case("jpeg_ls_80", 7, 1)
    assert one == case("jpeg_ls_80", 7, 1) == Case.from_json(one.as_json())
    assert one != case("jpeg_ls_80", 7, 2) and one != case("jpeg_ls_80", 8, 1)


def test_damaged_files_of_every_kind_are_opened_or_refused_in_words():
    every = chain.from_iterable(cases(family, EACH, 20261122) for family in FAMILIES)
    verdicts = list(run(every))
    failures = [f"{v.name} {c.family}-{c.number} {c.mutations}: {v.detail}" for c, v in verdicts if v.name not in GOOD]
    assert not failures, "\n".join(failures)
    assert len(verdicts) == EACH * len(FAMILIES)
    assert {v.name for _, v in verdicts} >= {"equal", "told", "refused"}
