"""A run survives whatever happens to its process: the losses are those of the run to which nothing happened."""

from __future__ import annotations

import random
import signal
import time

import pytest

from ctviewer.app.cli import PAUSED
from ctviewer.app.train_run import _keep_end
from ctviewer.models.bundle import load_bundle
from ctviewer.training import run_folder
from ctviewer.training.config import DataConfig, RunConfig
from ctviewer.training.events import RunFinished
from ctviewer.training.run_folder import FINISHED, KILLED, entry, read_state


def bundle_of(folder):
    return load_bundle(type(folder)(read_state(folder).bundle))


@pytest.mark.parametrize("minutes", [0.0, 0.003])
def test_killed_at_random_moments(start, make_config, undisturbed, losses, tmp_path, minutes):
    whole, torn = undisturbed, tmp_path / "torn"
    seed = time.time_ns()
    moments = random.Random(seed)
    command = [make_config(minutes=minutes), "--out", torn, "--accept-doubts", "all"]
    for kills in range(5):
        process = start(*command, "--events", "jsonl")
        process.heard("RunBegun" if kills else "RunPlaced")
        time.sleep(moments.uniform(0, 0.8))
        if process.code is None:
            process.signal(signal.SIGKILL)
        if process.wait() == 0:
            break
        assert process.code == -signal.SIGKILL, process.errors
        assert entry(torn).state == KILLED or not kills
        command = ["--resume", torn, "--accept-doubts", "all"]
    else:
        assert start(*command).wait() == 0
    assert read_state(torn).state == FINISHED
    assert losses(torn) == losses(whole), f"moments of seed {seed}"
    assert len(losses(torn)[0]) == 6 and len(losses(torn)[1]) == 2
    assert bundle_of(torn).metadata.weights_sha256 == bundle_of(whole).metadata.weights_sha256
    assert not list(torn.rglob("*.part"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_pauses(start, make_config, undisturbed, losses, tmp_path, number):
    whole, folder = undisturbed, tmp_path / "paused"
    process = start(make_config(minutes=5), "--out", folder, "--accept-doubts", "all")
    while not losses(folder)[0]:
        assert process.code is None, process.errors
        time.sleep(0.01)
    process.signal(number)
    assert process.wait() == PAUSED, process.errors
    assert f"ctviewer train --resume {folder}" in process.errors
    assert read_state(folder).state == "paused" and len(losses(folder)[0]) < 6
    resumed = start("--resume", folder)
    assert resumed.wait() == 0, resumed.errors
    assert "going on from step" in resumed.errors
    assert losses(folder) == losses(whole)
    assert bundle_of(folder).metadata.weights_sha256 == bundle_of(whole).metadata.weights_sha256


def test_killed_while_what_is_spent_is_removed(tmp_path, monkeypatch):
    """It can go on then, and removes the rest: prepared studies do not stay behind a finished run."""
    folder = run_folder.begin(tmp_path / "run", RunConfig(DataConfig("studies")))
    run_folder.set_state(folder, run_folder.RUNNING)

    def killed(_folder):
        raise SystemExit

    monkeypatch.setattr(run_folder, "remove_spent", killed)
    with pytest.raises(SystemExit):
        _keep_end(folder, RunFinished("toy-1.0.0", "toy 1.0.0", False, {}))
    assert entry(folder).state == KILLED
