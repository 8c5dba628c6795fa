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


def launched(folder: Path, size: int) -> list[dict]:
    """What each process said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)]), "OMP_NUM_THREADS": "1"}
    common |= {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(folder)],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    try:
        for worker in workers:
            _, errors = worker.communicate(timeout=100)
            assert worker.returncode == 0, errors
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    return [json.loads((folder / f"said-{rank}.json").read_text()) for rank in range(size)]


@pytest.fixture(scope="module")
def said(tmp_path_factory, toy_bundle) -> tuple[dict, list[dict]]:
    """What one process said, and what each of two said. A batch of 3 from 5 sequences leaves steps of 3 and of 2."""
    base = str(toy_bundle.folder)
    jobs = [
        {"name": "encoder", "config": {"epochs": 2, "clip": 1.0}, "base": "", "pause_after": 0},
        {"name": "paused", "config": {"epochs": 2, "clip": 1.0}, "base": "", "pause_after": 26},
        # four sequences a step of five: the last step has one, and the second process none
        {"name": "cached", "config": {"trainable": "none", "batch": 4, "model": {"start": "base"}},
         "base": base, "pause_after": 0},
    ]  # fmt: skip
    alone, together = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("together")
    (together / "jobs.json").write_text(json.dumps(jobs))
    return {told["name"]: job(alone, SINGLE, told) for told in jobs if not told["pause_after"]}, launched(together, 2)


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


def test_one_process_needs_no_world() -> None:
    values = torch.tensor([1.0, 2.0])
    assert SINGLE.add(values) is values
    assert SINGLE.agree(Wish.STOP) is Wish.STOP
    assert SINGLE.tell("a name") == "a name"
    assert SINGLE.share([1, 2, 3]) == [1, 2, 3]
