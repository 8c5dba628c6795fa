"""The processes of `test_parallel`: each runs jobs under the environment that `torchrun` sets, and says what it said.

Arguments: a folder, and how many processes. The folder holds `jobs.json`: a list of names, settings of the recipe, and
what happens: `pause_after` so many questions, or `left_after` so many steps by the last process. Processes are forked from
one that has imported torch, which takes longer than the jobs.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from training.conftest import ToySource
from training.engine.conftest import After, LabelledToys, small_run_config

from ctviewer.core.errors import DeviceError
from ctviewer.models.bundle import load_bundle
from ctviewer.training.control import Wish, never
from ctviewer.training.engine import finish
from ctviewer.training.engine.inputs import RunInputs
from ctviewer.training.engine.parallel import World, joined_world
from ctviewer.training.engine.run import run
from ctviewer.training.events import EpochDone, Paused, RunFinished, StepDone
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.splits import Split


def job(folder: Path, world: World, told: dict) -> dict:
    """Losses of steps and epochs, the weights' folder, and how often the process ended with a pause."""
    source = LabelledToys(ToySource("s", 9, 4))
    ids = source.ids()
    split = Split(ids[:5], ids[5:7], ids[7:])
    report = PreflightReport(len(ids), len(ids), (), split, data_sha256=dict.fromkeys(split.parts, "0" * 64))
    base = load_bundle(Path(told["base"])) if told["base"] else None
    config = small_run_config(**told["config"])
    place = folder / told["name"]
    place.mkdir(exist_ok=True)
    wanted = RunInputs(config, source, place, report, base, folder / "bundles" / told["name"], world=world)
    events = []
    if told.get("left_after"):
        return {"failed": failed(wanted, told["left_after"])}
    if told["pause_after"]:
        # two processes prepare about half of the studies each
        events += run(dataclasses.replace(wanted, control=After(told["pause_after"], Wish.PAUSE)))
        wanted = dataclasses.replace(wanted, resume=True)
    events += run(dataclasses.replace(wanted, control=never))
    assert isinstance(events[-1], RunFinished)
    return {
        "losses": [(e.step, e.loss) for e in events if isinstance(e, StepDone)],
        "judged": [e.validation_loss for e in events if isinstance(e, EpochDone)],
        "paused": sum(isinstance(e, Paused) for e in events),
        "bundle": events[-1].bundle,
    }


def failed(wanted: RunInputs, steps: int) -> str:
    """What the others say when the last process is gone after some steps."""
    seen = 0
    try:
        for event in run(wanted):
            seen += isinstance(event, StepDone)
            if seen == steps and wanted.world.rank == wanted.world.size - 1:
                os._exit(0)
    except DeviceError as error:
        return str(error)
    return ""


def work(folder: Path) -> None:
    finish.evaluate = lambda predictions, data: ()  # figures take a while, and are tested elsewhere
    with joined_world() as world:
        found = {}
        for told in json.loads((folder / "jobs.json").read_text()):
            found[told["name"]] = job(folder, world, told)
            (folder / f"said-{world.rank}.json").write_text(json.dumps(found))


def forked(work: Callable[[Path], None]) -> None:
    """Do the work in as many processes as the arguments say, each with the rank that `torchrun` would give it."""
    folder, size, children = Path(sys.argv[1]), int(sys.argv[2]), []
    for rank in range(size):
        children.append(os.fork())
        if not children[-1]:
            os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size))
            work(folder)
            return
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(max(map(abs, ends)))


if __name__ == "__main__":
    forked(work)
