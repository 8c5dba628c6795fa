"""Two processes train what one trains: the first alone writes and speaks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from ctviewer.app.cli import BAD_INPUT
from ctviewer.training.run_folder import read_state


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def close_to(one, other):
    for first, second in zip(one, other, strict=True):
        assert first.keys() == second.keys()
        for key, told in first.items():
            numbers = [value for value in told if isinstance(value, float)]
            assert numbers == pytest.approx([value for value in second[key] if isinstance(value, float)], rel=2e-3)


def in_company(start, *arguments, count=2, **options):
    """`count` processes as torchrun would start them."""
    common = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port()), "USE_LIBUV": "0"}
    return [
        start(*arguments, environment={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}, **options)
        for rank in range(count)
    ]


def test_two_processes_by_torchrun(make_config, undisturbed, losses, tmp_path):
    config, together = make_config(), tmp_path / "together"
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port())),
        *("-m", "ctviewer", "train", str(config), "--out", str(together), "--accept-doubts", "all", "--quiet"),
    ]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    close_to(losses(undisturbed), losses(together))
    assert done.stderr.count("Finished: toy ") == 1 and done.stdout.count("16 studies of 16 patients") == 1
    assert read_state(together).state == "finished"


def test_two_processes_pause_together_and_one_goes_on(start, make_config, undisturbed, losses, tmp_path):
    config, together = make_config(minutes=5), tmp_path / "together"
    first, second = in_company(
        start, config, "--out", together, "--accept-doubts", "all", "--events", "jsonl", commands=True
    )
    first.heard("StepDone")
    first.tell("pause")
    assert (first.wait(), second.wait()) == (0, 0), first.errors + second.errors
    assert first.events[-1]["event"] == "Paused"
    assert second.out == "" and second.errors == ""
    assert len(losses(together)[0]) < 6
    resumed = start("--resume", together)
    assert resumed.wait() == 0, resumed.errors
    close_to(losses(undisturbed), losses(together))


def test_those_that_wait_for_the_first_end_when_they_are_told_to(start, make_config, tmp_path):
    """torchrun ends the others by a signal where the first has refused the run; they still wait for it in torch's code."""
    first, second = in_company(start, make_config(), "--out", tmp_path / "refused")
    assert first.wait() == BAD_INPUT and "Pre-flight has doubts" in first.errors
    second.signal(signal.SIGTERM)
    assert second.wait() == -signal.SIGTERM


def test_the_first_alone_checks(start, make_config):
    first, second = in_company(start, make_config(), "--check")
    assert (first.wait(), second.wait()) == (0, 0), first.errors + second.errors
    assert "16 studies of 16 patients" in first.out and not second.out and not second.errors
