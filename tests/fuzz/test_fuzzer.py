"""That the fuzzer sees what it is there to see."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from fuzz import misbehaving, trial
from fuzz.cases import Case
from fuzz.runner import run
from fuzz.seeds import PATIENT_NAME, seed
from fuzz.trial import attempt

from ctviewer.core.errors import InputError


@pytest.fixture
def whole() -> Case:
    """A case that nothing was done to."""
    return Case("explicit", 0, (), True, False, seed("explicit").data)


@pytest.fixture
def folder(tmp_path):
    opened = tmp_path / "opened"
    opened.mkdir()
    return opened


def test_an_unchanged_file_opens_with_equal_pixels(whole, folder):
    assert attempt(whole, folder).name == "equal"
    assert list(folder.iterdir()) == []


def _raising(error):
    def act(path):
        raise error
        yield

    return act


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (ValueError("bad"), "foreign"),
        (MemoryError(), "foreign"),
        (InputError("It cannot be opened."), "unnamed"),
        (InputError("IM1.dcm cannot be opened"), "unprintable"),
        (InputError("IM1.dcm\0 cannot be opened."), "unprintable"),
        (InputError(f"IM1.dcm of {PATIENT_NAME} cannot be opened."), "patient-data"),
        (InputError("IM1.dcm cannot be opened."), "wrong-pixels"),
    ],
)
def test_errors_that_break_a_rule_are_failures(whole, folder, monkeypatch, error, verdict):
    trial._truth(seed("explicit"), whole.data)
    monkeypatch.setattr(trial, "scan", _raising(error))
    assert attempt(whole, folder).name == verdict


def test_other_pixels_after_a_harmless_change_are_a_failure(whole, folder, monkeypatch):
    trial._truth(seed("explicit"), whole.data)
    real = trial.load

    def load(series):
        for event in real(series):
            if isinstance(event, trial.VolumeReady):
                event.volume.stored[0, 0, 0] += 1
            yield event

    monkeypatch.setattr(trial, "load", load)
    assert attempt(whole, folder).name == "wrong-pixels"


def test_a_file_written_into_the_opened_folder_is_a_failure(whole, folder, monkeypatch):
    def scan(path):
        (path.parent / "index.db").write_text("")
        raise InputError(f"{path} cannot be opened.")
        yield

    monkeypatch.setattr(trial, "scan", scan)
    assert attempt(whole, folder).name == "written"


def test_a_name_in_the_log_is_a_failure(whole, folder, monkeypatch, expected_logs):
    def scan(path):
        logging.getLogger("somebody").warning("of %s", PATIENT_NAME)
        raise InputError(f"{path} cannot be opened.")
        yield

    monkeypatch.setattr(trial, "scan", scan)
    assert attempt(whole, folder).name == "patient-data"


@pytest.mark.parametrize("what", ["crash", "hang"])
def test_a_process_that_dies_or_hangs_is_a_failure_and_the_rest_is_tried(what, whole):
    several = [Case(whole.family, number, (), True, False, b"") for number in range(3)]
    verdicts = {case.number: v.name for case, v in run(several, 1, getattr(misbehaving, what), hang_seconds=0.5)}
    assert verdicts == {0: "equal", 1: what, 2: "equal"}


def test_seeds_are_what_they_should_be():
    for family in (
        "implicit",
        "big_endian",
        "deflated",
        "rle",
        "jpeg_ls_80",
        "jpeg_2000_90",
        "jpeg_xl_110",
        "frames_native",
    ):
        start = seed(family)
        opened = trial._truth(start, start.data)
        assert np.array_equal(np.stack(list(opened.slices.values())), start.pixels), family
