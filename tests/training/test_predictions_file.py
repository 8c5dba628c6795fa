"""Predictions on disk: the same when read again, and refused in words when they are something else."""

from __future__ import annotations

import json

import pytest

from ctviewer.core.errors import InputError
from ctviewer.training.predictions import patient_digest
from ctviewer.training.predictions_file import read_predictions, to_json, write_predictions


def test_what_is_written_is_read(predictions_of, tmp_path):
    made = predictions_of(exclusive=False, negative="")
    write_predictions(tmp_path / "predictions.json", made)
    assert read_predictions(tmp_path / "predictions.json") == made


def test_a_patient_is_known_by_a_digest_alone():
    assert patient_digest("Müller^Anna") != patient_digest("Muller^Anna")
    assert patient_digest("x") == patient_digest("x") and len(patient_digest("x")) == 16


def changed(data, **changes):
    return {**data, **changes}


def with_case(data, **changes):
    return {**data, "cases": [{**data["cases"][0], **changes}, *data["cases"][1:]]}


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda d: changed(d, schema="other"), "holds no predictions"),
        (lambda d: [d], "holds no predictions"),
        (lambda d: changed(d, version=2), "version 2"),
        (lambda d: changed(d, classes=["a", "a", "b"]), "repeat"),
        (lambda d: changed(d, negative_class="sick"), "'sick' is none of its classes"),
        (lambda d: changed(d, threshold=0), "not between 0 and 1"),
        (lambda d: changed(d, extra=1), "unknown field 'extra'"),
        (lambda d: with_case(d, logits=[1.0]), "one logit for each class"),
        (lambda d: with_case(d, study="s1"), "twice"),
        (lambda d: with_case(d, attention=[1.0]), "attention weight for each slice"),
        (lambda d: with_case(d, logits=["a", 0, 0]), "logits"),
        (lambda d: with_case(d, logits=[float("nan"), 0, 0]), "logits"),
    ],
)
def test_a_file_that_is_no_such_file(predictions_of, tmp_path, damage, why):
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps(damage(json.loads(json.dumps(to_json(predictions_of()))))))
    with pytest.raises(InputError, match=why) as told:
        read_predictions(path)
    assert str(path) in str(told.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100000])
def test_a_file_that_is_no_json(tmp_path, content):
    path = tmp_path / "predictions.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"not valid JSON|holds no predictions"):
        read_predictions(path)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="could not be read: No such file"):
        read_predictions(tmp_path / "predictions.json")
