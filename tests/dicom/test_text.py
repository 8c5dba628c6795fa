from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

from ctviewer.dicom.header import DamagedError
from ctviewer.dicom.reading import read_header
from ctviewer.dicom.tags import PATIENT_NAME
from ctviewer.dicom.text import clean, decode

CHARSET_FILES = sorted((Path(pydicom.__file__).parent / "data" / "charset_files").glob("chr[!S]*.dcm"))


NAMES = {
    "chrArab": "قباني^لنزار",
    "chrFren": "Buc^Jérôme",
    "chrFrenMulti": "Buc^Jérôme",
    "chrGerm": "Äneas^Rüdiger",
    "chrGreek": "Διονυσιος",
    "chrH31": "Yamada^Tarou=山田^太郎=やまだ^たろう",  # PS3.5 H.3.1
    "chrH32": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",  # PS3.5 H.3.2
    "chrHbrw": "שרון^דבורה",
    "chrI2": "Hong^Gildong=洪^吉洞=홍^길동",  # PS3.5 I.2
    "chrJapMulti": "やまだ^たろう",
    "chrJapMultiExplicitIR6": "やまだ^たろう",
    "chrKoreanMulti": "김희중",
    "chrRuss": "Люкceмбypг",
    "chrX1": "Wang^XiaoDong=王^小東=",  # PS3.5 J.1
    "chrX2": "Wang^XiaoDong=王^小东=",  # PS3.5 J.2
}
"""Written down from the standard and the alphabets, not taken from another reader."""


@pytest.mark.parametrize("path", CHARSET_FILES, ids=lambda path: path.stem)
def test_character_sets(path):
    assert read_header(path).text(PATIENT_NAME) == NAMES[path.stem]


@pytest.mark.parametrize("stem", ["chrSQEncoding", "chrSQEncoding1"])
def test_character_sets_of_sequences_alone_are_no_image(stem):
    with pytest.raises(DamagedError, match="incomplete"):
        read_header(CHARSET_FILES[0].with_name(f"{stem}.dcm"))


def test_there_are_character_sets_to_test():
    assert {path.stem for path in CHARSET_FILES} == set(NAMES)


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
        (b"\x1b$B;3ED\x1b(B", b"", "山田"),  # escape sequences to sets that are not stated
        (b"\x1b$)C\xfb\xf3", b"ISO_IR 100", "洪"),
        ("Люк".encode("iso8859-5"), b"ISO IR 144", "Люк"),  # misspelt terms
        ("Люк".encode("iso8859-5"), b"iso-ir_144", "Люк"),
        (b"\xff\xfe", b"utf-7\\idna\\\\", "ÿþ"),
        (b"\x1b", b"\xff", "\x1b"),
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
        ("a\u2028b\u2029c", "a b c"),
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
