"""The two header readers against each other on damaged files, and whole data sets with any values."""

from __future__ import annotations

import io

import pytest
from fuzz.cases import Case, case
from fuzz.elements import Element, build, parse
from fuzz.seeds import FAMILIES, seed
from fuzz.trial import GOOD, attempt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctviewer.dicom.fast_header import read_fast
from ctviewer.dicom.header import DamagedError, NotDicomError
from ctviewer.dicom.slow_header import read_slow

_MARKED = [family for family in FAMILIES if seed(family).is_dicom and seed(family).data[128:132] == b"DICM"]
_NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(str),
    st.integers(-(10**12), 10**12).map(str),
    st.text("0123456789+-.eE \\_", max_size=40),
).map(str.encode)
_TEXTS = st.one_of(st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=70))
_VALUES = {b"DS": _NUMBERS, b"IS": _NUMBERS, b"US": st.binary(min_size=0, max_size=6)}
_KEPT = (0x0010_0010, 0x0010_0020)  # the name and the number that must not be told


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of the damage that is made here
def test_what_the_fast_reader_accepts_pydicom_reads_alike():
    compared = 0
    for number in range(1, 60):
        for family in _MARKED[number % 3 :: 3]:
            data = case(family, number, 4).data
            try:
                fast = read_fast(io.BytesIO(data), len(data))
                slow = read_slow(io.BytesIO(data), len(data)) if fast is not None else None
            except (DamagedError, NotDicomError, OSError):
                continue
            if fast is not None and slow is not None:
                compared += 1
                keys = [key for key in fast.values.keys() | slow.values.keys() if key != 0x0008_0005]
                assert {key: fast.values.get(key) for key in keys} == {key: slow.values.get(key) for key in keys}, (
                    family,
                    number,
                )
                assert (fast.pixels, fast.syntax) == (slow.pixels, slow.syntax), (family, number)
    assert compared > 100


@st.composite
def _data_sets(draw: st.DrawFn) -> bytes:
    """A valid file in which some attributes have any values that their representation can hold."""
    file = parse(seed("explicit").data)
    chosen = draw(st.lists(st.sampled_from([x for x in file.elements if x.items is None]), max_size=6, unique_by=id))
    for one in chosen:
        if one.tag in (*_KEPT, 0x7FE0_0010):
            continue
        value = draw(_VALUES.get(one.vr, _TEXTS))
        file = file.put(Element(one.tag, one.vr, value + b" " * (len(value) % 2)))
    return build(file)


@settings(max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(_data_sets())
def test_any_values_are_opened_or_refused_in_words(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("opened")
    verdict = attempt(Case("explicit", 0, ("values",), False, False, data), folder)
    assert verdict.name in GOOD, verdict
