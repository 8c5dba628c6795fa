"""Checkpoints: what is read back is what was written, whatever happened while it was written."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from ctviewer.core.errors import InputError, StorageError
from ctviewer.training.config import DataConfig, ModelConfig, RunConfig
from ctviewer.training.engine import checkpoints
from ctviewer.training.engine.resuming import deciding_settings, require_same, told_changes
from ctviewer.training.engine.snapshots import (
    OptimizerState,
    RandomState,
    Snapshot,
    optimizer_state,
    restore_optimizer,
)
from ctviewer.training.recipes import RECIPES

CONFIG = RunConfig(DataConfig("data"))


def snapshot(step: int = 7, **changes) -> Snapshot:
    values = {
        "fold": 1,
        "epoch": 3,
        "step": step,
        "position": 16,
        "model": {"w": torch.full((2, 3), float(step)), "n": torch.tensor(5), "half": torch.ones(2).half()},
        "optimizer": OptimizerState({"w/exp_avg": torch.ones(2, 3)}, {"w/word": None}, [{"lr": 0.1, "params": ["w"]}]),
        "random": RandomState.now(order=np.random.default_rng(4)),
        "schedule": {"step": step},
        "scaler": {"scale": 65536.0},
        "history": [{"loss": 0.1, "validation": math.nan}, {"loss": 1 / 3}],
        "best": 0.1 + 0.2,
        "kept": {"w": torch.full((2, 3), step - 0.5)},
        "precision": "bfloat16",
        "config": deciding_settings(CONFIG),
        "data": {"train": "aa", "val": "bb"},
        "extra": {"seconds": 1.5},
    }
    return Snapshot(**(values | changes))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_everything_comes_back(tmp_path):
    given = snapshot()
    path = checkpoints.save(tmp_path, given)
    loaded = checkpoints.latest(tmp_path)
    assert loaded.path == path == tmp_path / "step-00000007.safetensors" and loaded.notes == ()
    found = loaded.snapshot
    for name in ("fold", "epoch", "step", "position", "schedule", "scaler", "best", "precision", "config", "data",
                 "extra", "environment"):  # fmt: skip
        assert getattr(found, name) == getattr(given, name), name
    assert math.isnan(found.history[0]["validation"]) and found.history[1] == {"loss": 1 / 3}
    assert found.model.keys() == given.model.keys()
    for name, tensor in given.model.items():
        assert torch.equal(found.model[name], tensor) and found.model[name].dtype == tensor.dtype
    assert found.kept.keys() == {"w"} and torch.equal(found.kept["w"], given.kept["w"])
    assert torch.equal(found.optimizer.tensors["w/exp_avg"], torch.ones(2, 3))
    assert found.optimizer.values == {"w/word": None} and found.optimizer.groups == [{"lr": 0.1, "params": ["w"]}]


def test_it_is_one_file_of_tensors_and_json(tmp_path):
    path = checkpoints.save(tmp_path, snapshot())
    with safe_open(path, framework="pt") as file:
        assert set(file.keys()) == {"model/w", "model/n", "model/half", "kept/w", "optimizer/w/exp_avg", "random/cpu"}
        assert json.loads(file.metadata()["snapshot"])["step"] == 7


def test_random_numbers_go_on_where_they_were(tmp_path):
    torch.manual_seed(3)
    rng = np.random.default_rng(8)
    torch.rand(5), rng.random(5)
    checkpoints.save(tmp_path, snapshot(random=RandomState.now(order=rng)))
    expected = torch.rand(6), rng.random(6)
    torch.manual_seed(99)
    other = np.random.default_rng(99)
    checkpoints.latest(tmp_path).snapshot.random.restore(order=other)
    assert torch.equal(torch.rand(6), expected[0])
    np.testing.assert_array_equal(other.random(6), expected[1])


def test_the_last_two_are_kept_each_with_the_best_of_its_time(tmp_path):
    assert checkpoints.latest(tmp_path) is None
    for step in range(1, 6):
        checkpoints.save(tmp_path, snapshot(step))
    assert names(tmp_path) == ["step-00000004.safetensors", "step-00000005.safetensors"]
    assert checkpoints.latest(tmp_path).snapshot.step == 5
    (tmp_path / "step-00000005.safetensors").write_bytes(b"half")
    assert torch.equal(checkpoints.latest(tmp_path).snapshot.kept["w"], torch.full((2, 3), 3.5))


def cut(data: bytes, at: int) -> bytes:
    return data[:at]


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x08]) + data[at + 1 :]


@pytest.mark.parametrize("harm", [cut, flip])
def test_a_newest_one_damaged_anywhere_is_passed_over_and_that_is_said(tmp_path, harm):
    checkpoints.save(tmp_path, snapshot(3))
    newest = checkpoints.save(tmp_path, snapshot(4))
    whole = newest.read_bytes()
    for at in [*range(0, 64), *range(64, len(whole), 41), len(whole) - 1]:
        newest.write_bytes(harm(whole, at))
        loaded = checkpoints.latest(tmp_path)
        assert loaded.snapshot.step == 3 and torch.equal(loaded.snapshot.model["w"], torch.full((2, 3), 3.0)), at
        assert loaded.notes == (
            "The newest checkpoint (step-00000004.safetensors) is damaged; the run goes on from the one before it, "
            "step 3.",
        )


def test_what_was_passed_over_goes_when_the_run_goes_on(tmp_path):
    checkpoints.save(tmp_path, snapshot(3))
    checkpoints.save(tmp_path, snapshot(9)).write_bytes(b"half")
    checkpoints.save(tmp_path, snapshot(5))
    assert names(tmp_path) == ["step-00000003.safetensors", "step-00000005.safetensors"]


def test_all_damaged_is_an_error_and_never_a_new_beginning(tmp_path):
    for step in (1, 2):
        checkpoints.save(tmp_path, snapshot(step)).write_bytes(b"")
    with pytest.raises(InputError, match=r"cannot go on: every checkpoint in .* is damaged \(step-00000002.*00001"):
        checkpoints.latest(tmp_path)


def test_a_file_of_something_else_is_no_checkpoint(tmp_path):
    from safetensors.torch import save_file

    save_file({"w": torch.ones(2)}, tmp_path / "step-00000001.safetensors")
    with pytest.raises(InputError, match=r"every checkpoint in .* is damaged"):
        checkpoints.latest(tmp_path)


def test_other_files_are_left_alone_and_unfinished_ones_removed(tmp_path):
    for name in ("predictions.json", "step-1.safetensors", ".step-00000001.safetensors.x1.part", ".tmpAb12"):
        (tmp_path / name).write_bytes(b"x")
    checkpoints.save(tmp_path, snapshot(1))
    assert names(tmp_path) == ["predictions.json", "step-00000001.safetensors", "step-1.safetensors"]


@pytest.mark.skipif(os.name != "posix", reason="limits of a process exist on POSIX alone")
def test_a_full_disk_is_told_and_the_checkpoints_before_it_stay(tmp_path):
    import resource

    checkpoints.save(tmp_path, snapshot(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(StorageError, match=r"step-00000002.safetensors could not be written: File too large\."):
            checkpoints.save(tmp_path, snapshot(2, model={"w": torch.zeros(1 << 16)}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == ["step-00000001.safetensors"]


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="could not be written"):
        checkpoints.save(tmp_path / "file" / "in", snapshot())


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from ctviewer.training.engine import checkpoints
from ctviewer.training.engine.snapshots import OptimizerState, RandomState, Snapshot

torch.set_num_threads(1)
random.seed(int(sys.argv[2]))
big = torch.arange(400_000, dtype=torch.float32)
for round in range(12):
    folder = Path(sys.argv[1]) / str(round)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        for step in range(1, 10_000):
            random_state = RandomState(torch.get_rng_state())
            made = Snapshot(0, 1, step, 0, {"w": big + step}, OptimizerState(), random_state)
            checkpoints.save(folder, made)
            os.write(write, step.to_bytes(2, "little"))
    os.read(read, 2)  # the first is there
    time.sleep(random.uniform(0.0, 0.12))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(write)
    told = [1]
    while said := os.read(read, 2):
        told.append(int.from_bytes(said, "little"))
    os.close(read)
    loaded = checkpoints.latest(folder)
    assert loaded.notes == () and loaded.snapshot.step >= told[-1], (loaded.path, told[-1])
    assert torch.equal(loaded.snapshot.model["w"], big + loaded.snapshot.step)
    again = Snapshot(0, 1, 20_000, 0, {}, OptimizerState(), loaded.snapshot.random)
    checkpoints.save(folder, again)
    assert not [p.name for p in folder.iterdir() if p.name.startswith(".")]
    print(told[-1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="killed processes are forked here")
def test_kill_9_at_any_moment_leaves_an_intact_checkpoint(tmp_path):
    """Processes that save without end are killed at random moments; what they had reported as saved is there."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), "5"], check=False, capture_output=True, text=True, env=environment
    )
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.split()) == 12


