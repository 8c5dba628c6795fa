"""Dataclasses out of JSON: what was written comes back equal, anything else is refused with its place."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pytest

from ctviewer.core.records import read_record


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    ratio: float
    pair: tuple[int, str] = (0, "")


@dataclass(frozen=True)
class Outer:
    name: str
    colour: Colour
    inner: Inner
    many: tuple[Inner, ...] = ()
    maybe: float | None = None
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sure: bool = False
    anything: Any = None


WHOLE = Outer("n", Colour.BLUE, Inner(0.5, (3, "x")), (Inner(1.0), Inner(2.0)), None, {"a": ("b", "c")}, True, [1])


def plain(one: Outer) -> dict[str, Any]:
    return json.loads(json.dumps(dataclasses.asdict(one) | {"colour": one.colour.value}))


def test_what_was_written_is_read_back_equal():
    assert read_record(Outer, plain(WHOLE)) == WHOLE


def test_what_has_a_default_may_be_left_out_and_whole_numbers_do_for_floats():
    data = {"name": "n", "colour": "red", "inner": {"ratio": 1}, "maybe": 2}
    found = read_record(Outer, data)
    assert found == Outer("n", Colour.RED, Inner(1.0), maybe=2.0) and isinstance(found.inner.ratio, float)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": 3}, "name is 3 and should be a str"),
        ({"colour": "green"}, "colour is 'green' and should be one of red, blue"),
        ({"inner": []}, "inner is not an object"),
        ({"inner": {"ratio": True}}, "inner.ratio is True and should be a float"),
        ({"inner": {"ratio": math.nan}}, "inner.ratio is nan and should be a float"),
        ({"inner": {"ratio": 10**400}}, "inner.ratio is a number with too many digits"),
        ({"inner": {"ratio": 1.0, "pair": [1]}}, "inner.pair has 1 values and should have 2"),
        ({"inner": {"ratio": 1.0, "pair": [1.0, "x"]}}, r"inner.pair\[0\] is 1.0 and should be a int"),
        ({"many": [{}]}, r"many\[0\] lacks the field 'ratio'"),
        ({"many": {}}, "many is not a list"),
        ({"lists": {"a": "b"}}, "lists.a is not a list"),
        ({"lists": []}, "lists is not an object"),
        ({"sure": 1}, "sure is 1 and should be a bool"),
        ({"surprise": 1}, "the whole has the unknown field 'surprise'"),
    ],
)
def test_faults_are_refused_with_their_place(change: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        read_record(Outer, plain(WHOLE) | change, "the whole")


def test_numbers_that_are_not_finite_pass_where_they_are_allowed():
    assert math.isnan(read_record(Inner, {"ratio": math.nan}, finite=False).ratio)


def test_what_is_no_object_is_refused():
    with pytest.raises(ValueError, match="the whole is not an object"):
        read_record(Inner, [], "the whole")
