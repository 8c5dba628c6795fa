"""Where a run lives on disk. Needs no torch: the window lists the runs, the training process fills one.

config.toml          what is to be done (`config_file`)
preflight.json       what pre-flight said (names patients: it stays here)
split.json           who is learned from, who is judged by
events.jsonl         everything the run said, appended line by line
state.json           `RunState`: running, paused, finished, stopped, cancelled or failed
checkpoints/         `step-00000123.safetensors` (the last two), `best.safetensors`
fold-00/, fold-01/   the same for each fold of a cross-validation, with its `predictions.json`
features/, studies/  what can be computed again; removed when the run ends
predictions.json     of the hold-out, by the finished model; `base_predictions.json` by the base
comparison.json      old against new
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from ctviewer.core.errors import InputError
from ctviewer.core.files import reason, write_bytes

CONFIG, PREFLIGHT, SPLIT, EVENTS, STATE = "config.toml", "preflight.json", "split.json", "events.jsonl", "state.json"
CHECKPOINTS, FEATURES, STUDIES = "checkpoints", "features", "studies"
PREDICTIONS, BASE_PREDICTIONS, COMPARISON = "predictions.json", "base_predictions.json", "comparison.json"

NEW, RUNNING, PAUSED, FINISHED, STOPPED, CANCELLED, FAILED = (
    "new", "running", "paused", "finished", "stopped", "cancelled", "failed",
)  # fmt: skip
STATES = (NEW, RUNNING, PAUSED, FINISHED, STOPPED, CANCELLED, FAILED)


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