def test_another_configuration_is_refused_by_name():
    kept = snapshot()
    require_same(kept, CONFIG, kept.data)
    recipe = dataclasses.replace(CONFIG.recipe, rate=0.01)
    model = dataclasses.replace(CONFIG.model, classes=("a", "b"))
    with pytest.raises(InputError) as error:
        require_same(kept, dataclasses.replace(CONFIG, seed=3, recipe=recipe, model=model), kept.data)
    assert str(error.value) == (
        'The run cannot go on under another configuration: model.classes was [] and is ["a", "b"]; recipe.rate was 0.001 '
        "and is 0.01; seed was 0 and is 3. Resume it as it was, or begin a new run."
    )
    data = dataclasses.replace(CONFIG.data, prevalence={"a": 0.1})
    with pytest.raises(InputError, match=r"configuration: data.prevalence.a was not set and is 0.1\. Resume"):
        require_same(kept, dataclasses.replace(CONFIG, data=data), kept.data)


def test_many_differences_are_not_all_listed():
    with pytest.raises(InputError, match=r"; and \d+ settings more\. Resume"):
        require_same(snapshot(), dataclasses.replace(CONFIG, recipe=RECIPES["paper"]), snapshot().data)


def test_where_and_how_often_may_change():
    model = ModelConfig(title="Another title", weights="/elsewhere/resnet50.pth")
    recipe = dataclasses.replace(CONFIG.recipe, explanation="Said otherwise.")
    moved = RunConfig(DataConfig("/mnt/other"), model, recipe, device="cpu", chunk=4, checkpoint_minutes=1.0)
    require_same(snapshot(), moved, snapshot().data)


