import json
import os
import subprocess
import sys
import threading

import pytest

from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.events import Message
from ctviewer.training import run_folder
from ctviewer.training.config import DataConfig, ModelConfig, RunConfig
from ctviewer.training.config_file import read_config
from ctviewer.training.events import EpochDone, Saved, StepDone
from ctviewer.training.run_folder import (
    CANCELLED,
    FINISHED,
    KILLED,
    NEW,
    PAUSED,
    RUNNING,
    begin,
    create,
    entry,
    list_runs,
    read_state,
    remove_unfinished,
    set_state,
)
from ctviewer.training.run_lock import hold, is_held
from ctviewer.training.run_record import accept_doubts, accepted_doubts, append_events, read_events

HOLDER = """
import sys, time
from pathlib import Path
from ctviewer.training.run_lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def config(tmp_path):
    return RunConfig(DataConfig(str(tmp_path / "data")), ModelConfig(name="lung-net", title="Lungs"))


@pytest.fixture
def holder(tmp_path):
    """Starts a process that holds the lock of a folder."""
    started = []

    def start(folder):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout.readline().strip() == b"held"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def step(number, loss=0.5, fold=0):
    return StepDone(fold, 1, number, 10, loss, 1e-3, 0.1, None, 1)


def test_a_new_run(tmp_path, config):
    first, second = create(tmp_path / "runs", config), create(tmp_path / "runs", config)
    assert first != second and first.name.endswith("-lung-net")
    assert read_config(first / run_folder.CONFIG) == config
    assert read_state(first).state == NEW and read_state(first).title == "Lungs"
    if os.name == "posix":
        assert first.stat().st_mode & 0o077 == 0
    assert [one.folder for one in list_runs(tmp_path / "runs")] == sorted((first, second), reverse=True)
    assert list_runs(tmp_path / "none") == ()
    with pytest.raises(InputError, match="is not empty"):
        begin(first, config)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        create(tmp_path / "file", config)


def test_a_name_makes_no_path(tmp_path, config):
    folder = create(tmp_path / "runs", config, title="../../x")
    assert folder.parent == tmp_path / "runs"
    odd = RunConfig(config.data, ModelConfig(name="", title=""))
    assert create(tmp_path / "runs", odd, title="../Ärger").parent == tmp_path / "runs"
    unnamed = RunConfig(config.data, ModelConfig(base="lung-net 1.0.0"))
    assert read_state(create(tmp_path / "runs", unnamed)).title == "lung-net 1.0.0"


def test_one_process_at_a_time(tmp_path, config, holder):
    folder = create(tmp_path, config)
    assert not is_held(folder)
    other = holder(folder)
    assert is_held(folder)
    with pytest.raises(InputError, match="going on in another process"), hold(folder):
        pass
    other.kill()  # nothing of it can tidy up
    other.wait()
    assert not is_held(folder)
    with hold(folder):
        assert is_held(folder)
    assert not is_held(folder)


def test_looking_does_not_keep_anyone_out(tmp_path, config):
    folder, over = create(tmp_path, config), threading.Event()
    with hold(folder):
        pass
    looker = threading.Thread(target=lambda: [is_held(folder) for _ in iter(over.is_set, True)])
    looker.start()
    try:
        for _ in range(50):
            with hold(folder):
                pass
    finally:
        over.set()
        looker.join()


def test_a_killed_run_is_told_from_a_running_one(tmp_path, config, holder):
    folder = create(tmp_path, config)
    set_state(folder, RUNNING)
    assert read_state(folder).pid == os.getpid()
    assert entry(folder).state == KILLED and entry(folder).resumable
    other = holder(folder)
    assert entry(folder).state == RUNNING and not entry(folder).resumable
    other.kill()
    other.wait()
    assert entry(folder).state == KILLED
    for state, resumable in ((PAUSED, True), (FINISHED, False), (CANCELLED, False)):
        set_state(folder, state, bundle="b")
        assert (entry(folder).state, entry(folder).resumable) == (state, resumable)
        assert entry(folder).told.pid == 0 and entry(folder).told.bundle == "b"


def test_a_damaged_folder_is_told_and_hides_no_other(tmp_path, config):
    good = create(tmp_path, config)
    bad = create(tmp_path, config)
    (bad / run_folder.STATE).write_text('{"state": "resting"}')
    (tmp_path / "0-empty").mkdir()
    found = {one.folder: one for one in list_runs(tmp_path)}
    assert not found[good].problem
    assert "damaged" in found[bad].problem and not found[bad].resumable
    assert "not the folder of a training run" in found[tmp_path / "0-empty"].problem


def test_events_are_kept_and_what_was_done_again_counts_once(tmp_path):
    append_events(tmp_path, [Message("a"), step(1), step(2), step(3, 0.25), Saved(0, 1)])
    append_events(tmp_path, [step(2), step(3, 0.75), step(1, fold=1), EpochDone(0, 1, 2, 0.5, float("inf"))])
    told = read_events(tmp_path)
    assert told == (
        Message("a"), step(1), Saved(0, 1), step(2), step(3, 0.75), step(1, fold=1),
        EpochDone(0, 1, 2, 0.5, float("inf")),
    )  # fmt: skip
    assert read_events(tmp_path / "none") == ()


def test_a_line_that_a_kill_left_unfinished_spoils_no_other(tmp_path):
    append_events(tmp_path, [step(1), step(2)])
    path = tmp_path / run_folder.EVENTS
    path.write_bytes(path.read_bytes()[:-20])
    append_events(tmp_path, [step(3)])
    assert [event.step for event in read_events(tmp_path)] == [1, 3]
    path.write_bytes(path.read_bytes() + b"\xff\0\n")
    assert len(read_events(tmp_path)) == 2


def test_accepted_doubts(tmp_path):
    assert accepted_doubts(tmp_path) == ()
    accept_doubts(tmp_path, ["too-few", "shortcut", "too-few"])
    assert accepted_doubts(tmp_path) == ("shortcut", "too-few")
    (tmp_path / run_folder.ACCEPTED).write_text(json.dumps(["x"]))
    with pytest.raises(InputError, match="damaged"):
        accepted_doubts(tmp_path)


def test_half_written_files_are_removed_and_no_others(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ".step-00000001.safetensors.x1.part").touch()
    (tmp_path / "checkpoints" / "step-00000001.safetensors").touch()
    assert remove_unfinished(tmp_path) == 1
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001.safetensors"]
