"""`ctviewer train` on the command line."""

from __future__ import annotations

import json
import os
import re
import shutil
from types import SimpleNamespace

import pytest

from ctviewer.app.cli import BAD_INPUT, OK, main
from ctviewer.app.folders import data_folder
from ctviewer.app.models import installed
from ctviewer.app.runs import runs_folder
from ctviewer.app.train_run import _drive
from ctviewer.models.bundle import load_bundle
from ctviewer.training.events import Paused
from ctviewer.training.run_folder import CONFIG, KILLED, RUNNING, list_runs, read_state, set_state
from ctviewer.training.run_record import accepted_doubts


def train(*arguments):
    return main(["train", *map(str, arguments)])


def tree(folder):
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))


@pytest.fixture
def paused(start, make_config, make_studies, tmp_path):
    """A paused run over studies of its own, which may be changed."""
    folder = make_studies(tmp_path / "own", 16)
    process = start(
        make_config(folder=folder, epochs=50), "--out", tmp_path / "run", "--accept-doubts", "all", "--events", "jsonl",
        commands=True,
    )  # fmt: skip
    process.heard("StepDone")
    process.tell("pause")
    assert process.wait() == 0, process.errors
    assert read_state(tmp_path / "run").state == "paused"
    return tmp_path / "run"


def test_training_imports_neither_qt_nor_widgets(nursery):
    """What the other tests' processes have imported before they are forked: all that training needs."""
    assert "ctviewer.training.engine.run" in nursery.modules
    assert not {name.partition(".")[0] for name in nursery.modules} & {"PySide6", "shiboken6", "pyqtgraph"}
    assert not any(name.startswith("ctviewer.ui") for name in nursery.modules)


def test_check_says_what_there_is_to_say_and_writes_nothing(make_config, studies, private_folders, tmp_path, capsys):
    config = make_config()
    before = tree(studies), tree(tmp_path)
    assert train(config, "--check") == OK
    told = capsys.readouterr()
    assert "16 studies of 16 patients: nothing blocks the run" in told.out
    assert "train: sick 4 studies of 4 patients" in told.out and re.search(r"\d [MG]B of memory and \d", told.out)
    assert "All weights start from random values" in told.err
    assert train(config, "--check", "--json", "--quiet") == OK
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["studies"] == 16
    assert (tree(studies), tree(tmp_path)) == before
    assert not runs_folder().exists()


def test_what_blocks_gives_2(make_config, make_studies, tmp_path, capsys):
    folder = make_studies(tmp_path / "few", 6)
    shutil.rmtree(folder / "s03")
    config = make_config(folder=folder)
    assert train(config, "--check") == BAD_INPUT
    assert "ERROR: A study cannot be read" in capsys.readouterr().out
    assert train(config, "--accept-doubts", "all") == BAD_INPUT
    assert capsys.readouterr().err.endswith("ctviewer: The run is blocked by what pre-flight found.\n")
    assert not runs_folder().exists()


@pytest.mark.parametrize(
    ("shares", "said"),
    [('{ "sick" = 0.1 }', "must name each class once: well, sick"), ("{ sick = 0.6, well = 0.6 }", "sum to 1.2")],
)
def test_a_prevalence_that_does_not_fit_is_refused_before_training(make_config, tmp_path, capsys, shares, said):
    config = make_config()
    config.write_text(config.read_text().replace("[model]", f"prevalence = {shares}\n[model]"))
    assert main(["train", str(config), "--out", str(tmp_path / "run")]) == BAD_INPUT
    assert said in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_doubts_want_to_be_accepted_and_reach_the_card(make_config, make_studies, tmp_path, capsys):
    folder = make_studies(tmp_path / "shortcut", 16, ("ACME", "Bolt"))
    config = make_config(folder=folder, epochs=1)
    assert train(config) == BAD_INPUT
    told = capsys.readouterr()
    assert "To train in spite of the doubts: --accept-doubts " in told.out
    codes = told.out.rpartition("--accept-doubts ")[2].strip()
    assert "shortcut" in codes.split(",") and "too-few" in codes.split(",")
    assert told.err.endswith(f"add --accept-doubts {codes} (or all).\n")
    assert not runs_folder().exists()
    assert train(config, "--accept-doubts", "too-few") == BAD_INPUT
    assert "add --accept-doubts shortcut (or all)" in capsys.readouterr().err
    assert train(config, "--accept-doubts", "too-few", "--accept-doubts", "shortcut") == OK
    (run,) = list_runs(runs_folder())
    assert run.state == "finished" and accepted_doubts(run.folder) == ("shortcut", "too-few")
    card = (data_folder() / "bundles" / "toy-1.0.0" / "README.md").read_text()
    assert "can be told by manufacturer alone" in card and "The class sick has 8 patients" in card
    assert "Mustermann" not in card
    assert not (run.folder / "checkpoints").exists() and not (run.folder / "studies").exists()
    assert "Finished: toy 1.0.0, in " in capsys.readouterr().err
    assert train("--resume", run.folder) == BAD_INPUT
    assert "is finished and cannot go on. It made " in capsys.readouterr().err


