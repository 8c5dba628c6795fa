"""The class that a reader stated: kept with its provenance and place, listed while the files exist."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ctviewer.core.findings import AnalysisResult
from ctviewer.core.interpretation import Interpretation
from ctviewer.core.label import StudyLabel
from ctviewer.core.reading import Reading
from ctviewer.library import WorkStore, schema

Digests = Callable[..., tuple[str, ...]]


def at(hour: int) -> str:
    return f"2026-11-22T{hour:02d}:00:00+00:00"


@pytest.fixture
def label(result: AnalysisResult) -> StudyLabel:
    assert result.classification is not None
    return StudyLabel.stated(["other"], [result.classification], at(10))


@pytest.fixture
def labelled(reading: Reading, label: StudyLabel, tmp_path: Path) -> Reading:
    return replace(reading, label=label, place=tmp_path, patient="d" * 16)


def test_a_label_comes_back_with_its_provenance_after_a_restart(
    store: WorkStore, labelled: Reading, digests: Digests
) -> None:
    store.save_reading(labelled)
    store.close()
    with WorkStore(store.path.parents[1]) as again:
        found = again.load_reading(labelled.series_key, digests(5))
        assert found is not None
        assert (found.label, found.place, found.patient) == (labelled.label, labelled.place, "d" * 16)
        assert found.label is not None and found.label.accepted is not None
        assert found.label.accepted.sha256 == "ab" * 32


def test_a_label_taken_back_is_gone_and_the_words_stay(store: WorkStore, labelled: Reading, digests: Digests) -> None:
    store.save_reading(replace(labelled, comment="seen"))
    store.save_reading(replace(labelled, comment="seen", label=None))
    found = store.load_reading(labelled.series_key, digests(5))
    assert found is not None and found.label is None and found.comment == "seen"
    assert store.labelled_studies() == () and store.stated_classes() == ()


def test_labels_of_changed_pixels_stay_with_their_pixels(
    store: WorkStore, labelled: Reading, digests: Digests, told: list[str]
) -> None:
    store.save_reading(replace(labelled, comment="seen"))
    changed = (*digests(5)[:4], digests(5, "other")[4])
    found = store.load_reading(labelled.series_key, changed)
    assert found is not None and found.label is None and found.comment == "seen"
    assert "the stated class are not shown" in told[0]
    store.save_reading(found)
    old = store.load_reading(labelled.series_key, digests(5))
    assert old is not None and old.label == labelled.label


def test_the_list_names_what_was_labelled_and_still_exists(
    store: WorkStore, labelled: Reading, tmp_path: Path, digests: Digests
) -> None:
    study = tmp_path / "one"
    study.mkdir()
    store.save_reading(replace(labelled, place=study))
    gone = replace(labelled, series_key="9", slice_digests=digests(5, "gone"), place=tmp_path / "gone")
    store.save_reading(gone)
    store.save_reading(replace(labelled, series_key="8", slice_digests=digests(5, "none"), label=None))
    (found,) = store.labelled_studies()
    assert (found.place, found.series_key, found.patient) == (study, labelled.series_key, "d" * 16)
    assert found.label == labelled.label and found.content == labelled.content and found.stated is None
    (tmp_path / "gone").touch()
    assert len(store.labelled_studies()) == 2


def test_of_one_series_the_class_stated_last_counts(store: WorkStore, labelled: Reading, digests: Digests) -> None:
    later = StudyLabel(("normal",), (), at(11))
    store.save_reading(replace(labelled, slice_digests=digests(9), label=later))
    store.save_reading(labelled)
    (found,) = store.labelled_studies()
    assert found.label == later and found.content == replace(labelled, slice_digests=digests(9)).content


def test_what_was_stated_of_the_images_goes_with_the_label(store: WorkStore, labelled: Reading) -> None:
    stated = Interpretation("HU", 1.0, -1024.0, order="head-first")
    store.save_statement("nifti:1", stated)
    store.save_reading(replace(labelled, series_key="nifti:1~1x-1024"))
    (found,) = store.labelled_studies()
    assert (found.series_key, found.stated) == ("nifti:1", stated)


def test_classes_are_known_again_the_most_frequent_first(store: WorkStore, labelled: Reading) -> None:
    for number, classes in enumerate((("b", "a"), ("b",), ("c", "b"), ("a",))):
        store.save_reading(replace(labelled, series_key=str(number), label=StudyLabel(classes)))
    assert store.stated_classes() == ("b", "a", "c")


@pytest.mark.parametrize(("column", "text"), [("classes", "{"), ("seen", "[1]"), ("seen", '[{"classes": []}]')])
def test_a_label_that_cannot_be_read_is_none(
    store: WorkStore, labelled: Reading, digests: Digests, column: str, text: str
) -> None:
    store.save_reading(labelled)
    store._db.execute(f"UPDATE label SET {column} = ?", (text,))
    found = store.load_reading(labelled.series_key, digests(5))
    assert found is not None and found.label is None
    assert store.labelled_studies() == ()


def test_a_store_of_the_program_before_gets_labels(
    tmp_path: Path, labelled: Reading, digests: Digests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file as schema 2 had it, with a reading in it."""
    path = tmp_path / "library" / "work.sqlite3"
    path.parent.mkdir()
    db = sqlite3.connect(path, isolation_level=None)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_MIGRATIONS", schema._MIGRATIONS[:2])
        schema.migrate(db)
    db.execute(
        "INSERT INTO reading (series_key, content, series_uid, study_uid, slice_digests, question, comment, last_slice,"
        " saved_at) VALUES (?, ?, '1.2.3', '1.2', ?, '', 'kept', '', '2026')",
        (labelled.series_key, labelled.content, '["' + '", "'.join(digests(5)) + '"]'),
    )
    db.close()
    with WorkStore(tmp_path) as store:
        found = store.load_reading(labelled.series_key, digests(5))
        assert found is not None
        assert (found.comment, found.label, found.place, found.patient) == ("kept", None, None, "")
        store.save_reading(replace(found, label=labelled.label, place=tmp_path, patient="p"))
        assert len(store.labelled_studies()) == 1
