"""The window's side of a run: JSON lines on standard output, words on standard input."""

from __future__ import annotations

import json

import pytest

from ctviewer.app.cli import BAD_INPUT
from ctviewer.training.preflight.report import from_json
from ctviewer.training.run_folder import read_state
from ctviewer.training.run_record import read_events


@pytest.fixture
def steered(start, make_config, tmp_path):
    """A run of many epochs, once it has done its first step: `steered()` gives the process and the folder."""

    def begin():
        folder = tmp_path / "run"
        config = make_config(epochs=200, minutes=5)
        process = start(config, "--out", folder, "--accept-doubts", "all", "--events", "jsonl", commands=True)
        process.heard("StepDone")
        return process, folder

    return begin


def kinds(process):
    return [event["event"] for event in process.events]


def test_pause_by_a_word_and_by_the_end_of_the_window(start, steered):
    process, folder = steered()
    process.tell("who knows")
    process.tell("pause")
    assert process.wait() == 0, process.errors
    assert kinds(process)[-1] == "Paused" and "Saved" in kinds(process)
    assert read_state(folder).state == "paused"
    first = process.events[-1]["step"]

    resumed = start("--resume", folder, "--events", "jsonl", commands=True)
    resumed.heard("StepDone")
    assert next(event for event in resumed.events if event["event"] == "StepDone")["step"] == first + 1
    assert next(event for event in resumed.events if event["event"] == "RunBegun")["resumed"] == first
    resumed.close_input()  # the window died
    assert resumed.wait() == 0, resumed.errors
    assert kinds(resumed)[-1] == "Paused" and resumed.errors == ""


def test_stop_keeps_the_best_so_far(steered):
    process, folder = steered()
    process.heard("EpochDone", 2)
    process.tell("stop")
    assert process.wait() == 0, process.errors
    last = process.events[-1]
    assert last["event"] == "RunFinished" and last["stopped"] and last["key"] == "toy 1.0.0"
    assert read_state(folder).state == "stopped" and read_state(folder).bundle == last["bundle"]
    assert sum(kind == "EpochDone" for kind in kinds(process)) < 200


def test_cancel_keeps_nothing(steered, private_folders, studies):
    process, folder = steered()
    process.tell("pause\ncancel")  # the last word counts; in one piece, for a pause is obeyed at once
    assert process.wait() == 0, process.errors
    assert kinds(process)[-1] == "RunCancelled"
    assert not folder.exists() and not list(private_folders.rglob("*.safetensors"))


def test_all_that_is_said_is_understood_and_names_no_patient(start, steered, studies):
    process, folder = steered()
    process.tell("pause")
    process.wait()
    checked = next(event for event in process.events if event["event"] == "Checked")
    assert from_json(checked["report"]).studies == 16
    kept = (folder / "events.jsonl").read_text()
    assert "Mustermann" not in kept and "s00" not in kept and str(studies) not in kept
    assert len(read_events(folder)) == len(kept.splitlines())
    placed = next(event for event in process.events if event["event"] == "RunPlaced")
    assert placed["folder"] == str(folder)


def test_check_for_the_window(start, make_config, make_studies, tmp_path):
    process = start(make_config(), "--check", "--events", "jsonl", commands=True)
    assert process.wait() == 0, process.errors
    assert kinds(process)[-1] == "Checked" and "Progress" in kinds(process)
    folder = make_studies(tmp_path / "one-class", 4)
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace("sick", "well"))
    config = make_config(folder=folder)
    config.write_text(config.read_text().replace('start = "scratch"', 'start = "scratch"\nhead = "multi_class"'))
    blocked = start(config, "--check", "--events", "jsonl", commands=True)
    assert blocked.wait() == BAD_INPUT
    assert blocked.events[-1]["report"]["blocked"] is True


def test_a_fault_is_told_to_the_window(start, make_config, tmp_path):
    process = start(make_config(more="epoch = 3\n"), "--events", "jsonl", commands=True)
    assert process.wait() == BAD_INPUT
    assert json.loads(process.out) == {
        "event": "RunFailed",
        "text": f"{tmp_path / 'run.toml'}: the key recipe.epoch is not known; is epochs meant?",
        "resumable": False,
    }
    assert process.errors.startswith(f"ctviewer: {tmp_path / 'run.toml'}: the key")
