"""The runs of this computer: where they are, which can go on and how, and what killed ones left behind."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

from ctviewer.app.folders import data_folder
from ctviewer.core.errors import InputError
from ctviewer.core.words import amount_text
from ctviewer.training.run_folder import (
    KILLED,
    PAUSED,
    RUNNING,
    RunEntry,
    entry,
    list_runs,
    read_state,
    size,
)

_WORDS = {KILLED: "killed, can go on", PAUSED: "paused, can go on"}


def runs_folder() -> Path:
    """Folder of all runs; need not exist.

    Raises:
        StorageError: the data folder cannot be made.
    """
    return data_folder() / "runs"


def find_run(told: str) -> Path:
    """The folder of a run, by path or by its name in the list.

    Raises:
        InputError: there is none.
    """
    by_name = runs_folder() / told
    folder = by_name if not Path(told).is_dir() and by_name.is_dir() else Path(told)
    read_state(folder)
    return folder.absolute()


def resume_command(folder: Path) -> str:
    """What to type to go on with a run."""
    here = folder.parent == runs_folder()
    name = folder.name if here else str(folder)
    shown = subprocess.list2cmdline([name]) if os.name == "nt" else shlex.quote(name)
    return f"ctviewer train --resume {shown}"


def unfinished(runs: Path) -> tuple[RunEntry, ...]:
    """Runs that were paused or killed, the newest first.

    Raises:
        StorageError: the folder cannot be read.
    """
    return tuple(one for one in list_runs(runs) if one.state in (PAUSED, KILLED))


def print_runs(as_json: bool) -> int:
    """Print all runs, the newest first: state, size, and how to go on."""
    found = list_runs(runs_folder())
    if as_json:
        print(json.dumps({"runs": [_row(one) for one in found]}, indent=2))
        return 0
    for one in found:
        state = _WORDS.get(one.state, one.state)
        made = f", made {Path(one.told.bundle).name}" if one.told.bundle else ""
        print(f"{one.folder.name}: {state}{made}, {amount_text(size(one.folder))}")
        if text := one.problem or one.told.text:
            print(f"    {text}")
        if one.resumable:
            print(f"    {resume_command(one.folder)}")
    print(f"{len(found)} in {runs_folder()}. A folder that is not needed any more can be removed.")
    return 0


def _row(one: RunEntry) -> dict[str, object]:
    return {
        "folder": str(one.folder),
        "state": one.state,
        "title": one.told.title,
        "started": one.told.started,
        "changed": one.told.changed,
        "pid": one.told.pid if one.state == RUNNING else 0,
        "bundle": one.told.bundle,
        "text": one.problem or one.told.text,
        "bytes": size(one.folder),
        "resume": resume_command(one.folder) if one.resumable else "",
    }


def require_resumable(folder: Path) -> None:
    """Refuse a run that is over.

    Raises:
        InputError: it is.
    """
    one = entry(folder)
    if one.problem:
        raise InputError(one.problem)
    if one.state == RUNNING:
        raise InputError(f"The run in {folder} is going on in another process.")
    if not one.resumable:
        made = f" It made {one.told.bundle}." if one.told.bundle else ""
        raise InputError(f"The run in {folder} is {one.state} and cannot go on.{made}")
