"""Names, dates and times as a reader expects them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.people import date_text, person_name, time_text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Doe^Jane", "Doe, Jane"),
        ("Doe^Jane^M^Dr.^MD", "Doe, Dr. Jane M MD"),
        ("Doe^^^^", "Doe"),
        ("^Jane", "Jane"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou = 山田, 太郎 = やまだ, たろう"),
        ("=山田^太郎", "山田, 太郎"),
        ("Buc^Jérôme", "Buc, Jérôme"),
        ("قباني^لنزار", "قباني, لنزار"),
        ("ANON 123", "ANON 123"),
        (" Doe ^ Jane ", "Doe, Jane"),
        ("", ""),
        ("^^^^", ""),
        ("a^b^c^d^e^f^g=1=2=3=4", "a, d b c e = 1 = 2"),
        ("Doe\x1b[31m^Ja\nne\x00", "Doe[31m, Jane"),
    ],
)
def test_person_name(value, shown):
    assert person_name(value) == shown


@given(st.text())
def test_any_name_is_one_printable_line(value):
    assert person_name(value).isprintable()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("20240131", "2024-01-31"),
        ("2024.01.31", "2024-01-31"),
        (" 20240131 ", "2024-01-31"),
        ("2024", "2024"),
        ("", ""),
        ("２０２４０１３１", "２０２４０１３１"),
        ("20240131-20240201", "20240131-20240201"),
    ],
)
def test_date(value, shown):
    assert date_text(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [("134502.12", "13:45"), ("1345", "13:45"), ("13:45:02", "13:45"), ("13", "13"), ("", ""), ("noon", "noon")],
)
def test_time(value, shown):
    assert time_text(value) == shown