@pytest.mark.parametrize("data", [{"train": "aa", "val": "cc"}, {"train": "aa"}])
def test_other_data_is_refused_by_part(data):
    with pytest.raises(InputError, match=r"with other data: the studies of val are not those that it began with"):
        require_same(snapshot(), CONFIG, data)


def test_what_changes_the_last_digits_is_said():
    before = {"torch": "2.6.0", "device": "cpu"}
    assert told_changes(before, before) == ()
    (note,) = told_changes(before, {"torch": "2.7.0", "device": "cpu", "processes": "2"})
    assert note == (
        "The run goes on under other conditions (torch 2.6.0 before, 2.7.0 now; processes not known before, 2 now): its "
        "results are the same up to rounding."
    )


def net() -> nn.Module:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(2, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2))
    made.register_parameter("scale", nn.Parameter(torch.tensor(1.0)))
    return made.to(memory_format=torch.channels_last)


def optimizer_of(made: nn.Module, backwards: bool = False, kind=torch.optim.AdamW):
    first, second = [made.scale, *made[0].parameters()], list(made[4].parameters())
    groups = [{"params": first[::-1] if backwards else first, "lr": 1e-2}, {"params": second, "lr": 1e-1}]
    return kind(groups, weight_decay=0.1)


def train(made: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    for step in steps:
        images = torch.randn(3, 2, 8, 8, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        (made.scale * made(images)).square().sum().backward()
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
def test_an_optimizer_goes_on_exactly_by_names(tmp_path, kind):
    whole = net()
    optimizer = optimizer_of(whole, kind=kind)
    train(whole, optimizer, range(3))
    state = optimizer_state(whole, optimizer)
    assert {name.rsplit("/")[0] for name in state.tensors} == set(dict(whole.named_parameters()))
    checkpoints.save(tmp_path, snapshot(model=whole.state_dict(), optimizer=state))
    train(whole, optimizer, range(3, 6))
    kept = checkpoints.latest(tmp_path).snapshot
    later = net()
    later.load_state_dict(kept.model)
    other = optimizer_of(later, backwards=True, kind=kind)  # another order of the same parameters
    restore_optimizer(later, other, kept.optimizer)
    average = other.state[later[0].weight]["exp_avg"]
    assert average.stride() == later[0].weight.stride()  # channels last, as torch itself would have made it
    train(later, other, range(3, 6))
    for name, tensor in whole.state_dict().items():
        assert torch.equal(later.state_dict()[name], tensor), name


def test_other_parameters_are_refused():
    made = net()
    state = optimizer_state(made, optimizer_of(made))
    fewer = torch.optim.AdamW(made[4].parameters())
    with pytest.raises(ValueError, match="other parameters"):
        restore_optimizer(made, fewer, state)
