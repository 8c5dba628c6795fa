from __future__ import annotations

import pytest

from ctviewer.core.errors import InputError
from ctviewer.core.interpretation import Interpretation, parse_spacing, parse_values


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("hu", ("HU", 1.0, 0.0)),
        ("HU", ("HU", 1.0, 0.0)),
        ("hu+1024", ("HU", 1.0, -1024.0)),
        ("hu - 1000", ("HU", 1.0, 1000.0)),
        ("hu=0.5*x-1000", ("HU", 0.5, -1000.0)),
        ("hu=-2*x", ("HU", -2.0, 0.0)),
        ("hu=1e-3*x+1e2", ("HU", 0.001, 100.0)),
        ("grey", ("", 1.0, 0.0)),
        ("gray", ("", 1.0, 0.0)),
    ],
)
def test_values(text, meaning):
    stated = parse_values(text)
    assert (stated.unit, stated.slope, stated.intercept) == meaning


@pytest.mark.parametrize(
    "text", ["", "hounsfield", "hu1024", "hu+", "hu=x", "hu=0*x", "hu+nan", "hu=1e99*x", "hu+1e12"]
)
def test_values_that_are_not_understood_are_refused_by_name(text):
    with pytest.raises(InputError, match="--values"):
        parse_values(text)


def test_spacing():
    assert parse_spacing("0.7x0.8").pixel_spacing == (0.7, 0.8)
    full = parse_spacing("0.7X0.8x1.25")
    assert (full.pixel_spacing, full.slice_spacing) == ((0.7, 0.8), 1.25)


@pytest.mark.parametrize("text", ["1", "1x", "axb", "0x1", "1x1x-2", "nanx1", "1x1x1x1", "1x5000"])
def test_spacing_that_is_impossible_is_refused_by_name(text):
    with pytest.raises(InputError, match="--spacing"):
        parse_spacing(text)


def test_a_statement_in_words():
    stated = Interpretation("HU", 1.0, -1024.0, (0.7, 0.7), 1.25, "head-first")
    assert stated.values_text == "the file holds Hounsfield units + 1024"
    assert stated.spacing_text == "pixels of 0.7 mm, 1.25 mm between slices"
    assert stated.order_text.endswith("nearest to the head")
    assert Interpretation("HU", 0.5, -1000).values_text == "Hounsfield units are 0.5 times the value in the file -1000"
    assert (Interpretation().values_text, Interpretation().spacing_text, Interpretation().order_text) == ("", "", "")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"unit": "Bq"}, "states HU or plain grey values"),
        ({"order": "up"}, "head first or feet first"),
        ({"slope": 2.0}, "lead to Hounsfield units only"),
        ({"unit": "HU", "slope": 0.0}, "a slope of 0"),
        ({"slice_spacing": float("nan")}, "a distance of nan mm"),
    ],
)
def test_impossible_statements_cannot_be_made(fields, reason):
    with pytest.raises(ValueError, match=reason):
        Interpretation(**fields)
