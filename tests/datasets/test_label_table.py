"""Reading labels.csv as spreadsheets write it, and saying what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.errors import InputError
from ctviewer.datasets.label_table import LabelRow, read_labels, write_labels
from ctviewer.datasets.stating import read_statement

PLAIN = "study,patient,class,split\na,p1,covid,train\nb,p2,control|nodule,\n"


def table(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_row_says_whose_study_it_is_and_what_it_shows(tmp_path):
    first, second = read_labels(table(tmp_path, PLAIN))
    assert (first.study, first.patient, first.classes, first.split, first.line) == ("a", "p1", ("covid",), "train", 2)
    assert second.classes == ("control", "nodule") and second.split == ""


@pytest.mark.parametrize(
    "raw",
    [
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode("utf-16"),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        b"sep=;\r\n" + PLAIN.replace(",", ";").encode(),
        PLAIN.replace("study,patient,class", " Study ID,PATIENT_ID, Label").encode(),
    ],
)
def test_spreadsheets_of_all_kinds_say_the_same(tmp_path, raw):
    assert [(r.study, r.patient, r.classes, r.split) for r in read_labels(table(tmp_path, raw))] == [
        ("a", "p1", ("covid",), "train"),
        ("b", "p2", ("control", "nodule"), ""),
    ]


def test_umlauts_of_windows_are_read(tmp_path):
    (row,) = read_labels(table(tmp_path, "study,patient,class\na,Müller,grün\n".encode("cp1252")))
    assert (row.patient, row.classes) == ("Müller", ("grün",))


def test_unknown_columns_are_kept_and_blank_lines_passed_over(tmp_path):
    rows = read_labels(table(tmp_path, "study,patient,class,Site,Reader\n\na,007,x,Ulm,R1\n,,,,\nb,8,y\n"))
    assert [row.extra for row in rows] == [{"Site": "Ulm", "Reader": "R1"}, {"Site": "", "Reader": ""}]
    assert rows[0].patient == "007" and [row.line for row in rows] == [3, 5]


def test_a_date_is_read_as_excel_writes_it_in_germany(tmp_path):
    rows = read_labels(table(tmp_path, "study;patient;class;date\na;1;x;31.01.2024\nb;2;y;2024-02-01\n"))
    assert [row.date for row in rows] == ["2024-01-31", "2024-02-01"]


@pytest.mark.parametrize(
    ("word", "split"),
    [
        ("Validation", "val"),
        ("TEST", "test"),
        ("Train-Only", "train-only"),
        ("external: Ulm", "external:Ulm"),
        ("", ""),
    ],
)
def test_splits_are_read(tmp_path, word, split):
    (row,) = read_labels(table(tmp_path, f"study,patient,class,split\na,p,x,{word}\n"))
    assert row.split == split


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("study,class\na,x\n", 1, "no column 'patient'"),
        ("study,patient,class,label\na,p,x,y\n", 1, "'class' more than once"),
        ("study,patient,class\na,,x\n", 2, "the patient is empty"),
        ("study,patient,class\na,p,x|\n", 2, "an empty part"),
        ("study,patient,class\na,p,x|x\n", 2, "one class twice"),
        ("study,patient,class\na,p,x\na,q,y\n", 3, "the study a stands in line 2 already"),
        ("study,patient,class\n../a,p,x\n", 2, "inside the folder"),
        ("study,patient,class\n/a,p,x\n", 2, "inside the folder"),
        ("study,patient,class\nC:\\a,p,x\n", 2, "inside the folder"),
        ("study,patient,class,split\na,p,x,holdout\n", 2, "none of train, train-only, val, test"),
        ("study,patient,class,split\na,p,x,external:\n", 2, "none of train, train-only, val, test"),
        ("study,patient,class\na,p,x,more\n", 2, "4 cells and the heading has 3"),
        ('study,patient,class\na,p,"x\n', 2, "no table"),
        ("study,patient,class,values\na,p,x,perhaps\n", 2, "The statement perhaps is not understood; give hu"),
        ("study,patient,class,spacing\na,p,x,1x0x1\n", 2, "The statement 1x0x1: a distance of 0 mm is not possible."),
        ("study,patient,class,order\na,p,x,upwards\n", 2, "neither head-first nor feet-first"),
        ("study,patient,class,date\na,p,x,31.1.24\n", 2, "not of the form 2024-01-31"),
        ("study,patient,class,date\na,p,x,31.02.2024\n", 2, "not of the form 2024-01-31"),
        ('study,patient,class\na,p,"x\ny"\n', 3, "no plain text on one line"),
        ("study,patient,class,values\na,p,x,window=-600/0\n", 2, "window without width"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path, text, line, why):
    path = table(tmp_path, text)
    with pytest.raises(InputError) as error:
        read_labels(path)
    assert str(error.value).startswith(f"{path}, line {line}: ") and why in str(error.value)


def test_several_faults_are_counted(tmp_path):
    with pytest.raises(InputError, match=r"line 2: the patient is empty \(1 more lines"):
        read_labels(table(tmp_path, "study,patient,class\na,,x\nb,,x\n"))


def test_without_a_folder_each_study_has_an_absolute_path(tmp_path):
    text = "study,patient,class,path,origin\n/data/a,p,x,,\none,q,y,C:\\data\\b.zip,accepted from M 1.0.0\n"
    first, second = read_labels(table(tmp_path, text), in_folder=False)
    assert (first.study, first.path) == ("/data/a", "/data/a")
    assert (second.study, second.path, second.origin) == ("one", "C:\\data\\b.zip", "accepted from M 1.0.0")
    with pytest.raises(InputError, match=r"line 2: the path 'a' is not absolute, and no folder was given"):
        read_labels(table(tmp_path, "study,patient,class\na,p,x\n"), in_folder=False)
    with pytest.raises(InputError, match=r"line 2: the path '\.\./b' is not absolute"):
        read_labels(table(tmp_path, "study,patient,class,path\na,p,x,../b\n"))


def test_what_is_written_is_read_again(tmp_path):
    stated = read_statement("hu+1024", "1x1x2", "head-first")
    rows = (
        LabelRow("s1", "p1", ("a", "b"), "train-only", 2, "1.2#ab", stated, "2024-01-31", '/da,ta/"x"', "own", "ab12"),
        LabelRow("s2", "Müller", ("c",), "external:Ulm", 3, path="/data/ü"),
    )
    path = tmp_path / "deep" / "labels.csv"
    write_labels(path, rows)
    assert read_labels(path, in_folder=False) == rows


@pytest.mark.parametrize("raw", [b"", b"study,patient,class\n", b"PK\x03\x04\0\0\0\0"])
def test_what_is_no_table_is_refused(tmp_path, raw):
    with pytest.raises(InputError, match=r"labels\.csv"):
        read_labels(table(tmp_path, raw))


def test_an_absent_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"^There is no labels\.csv in "):
        read_labels(tmp_path / "labels.csv")


@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=100).map(lambda t: ("study,patient,class\n" + t).encode("utf-8", "replace")),
    )
)
def test_no_bytes_at_all_end_in_anything_but_rows_or_words(tmp_path_factory, raw):
    path = tmp_path_factory.getbasetemp() / "labels.csv"
    path.write_bytes(raw)
    try:
        assert all(row.study and row.patient and row.classes for row in read_labels(path))
    except InputError as error:
        assert str(error).startswith(str(path)) and str(error).endswith(".")


def test_masks_and_complete_reviews_are_columns_and_the_class_may_be_left_open(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text(
        "study,patient,class,masks,Reviewed completely\ns1,p1,,masks/a,yes\ns2,p1,covid,,No\ns3,p2,covid,,\n"
    )
    rows = read_labels(table, classless=True)
    assert [(row.classes, row.masks, row.complete) for row in rows] == [
        ((), "masks/a", True),
        (("covid",), "", False),
        (("covid",), "", None),
    ]
    write_labels(table, rows)
    again = read_labels(table, classless=True)
    assert [(row.classes, row.masks, row.complete) for row in again] == [(r.classes, r.masks, r.complete) for r in rows]
    with pytest.raises(InputError, match="line 2: the class is empty"):
        read_labels(table)
    table.write_text("study,patient,class,complete\ns1,p1,covid,partly\n")
    with pytest.raises(InputError, match="line 2: 'partly' under complete is neither yes nor no"):
        read_labels(table)
