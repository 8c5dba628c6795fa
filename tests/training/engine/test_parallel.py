"""Two processes on the CPU, joined as `torchrun` joins them, train the same net as one: equal up to rounding."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from training.engine.parallel_worker import job

from ctviewer.models.bundle import load_bundle
from ctviewer.training.control import Wish
from ctviewer.training.engine.parallel import SINGLE

ROOT = Path(__file__).parents[3]
WORKER = Path(__file__).with_name("parallel_worker.py")


def launched(folder: Path, size: int, worker: Path | str = WORKER) -> list[dict]:
    """What each process said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)]),
        "OMP_NUM_THREADS": "1",
    }
    environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ended = subprocess.run(
        [sys.executable, str(worker), str(folder), str(size)],
        env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return [json.loads((folder / f"said-{rank}.json").read_text()) for rank in range(size)]


ENDING = """
import json, os, sys
from pathlib import Path
from torch import distributed
from ctviewer.training.engine.parallel import joined_world
folder, late = Path(sys.argv[1]), "torch.distributed.nn.functional"
assert late not in sys.modules
child = os.fork()
rank = int(not child)
os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2")
with joined_world() as world:
    __import__(late)
    group = distributed.group.WORLD
    world.wait()
(folder / f"said-{rank}.json").write_text(json.dumps(sys.getrefcount(group) - 1))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else 0)
"""


def test_nothing_keeps_the_group_alive_once_it_has_ended(tmp_path) -> None:
    """Its threads end with it; those that outlive it abort the process now and then, when Python ends before them."""
    if not hasattr(os, "fork"):
        pytest.skip("the processes are forked here")
    (tmp_path / "ending.py").write_text(ENDING)
    assert launched(tmp_path, 2, tmp_path / "ending.py") == [1, 1]


@pytest.fixture(scope="module")
def said(tmp_path_factory, toy_bundle) -> tuple[dict, list[dict]]:
    """What one process said, and what each of two said. A batch of 3 from 5 sequences leaves steps of 3 and of 2."""
    if not hasattr(os, "fork"):
        pytest.skip("the processes are forked here")
    base = str(toy_bundle.folder)
    jobs = [
        {"name": "encoder", "config": {"epochs": 2, "clip": 1.0}, "base": "", "pause_after": 0},
        {"name": "paused", "config": {"epochs": 2, "clip": 1.0}, "base": "", "pause_after": 26},
        # four sequences a step of five: the last step has one, and the second process none
        {"name": "cached", "config": {"trainable": "none", "batch": 4, "model": {"start": "base"}},
         "base": base, "pause_after": 0},
        {"name": "left", "config": {"epochs": 2}, "base": "", "pause_after": 0, "left_after": 1},
    ]  # fmt: skip
    alone, together = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("together")
    (together / "jobs.json").write_text(json.dumps(jobs))
    compared = [told for told in jobs if told["name"] in ("encoder", "cached")]
    return {told["name"]: job(alone, SINGLE, told) for told in compared}, launched(together, 2)


@pytest.mark.parametrize("name", ["encoder", "cached"])
def test_two_processes_equal_one(said, name: str) -> None:
    one, two = said[0][name], said[1][0][name]
    assert [step for step, _ in two["losses"]] == [step for step, _ in one["losses"]]
    torch.testing.assert_close(
        [loss for _, loss in two["losses"]], [loss for _, loss in one["losses"]], rtol=2e-4, atol=1e-5
    )
    torch.testing.assert_close(two["judged"], one["judged"], rtol=1e-3, atol=1e-4)
    ours, theirs = (load_bundle(Path(told["bundle"])).build().state_dict() for told in (two, one))
    for key, weights in theirs.items():
        torch.testing.assert_close(ours[key], weights, rtol=1e-2, atol=2e-3, msg=key)


@pytest.mark.parametrize("name", ["encoder", "paused", "cached"])
def test_all_processes_say_the_same(said, name: str) -> None:
    assert said[1][0][name] == said[1][1][name]


def test_a_pause_of_two_processes_changes_nothing(said) -> None:
    whole, paused = said[1][0]["encoder"], said[1][0]["paused"]
    assert paused["paused"] == 1
    assert paused["losses"] == whole["losses"]
    assert paused["judged"] == whole["judged"]


def test_where_one_process_ends_the_others_say_so(said) -> None:
    assert said[1][0]["left"]["failed"] == (
        "Another of the 2 training processes ended, so that this one cannot go on; the run can be resumed."
    )
    assert "left" not in said[1][1]


def test_one_process_needs_no_world() -> None:
    values = torch.tensor([1.0, 2.0])
    assert SINGLE.add(values) is values
    assert SINGLE.agree(Wish.STOP) is Wish.STOP
    assert SINGLE.tell("a name") == "a name"
    assert SINGLE.share([1, 2, 3]) == [1, 2, 3]
