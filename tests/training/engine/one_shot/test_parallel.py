"""Two processes on the CPU, joined as `torchrun` joins them, train the same one-shot net as one: equal up to rounding."""

from __future__ import annotations

import os

import pytest
import torch
from safetensors.torch import load_file
from training.engine.one_shot import parallel_worker
from training.engine.test_parallel import launched

from ctviewer.training.engine.parallel import SINGLE


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """Folders of one process and of two, what the one said, and what each of the two said."""
    if not hasattr(os, "fork"):
        pytest.skip("the processes are forked here")
    alone, together = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("together")
    two = launched(together, 2, parallel_worker.__file__)
    return alone, together, {name: parallel_worker.job(alone, SINGLE, name) for name in parallel_worker.JOBS}, two


@pytest.mark.parametrize("name", ["copied", "summed"])
def test_two_processes_equal_one(said, name: str) -> None:
    alone, together, one, two = said
    torch.testing.assert_close(two[0][name]["losses"], one[name]["losses"], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(two[0][name]["judged"], one[name]["judged"], rtol=2e-3, atol=1e-3)
    assert two[0][name]["state"].keys() == one[name]["state"].keys()
    ours, theirs = (load_file(folder / f"{name}-0.safetensors") for folder in (together, alone))
    for key, tensor in theirs.items():
        # about 0.003 were learned; a gradient that is nothing but rounding moves a single weight all the same under Adam
        assert (ours[key] - tensor).abs().mean() < 1e-4, key


@pytest.mark.parametrize("name", sorted(parallel_worker.JOBS))
def test_all_processes_say_the_same(said, name: str) -> None:
    """Running statistics too, of which each process has seen other slices."""
    _, together, _, two = said
    assert two[0][name] == two[1][name]
    ours, theirs = (load_file(together / f"{name}-{rank}.safetensors") for rank in range(2))
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in ours.items())
