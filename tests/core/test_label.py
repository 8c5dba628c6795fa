"""The class of a study as the reader states it: where it comes from, whose it is, and where the study lies."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core.findings import ModelInfo, SliceScore, StudyClassification
from ctviewer.core.label import StudyLabel, class_name, patient_digest, place_of
from ctviewer.core.reading import Reading
from ctviewer.core.series import Patient, Series, SliceRef, Study

CLASSES = ("control", "pneumonia", "covid")
MODEL = ModelInfo("Study", "1.0.0", "study_classifier", "a" * 64, CLASSES, "phantoms", "none", "MIT")
TUNED = replace(MODEL, version="1.1.0", sha256="b" * 64)
AT = "2026-11-22T10:00:00+00:00"


def told(*probabilities: float, model: ModelInfo = MODEL, threshold: float = 0.5, negative: str = "control"):
    return StudyClassification(model, probabilities, negative, threshold, SliceScore.NONE, np.zeros(0))


@pytest.mark.parametrize(
    ("probabilities", "threshold", "negative", "answer"),
    [
        ((0.1, 0.2, 0.7), 0.5, "control", ("covid",)),
        ((0.6, 0.3, 0.1), 0.5, "control", ("control",)),
        ((0.6, 0.3, 0.1), 0.3, "control", ("pneumonia",)),  # positive by the model's own threshold
        ((0.45, 0.3, 0.25), 0.6, "control", ("control",)),
        ((0.2, 0.3, 0.5), 0.5, "", ("covid",)),
        ((0.05, 0.8, 0.9), 0.5, "", ("covid", "pneumonia")),  # several at once: probabilities do not sum to 1
        ((0.1, 0.4, 0.45), 0.3, "control", ("covid",)),
    ],
)
def test_what_a_model_names_follows_its_threshold(probabilities, threshold, negative, answer):
    assert told(*probabilities, threshold=threshold, negative=negative).answer == answer


def test_a_label_that_says_what_a_model_said_is_that_models_output():
    label = StudyLabel.stated(["covid"], [told(0.1, 0.1, 0.8)], AT)
    assert label.accepted is not None and label.accepted.model == "Study 1.0.0"
    assert label.origin == "accepted from Study 1.0.0"


def test_a_correction_is_the_readers_own_and_still_known_to_be_made_in_view_of_the_model():
    label = StudyLabel.stated(["control"], [told(0.1, 0.1, 0.8)], AT)
    assert label.accepted is None and label.origin == "reader's own, against Study 1.0.0"
    assert label.knows({MODEL.sha256}) and not label.knows({TUNED.sha256}) and not label.knows(())


def test_a_label_before_any_answer_is_free_of_models():
    label = StudyLabel.stated(["covid"], [], AT)
    assert label.accepted is None and label.origin == "reader's own, before any model's answer"
    assert not label.knows({MODEL.sha256})


def test_all_models_whose_answers_were_known_are_kept_the_newest_of_each():
    known = [told(0.9, 0.05, 0.05, model=TUNED), told(0.1, 0.1, 0.8), told(0.9, 0.1, 0.0)]
    label = StudyLabel.stated(["covid"], known, AT)
    assert [(a.version, a.classes) for a in label.seen] == [("1.1.0", ("control",)), ("1.0.0", ("covid",))]
    assert label.accepted is not None and label.accepted.version == "1.0.0", "the newest said otherwise"
    assert label.knows({TUNED.sha256})


def test_several_classes_are_accepted_only_as_a_whole():
    both = told(0.05, 0.8, 0.9, negative="")
    assert StudyLabel.stated(["pneumonia", "covid"], [both], AT).accepted is not None
    assert StudyLabel.stated(["covid"], [both], AT).accepted is None


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("  Sarcoidosis ", "Sarcoidosis"),
        ("a|b\nc\td", "a b c d"),
        ("COVID", "covid"),
        ("\u202e", ""),
        ("", ""),
        ("x" * 200, "x" * 60),
    ],
)
def test_a_class_of_ones_own_fits_a_table(typed, name):
    assert class_name(typed, CLASSES) == name


def series(paths=("a.dcm",), **patient: str) -> Series:
    refs = tuple(SliceRef(Path(path)) for path in paths)
    return Series("k", "1.2", "CT", Patient(**patient), Study("1.1"), refs, 8, 8)


def test_a_patient_is_one_value_that_names_nobody():
    first = patient_digest(series(name="Müller^Anna", patient_id="P1"))
    assert first == patient_digest(series(name="MULLER^ANNA", patient_id=" P1"))
    assert first != patient_digest(series(patient_id="P2")) and "P1" not in first and len(first) == 16
    assert patient_digest(series(name="A^B", birth_date="1960")) != patient_digest(series(name="A^B"))
    nobody = series()
    assert patient_digest(nobody) != patient_digest(replace(nobody, study=Study("1.9")))


def test_the_place_is_the_narrowest_that_holds_the_series(tmp_path):
    folder = tmp_path / "patients" / "one"
    folder.mkdir(parents=True)
    files = [folder / "1.dcm", folder / "2.dcm"]
    for file in files:
        file.touch()
    assert place_of(series(files)) == folder
    assert place_of(series(files[:1] * 3)) == files[0], "frames of one file"
    (tmp_path / "patients" / "two").mkdir()
    assert place_of(series([*files, tmp_path / "patients" / "two" / "3.dcm"])) == tmp_path / "patients"


def test_the_place_of_slices_in_an_archive_is_the_archive(tmp_path):
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a/1.dcm", b"")
    assert place_of(series([archive / "a" / "1.dcm", archive / "a" / "2.dcm"])) == archive


def test_slices_that_lie_nowhere_have_no_place():
    assert place_of(series(())) is None
    assert place_of(series([Path("/not here/1"), Path("/nor there/1")])) is None


def test_other_pixels_take_the_words_over_and_not_the_class():
    label = StudyLabel(("covid",))
    reading = Reading("k", "1.2", ("aa", "bb"), comment="c", label=label)
    moved = reading.on_other_pixels(("aa", "xx"))
    assert moved.comment == "c" and moved.label is None and reading.label is label