def test_a_place_that_is_no_place_is_refused_before_any_work(make_config, studies, tmp_path, capsys):
    config = make_config()
    assert train(config, "--out", studies / "run") == BAD_INPUT
    assert "lies inside the opened folder" in capsys.readouterr().err
    assert train(config, "--out", tmp_path) == BAD_INPUT
    assert "is not empty; a new run needs a folder of its own" in capsys.readouterr().err
    assert train(make_config(folder=tmp_path / "none"), "--check") == BAD_INPUT
    assert "data.folder is " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give a configuration, or one of --resume, --list and --example"),
        (("a.toml", "--list"), "Give a configuration, or one of"),
        (("--resume", "x", "--check"), "--check needs a configuration"),
        (("--resume", "x", "--out", "y"), "--out is for a new run"),
        (("a.toml", "--json"), "--json goes with --check or --list"),
        (("--resume", "x"), "is not the folder of a training run"),
        (("a.toml",), "a.toml could not be read"),
        (("--example", "best"), "The recipe 'best' is not known"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train(*arguments) == BAD_INPUT
    told = capsys.readouterr()
    assert said in told.err and told.err.count("\n") == 1 and told.out == ""


def test_runs_are_listed_with_how_to_go_on(paused, capsys, monkeypatch):
    runs_folder().mkdir()
    listed = runs_folder() / "my run"
    shutil.copytree(paused, listed)
    assert train("--list") == OK
    told = capsys.readouterr().out
    assert "my run: paused, can go on" in told and "ctviewer train --resume 'my run'" in told
    set_state(listed, RUNNING)
    assert train("--list", "--json") == OK
    (row,) = json.loads(capsys.readouterr().out)["runs"]
    assert row["state"] == KILLED and row["bytes"] > 1000 and row["resume"].endswith("'my run'")
    assert row["folder"] == str(listed)


def test_a_run_paused_before_it_learned_again_stands_where_it_stood(tmp_path, monkeypatch):
    def paused_while_it_prepares(_inputs):
        yield Paused(0, 0)

    said = []
    monkeypatch.setattr("ctviewer.training.engine.run.run", paused_while_it_prepares)
    for kept, stands in (
        ("", Paused(0, 0)),
        ('{"event": "Saved", "fold": 1, "step": 7, "best": true}\n', Paused(1, 7)),
    ):
        (tmp_path / "events.jsonl").write_text(kept)
        inputs = SimpleNamespace(folder=tmp_path, world=SimpleNamespace(leads=True))
        assert _drive(inputs, SimpleNamespace(say=said.append)) == said[-1] == stands


def test_other_configurations_are_refused_in_words(paused, capsys):
    config = paused / CONFIG
    config.write_text(config.read_text().replace("rate = 0.001", "rate = 0.002"))
    assert train("--resume", paused) == BAD_INPUT
    told = capsys.readouterr().err
    assert "rate" in told and "0.002" in told
    assert read_state(paused).state == "failed" and "rate" in read_state(paused).text
    config.write_text(config.read_text().replace("rate = 0.002", "rate = 0.001").replace("epochs = 50", "epochs = 1"))
    assert train("--resume", paused) == BAD_INPUT
    assert "epochs" in capsys.readouterr().err


def test_other_data_are_refused_in_words(paused, tmp_path, capsys):
    folder, table = tmp_path / "own", tmp_path / "own" / "labels.csv"
    labels = table.read_text()

    def refused():
        assert train("--resume", paused) == BAD_INPUT
        return capsys.readouterr().err.splitlines()[-1]

    table.write_text(labels.replace("s00,Mustermann^0,well", "s00,Mustermann^0,sick"))
    assert "the table of labels says something else of 1 of 16 studies" in refused()
    table.write_text(labels.replace("s00,Mustermann^0,", "s00,Mustermann^1,"))
    assert "the table of labels says something else of 1 of 16 studies" in refused()
    table.write_text("".join(labels.splitlines(keepends=True)[:-1]))
    assert "of the studies in the table of labels 1 missing" in refused()
    table.write_text(labels + "s99,x,well,train\n")
    assert "of the studies in the table of labels 1 new" in refused()
    table.write_text(labels)
    shutil.rmtree(folder / "s02")
    shutil.copytree(folder / "s04", folder / "s02")
    said = refused()
    assert "1 study has other pixels, or cannot be read" in said and "begin a new run" in said
    assert "s02" not in said and "Mustermann" not in said
    shutil.rmtree(folder / "s02")
    assert "1 study has other pixels, or cannot be read" in refused()
    assert read_state(paused).state == "paused", "what was refused before training began changes nothing"


def test_a_copy_of_the_data_elsewhere_will_do(paused, start, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path / "own", moved)
    for path in moved.rglob("*"):
        os.utime(path, (1, 1))
    shutil.rmtree(tmp_path / "own")
    config = paused / CONFIG
    assert train("--resume", paused) == BAD_INPUT
    config.write_text(config.read_text().replace((tmp_path / "own").as_posix(), moved.as_posix()))
    process = start("--resume", paused, "--events", "jsonl", commands=True)
    process.heard("StepDone")
    process.tell("stop")
    assert process.wait() == 0, process.errors
    assert "Looking whether the data are the same" in process.out


def test_two_processes_do_not_work_on_one_run(paused, start, capsys):
    process = start("--resume", paused, "--events", "jsonl", commands=True)
    process.heard("RunBegun")
    assert train("--resume", paused) == BAD_INPUT
    assert "is going on in another process" in capsys.readouterr().err
    process.tell("cancel")
    assert process.wait() == 0, process.errors
    assert not paused.exists()


def test_what_the_check_found_is_gone_by_where_nothing_changed(make_config, make_studies, tmp_path, capsys):
    folder = make_studies(tmp_path / "own")
    config, report = make_config(folder=folder, epochs=1), tmp_path / "report.json"

    def read_again(*arguments, code=BAD_INPUT):
        assert train(config, "--report", report, *arguments) == code
        return "Reading studies" in capsys.readouterr().err

    assert read_again(), "there is none yet"
    assert read_again("--check", code=OK) and report.stat().st_mode & 0o077 == 0
    assert not read_again(), "doubts are told all the same"
    labels = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(labels.replace("Mustermann^15", "Mustermann^14"))
    assert read_again()
    (folder / "labels.csv").write_text(labels)
    config.write_text(config.read_text().replace("epochs = 1", "epochs = 1\nrate = 0.5"))
    assert read_again()
    config.write_text(config.read_text().replace("\nrate = 0.5", ""))
    assert not read_again()
    shutil.rmtree(folder / "s02")
    shutil.copytree(folder / "s04", folder / "s02")
    assert train(config, "--report", report, "--accept-doubts", "all") == BAD_INPUT
    assert "The study s02 is not the one that was checked" in capsys.readouterr().err
    (run,) = list_runs(runs_folder())
    assert run.told.text == "The study … is not the one that was checked: its pixels have changed since."
    assert "s02" not in (run.folder / "events.jsonl").read_text()
    report.write_text("{}")
    assert read_again()
    assert train(config, "--check", "--report", folder / "report.json") == BAD_INPUT
    assert "lies inside the opened folder" in capsys.readouterr().err


def test_a_base_model_is_judged_on_the_hold_out_first(make_config, make_studies, classifier, tmp_path, capsys):
    installed().activate(load_bundle(shutil.copytree(classifier.folder, data_folder() / "bundles" / "classifier")))
    folder = make_studies(tmp_path / "known", classes=("clear", "infection"))
    config = make_config(folder=folder)
    config.write_text(config.read_text().partition("[model]")[0])
    assert train(config, "--check", "--json", "--quiet") == OK
    told = capsys.readouterr()
    figures = {metric["name"]: metric for metric in json.loads(told.out)["baseline"]}
    assert figures["accuracy"]["n"] == 4 and "local hold-out" in figures["accuracy"]["data"]
    assert "All weights start from tiny-study-classifier 0.1.0, its last layer included" in told.err

    config.write_text(config.read_text().replace('"never"', '"auto"'))
    assert train(config, "--check", "--json", "--quiet") == OK
    figures = {metric["name"]: metric for metric in json.loads(capsys.readouterr().out)["baseline"]}
    assert figures["accuracy"]["n"] == 16 and "cross-validation" in figures["accuracy"]["data"]

    labels = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(labels.replace("Mustermann^0,clear,train", "Mustermann^0,clear,train-only"))
    assert train(config, "--check", "--json", "--quiet") == OK
    told = json.loads(capsys.readouterr().out)
    figures = {metric["name"]: metric for metric in told["baseline"]}
    assert figures["accuracy"]["n"] == 15, "what must never judge does not judge the base either"
    (few,) = (one for one in told["findings"] if one["code"] == "cross-validation")
    assert "those of the test part too" in few["text"]


def test_a_base_model_that_is_not_there(make_config, capsys):
    config = make_config()
    text = config.read_text().partition("[model]")[0]
    config.write_text(text + '[model]\nbase = "lungs 1.0.0"\n')
    assert train(config, "--check") == BAD_INPUT
    assert "The model lungs 1.0.0 is not installed" in capsys.readouterr().err
