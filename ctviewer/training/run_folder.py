"""Where a run lives on disk. Needs no torch: the window lists the runs, the training process fills one.

config.toml          what is to be done (`config_file`)
preflight.json       what pre-flight said (names patients: it stays here)
split.json           who is learned from, who is judged by
events.jsonl         what the run said, but for progress, appended line by line
state.json           `RunState`: running, paused, finished, stopped, cancelled or failed
checkpoints/         `step-00000123.safetensors`: the last two, each with the best state so far
fold-00/, fold-01/   the same for each fold of a cross-validation; its `fold.json` when it is finished
epoch-0006/          `predictions.json` after an epoch, where they were asked for
engine.json          what training remembers besides
features/, studies/  what can be computed again; removed with the checkpoints when the bundle is made
predictions.json     of the hold-out, by the finished model; `base_predictions.json` by the base
comparison.json      old against new
accepted.json        codes of the doubts that the user accepted
lock                 held by the process that works on the run (`run_lock`)
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.files import reason, write_bytes
from ctviewer.training.config import RunConfig
from ctviewer.training.config_file import write_config
from ctviewer.training.run_lock import is_held

CONFIG, PREFLIGHT, SPLIT, EVENTS, STATE = "config.toml", "preflight.json", "split.json", "events.jsonl", "state.json"
ACCEPTED = "accepted.json"
CHECKPOINTS, FEATURES, STUDIES = "checkpoints", "features", "studies"
PREDICTIONS, BASE_PREDICTIONS, COMPARISON = "predictions.json", "base_predictions.json", "comparison.json"

NEW, RUNNING, PAUSED, FINISHED, STOPPED, CANCELLED, FAILED = (
    "new", "running", "paused", "finished", "stopped", "cancelled", "failed",
)  # fmt: skip
STATES = (NEW, RUNNING, PAUSED, FINISHED, STOPPED, CANCELLED, FAILED)
KILLED = "killed"  # what a running one is whose process is gone
RESUMABLE = (PAUSED, KILLED, FAILED, NEW)


@dataclass(frozen=True)
class RunState:
    """How far a run is.

    Attributes:
        state: one of `STATES`. A "running" one whose process is gone was killed: it can be resumed.
        pid: of its process; 0 where none runs.
        started, changed: ISO 8601, UTC.
        title: for the list of runs, without patient data.
        bundle: folder of what it made; "" before.
        text: why it failed; "" where it did not.
    """

    state: str = NEW
    pid: int = 0
    started: str = ""
    changed: str = ""
    title: str = ""
    bundle: str = ""
    text: str = ""


def read_state(folder: Path) -> RunState:
    """The state of the run in a folder.

    Raises:
        InputError: it is no folder of a run, or its state cannot be read.
    """
    path = folder / STATE
    try:
        data = json.loads(path.read_bytes())
        known = {field.name for field in dataclasses.fields(RunState)}
        state = RunState(**{name: value for name, value in data.items() if name in known})
    except FileNotFoundError as error:
        raise InputError(f"{folder} is not the folder of a training run: it has no {STATE}.") from error
    except OSError as error:
        raise InputError(f"{path} could not be read: {reason(error)}.") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} is damaged.") from error
    if state.state not in STATES:
        raise InputError(f"{path} is damaged.")
    return state


def write_state(folder: Path, state: RunState) -> None:
    """Keep the state, atomically.

    Raises:
        StorageError: it cannot be written.
    """
    write_bytes(folder / STATE, (json.dumps(dataclasses.asdict(state), indent=2) + "\n").encode())


def now_text() -> str:
    """The time as `RunState` keeps it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def create(runs: Path, config: RunConfig, title: str = "") -> Path:
    """Make the folder of a new run, `<time>-<name>`, for its owner alone.

    Args:
        runs: folder of all runs; made where it is not there.
        config: of the run; its paths absolute.
        title: for the list of runs; the model's by default, else its base's.

    Raises:
        StorageError: it cannot be made.
    """
    name = re.sub(r"[^a-z0-9]+", "-", (config.model.name or title or "run").lower()).strip("-")[:40] or "run"
    stem = f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{name}"
    for number in range(1, 1000):
        folder = runs / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        except OSError as error:
            raise StorageError(f"{folder} could not be made: {reason(error)}.") from error
        return begin(folder, config, title)
    raise StorageError(f"{runs} holds too many runs of this name; remove some.")


def begin(folder: Path, config: RunConfig, title: str = "") -> Path:
    """Make a folder that is not there, or is empty, the folder of a new run.

    Raises:
        InputError: it holds something.
        StorageError: it cannot be written.
    """
    require_free(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"{folder} cannot be used for a run: {reason(error)}.") from error
    write_config(folder / CONFIG, config)
    now = now_text()
    model = config.model
    write_state(folder, RunState(NEW, 0, now, now, title or model.title or model.name or model.base))
    return folder


def require_free(folder: Path) -> None:
    """Refuse a folder that a new run cannot have.

    Raises:
        InputError: it holds something.
        StorageError: it cannot be looked into.
    """
    try:
        if any(folder.iterdir()):
            raise InputError(f"{folder} is not empty; a new run needs a folder of its own.")
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{folder} cannot be used for a run: {reason(error)}.") from error


def set_state(folder: Path, state: str, *, text: str = "", bundle: str = "") -> RunState:
    """Say how far the run is; its process is this one while it is running.

    Raises:
        InputError: it is no folder of a run.
        StorageError: it cannot be written.
    """
    old = read_state(folder)
    pid = os.getpid() if state == RUNNING else 0
    new = dataclasses.replace(old, state=state, pid=pid, changed=now_text(), text=text, bundle=bundle or old.bundle)
    write_state(folder, new)
    return new


@dataclass(frozen=True)
class RunEntry:
    """A run in a list.

    Attributes:
        folder: where it is.
        state: one of `STATES`, or `KILLED`.
        told: what `state.json` says; empty where it cannot be read.
        problem: why it cannot be read; "" where it can.
    """

    folder: Path
    state: str
    told: RunState = RunState()
    problem: str = ""

    @property
    def resumable(self) -> bool:
        """Whether it can go on."""
        return self.state in RESUMABLE and not self.problem


def entry(folder: Path) -> RunEntry:
    """What there is to say of the run in a folder."""
    try:
        told = read_state(folder)
    except InputError as error:
        return RunEntry(folder, FAILED, problem=str(error))
    killed = told.state == RUNNING and not is_held(folder)
    return RunEntry(folder, KILLED if killed else told.state, told)


def list_runs(runs: Path) -> tuple[RunEntry, ...]:
    """All runs of a folder, the newest first; none where there is no such folder.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        found = sorted((path for path in runs.iterdir() if path.is_dir()), key=lambda path: path.name, reverse=True)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StorageError(f"{runs} could not be read: {reason(error)}.") from error
    return tuple(entry(folder) for folder in found)


def size(folder: Path) -> int:
    """Bytes of all files of a run."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except OSError:
            continue
    return total


def remove_spent(folder: Path) -> None:
    """Remove what a run that made its bundle needs no more: studies, features and checkpoints."""
    for path in (folder / FEATURES, folder / STUDIES, folder / CHECKPOINTS, *folder.glob(f"fold-*/{CHECKPOINTS}")):
        shutil.rmtree(path, ignore_errors=True)
    remove_unfinished(folder)


def remove_unfinished(folder: Path) -> int:
    """Remove files that a killed process left half written; how many there were. The caller holds the lock."""
    found = list(folder.rglob(".*.part"))
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)
