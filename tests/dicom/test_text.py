from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

from ctviewer.dicom.reading import read_header
from ctviewer.dicom.tags import PATIENT_NAME
from ctviewer.dicom.text import clean, decode

CHARSET_FILES = sorted((Path(pydicom.__file__).parent / "data" / "charset_files").glob("chr[!S]*.dcm"))


@pytest.mark.parametrize("path", CHARSET_FILES, ids=lambda path: path.stem)
def test_character_sets(path):
    expected = str(pydicom.dcmread(path).PatientName)
    found = read_header(path).text(PATIENT_NAME)
    assert found.rstrip("=") == expected.rstrip("=")


def test_there_are_character_sets_to_test():
    assert len(CHARSET_FILES) >= 10


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        (b"plain ", b"", "plain"),
        (b"padded\0", b"ISO_IR 100", "padded"),
        ("Jürgen".encode("latin-1"), b"ISO_IR 100", "Jürgen"),
        ("Jürgen".encode(), b"ISO_IR 192", "Jürgen"),
        ("Jürgen".encode(), b"", "Jürgen"),
        ("Jürgen".encode("latin-1"), b"ISO_IR 192", "Jürgen"),
        ("Jürgen".encode("latin-1"), b"NO SUCH SET", "Jürgen"),
        ("王小东".encode("gb18030"), b"GB18030", "王小东"),
        (b"\x1b$B;3ED\x1b(B", b"\\ISO 2022 IR 87", "山田"),
    ],
)
def test_decoding_never_fails(raw, charset, text):
    assert decode(raw, charset) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" A^B ", "A^B"),
        ("A\x00B\x1bC\x07", "ABC"),
        ("line\r\nbreak", "line  break"),
        ("left\u202eright", "leftright"),
        ("n\u00e9", "né"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("x" * 500, "x" * 199 + "…"),
        ("x" * 200, "x" * 200),
        ("\ud800\uffff", ""),
    ],
)
def test_cleaning(text, shown):
    assert clean(text) == shown


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of the length
def test_names_in_files_are_cleaned(written, edit, only):
    made = written()
    edit(made.paths, lambda d, i: d.add_new("PatientName", "LO", "Evil\x07^Name" + "y" * 400), SeriesDescription="a\tb")
    series = only(made.folder)
    assert series.patient.name.startswith("Evil^Name") and len(series.patient.name) == 200
    assert series.description == "a b"
