"""Checkpoints: the whole state of a run in one safetensors file, written so that no moment of a kill can spoil it.

Tensors are the file's tensors; all else is JSON in its metadata, with a SHA-256 over both. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.files import atomic_path, reason
from ctviewer.training.config import RunConfig

FORMAT = "ctviewer checkpoint 1"
BEST = "best.safetensors"
KEPT = 2
_NAME = re.compile(r"step-(\d{8})\.safetensors")
_UNFINISHED = re.compile(r"\..*\.part|\.tmp.*")  # ours and safetensors': being written when the process died
_IO_ERROR = re.compile(r"I/O error: (.*) \(os error")
_MOST_DIFFERENCES = 4
# Where and how often, and what is only words: all of it may change while a run is paused
_NOT_TOLD = (
    "checkpoint_minutes", "device", "chunk", "data.folder", "data.labels", "model.weights", "model.title",
    "recipe.name", "recipe.title", "recipe.explanation",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class RandomState:
    """Of every generator that a run draws from.

    Attributes:
        cpu: torch's, uint8.
        cuda: torch's on each CUDA device; empty without.
        numpy: state of each numpy generator of the run, by a name, as plain values.
    """

    cpu: Tensor
    cuda: tuple[Tensor, ...] = ()
    numpy: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def now(cls, **generators: np.random.Generator) -> RandomState:
        """As they stand."""
        used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # torch's stub
        cuda = tuple(torch.cuda.get_rng_state_all()) if used else ()
        states = {name: generator.bit_generator.state for name, generator in generators.items()}
        return cls(torch.get_rng_state(), cuda, states)

    def restore(self, **generators: np.random.Generator) -> None:
        """Let torch, and the generators of these names, go on from here. A CUDA device that is gone is passed over."""
        torch.set_rng_state(self.cpu)
        for index, state in enumerate(self.cuda):
            if index < torch.cuda.device_count():
                torch.cuda.set_rng_state(state, index)
        for name, generator in generators.items():
            generator.bit_generator.state = self.numpy[name]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A run between two optimizer steps.

    Attributes:
        fold: of the cross-validation, from 0.
        epoch: from 1: the one it is in.
        step: optimizer steps done in this fold.
        position: sequences of the epoch that were taken.
        model: `state_dict` of the net.
        optimizer: of `optimizer_state`.
        schedule, scaler: plain values.
        random: of all generators.
        history: plain values: what was said of each epoch, and the losses of this one.
        best: the best validation value so far; None before the first.
        precision: that "auto" came to.
        config: `told(config)`.
        data: digest of the studies by part ("train", "val", ...).
        extra: plain values of whoever writes it.
        environment: versions and devices that it was written under.
    """

    fold: int
    epoch: int
    step: int
    position: int
    model: Mapping[str, Tensor]
    optimizer: OptimizerState
    random: RandomState
    schedule: Mapping[str, Any] = field(default_factory=dict)
    scaler: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Any] = ()
    best: float | None = None
    precision: str = "float32"
    config: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=lambda: {"torch": torch.__version__})


@dataclass(frozen=True, eq=False)
class OptimizerState:
    """An optimizer's state by the names of the net's parameters, so that no order of them matters.

    Attributes:
        tensors: by "parameter/what" ("aggregator.head.weight/exp_avg").
        values: what is no tensor, by the same kind of name.
        groups: the settings of each group, and the names of its parameters under "params".
    """

    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    groups: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a run goes on from.

    Attributes:
        snapshot: the newest intact one.
        path: its file.
        notes: sentences for the user: what was damaged and passed over, and what else is not as it was.
    """

    snapshot: Snapshot
    path: Path
    notes: tuple[str, ...] = ()


def save(folder: Path, snapshot: Snapshot, *, best: bool = False) -> Path:
    """Write a checkpoint. The last two of a folder are kept, and the best.

    Args:
        folder: of the run's, or the fold's, checkpoints.
        snapshot: on any device.
        best: write the best instead of the next.

    Raises:
        StorageError: the place cannot be written; what was there is as it was.
    """
    path = folder / (BEST if best else f"step-{snapshot.step:08d}.safetensors")
    tensors = {name: t.detach().cpu().contiguous() for name, t in _tensors(snapshot).items()}
    told = json.dumps(_plain(snapshot), sort_keys=True)
    metadata = {"format": FORMAT, "snapshot": told, "sha256": _digest(told, tensors)}
    with atomic_path(path) as temporary:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:  # what it makes of the system's refusal
            raise StorageError(f"{path} could not be written: {_refusal(error)}.") from error
    if not best:
        _prune(folder, snapshot.step)
    return path


def latest(folder: Path) -> Loaded | None:
    """The newest intact checkpoint of a folder; None where there is none at all.

    Raises:
        InputError: there are checkpoints and all of them are damaged.
    """
    damaged: list[str] = []
    for path in reversed(_steps(folder)):
        try:
            snapshot = _read(path)
        except InputError:
            damaged.append(path.name)
            continue
        return Loaded(snapshot, path, tuple(_about(damaged, snapshot)))
    if damaged:
        raise InputError(f"The run cannot go on: every checkpoint in {folder} is damaged ({', '.join(damaged)}).")
    return None


def best(folder: Path) -> Snapshot | None:
    """The best state so far; None where there is none.

    Raises:
        InputError: it is damaged.
    """
    path = folder / BEST
    return _read(path) if path.exists() else None


def told(config: RunConfig) -> dict[str, Any]:
    """What of a configuration decides the result, as plain values by dotted names."""
    plain = _flat("", json.loads(json.dumps(dataclasses.asdict(config))))
    return {name: value for name, value in plain.items() if name not in _NOT_TOLD}


def require_same(snapshot: Snapshot, config: RunConfig, data: Mapping[str, str]) -> None:
    """Refuse to go on under another configuration or with other data.

    Args:
        snapshot: of `latest`.
        config: of the run now.
        data: digest of the studies by part, now.

    Raises:
        InputError: names what differs.
    """
    now = told(config)
    changed = [name for name in {**snapshot.config, **now} if snapshot.config.get(name) != now.get(name)]
    if changed:
        listed = [f"{name} was {_shown(snapshot.config, name)} and is {_shown(now, name)}" for name in changed]
        more = [f"and {len(listed) - _MOST_DIFFERENCES} settings more"] if len(listed) > _MOST_DIFFERENCES else []
        raise InputError(
            f"The run cannot go on under another configuration: {'; '.join(listed[:_MOST_DIFFERENCES] + more)}. "
            "Resume it as it was, or begin a new run."
        )
    parts = sorted(part for part in {*snapshot.data, *data} if snapshot.data.get(part) != data.get(part))
    if parts:
        raise InputError(
            f"The run cannot go on with other data: the studies of {' and '.join(parts)} are not those that it began "
            "with (a study, a label or pixels have changed). Restore them, or begin a new run."
        )


def optimizer_state(net: nn.Module, optimizer: torch.optim.Optimizer) -> OptimizerState:
    """The state of an optimizer by parameter name.

    Args:
        net: whose parameters it has, all of them.
        optimizer: as it stands.
    """
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    tensors: dict[str, Tensor] = {}
    values: dict[str, Any] = {}
    for parameter, state in optimizer.state.items():
        for what, value in state.items():
            (tensors if isinstance(value, Tensor) else values)[f"{names[id(parameter)]}/{what}"] = value
    groups = [{**group, "params": [names[id(p)] for p in group["params"]]} for group in optimizer.param_groups]
    return OptimizerState(tensors, values, groups)


def restore_optimizer(net: nn.Module, optimizer: torch.optim.Optimizer, state: OptimizerState) -> None:
    """Give an optimizer back its state.

    Args:
        net: whose parameters it has.
        optimizer: with the same groups of parameters, in any order within a group.
        state: of `optimizer_state`.

    Raises:
        ValueError: its groups hold other parameters.
    """
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    parameters = dict(net.named_parameters())
    held = [[names[id(p)] for p in group["params"]] for group in optimizer.param_groups]
    if [set(group) for group in held] != [set(group["params"]) for group in state.groups]:
        raise ValueError("the optimizer has other parameters than the one whose state was kept")
    places = {name: index for index, name in enumerate(name for group in held for name in group)}
    stored: dict[int, dict[str, Any]] = {}
    for place, value in (*state.tensors.items(), *state.values.items()):
        name, _, what = place.rpartition("/")
        stored.setdefault(places[name], {})[what] = _like(value, parameters[name])
    groups = [
        {**kept, "params": [places[name] for name in group]} for kept, group in zip(state.groups, held, strict=True)
    ]
    optimizer.load_state_dict({"state": stored, "param_groups": groups})


def _like(value: Any, parameter: nn.Parameter) -> Any:
    """A tensor of a parameter's shape with its order in memory (channels last), which the kept one has lost."""
    if isinstance(value, Tensor) and value.shape == parameter.shape:
        return torch.empty_like(parameter, dtype=value.dtype, device="cpu").copy_(value)
    return value


def _tensors(snapshot: Snapshot) -> dict[str, Tensor]:
    tensors = {f"model/{name}": t for name, t in snapshot.model.items()}
    tensors |= {f"optimizer/{name}": t for name, t in snapshot.optimizer.tensors.items()}
    tensors["random/cpu"] = snapshot.random.cpu
    return tensors | {f"random/cuda/{i}": state for i, state in enumerate(snapshot.random.cuda)}


def _plain(snapshot: Snapshot) -> dict[str, Any]:
    """All of a snapshot that is no tensor."""
    apart = ("model", "optimizer", "random")
    plain = {f.name: getattr(snapshot, f.name) for f in dataclasses.fields(snapshot) if f.name not in apart}
    plain["optimizer"] = {"values": snapshot.optimizer.values, "groups": snapshot.optimizer.groups}
    plain["random"] = snapshot.random.numpy
    return plain


def _read(path: Path) -> Snapshot:
    """Raises InputError where the file is not a whole checkpoint."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except OSError as error:
        raise InputError(f"The checkpoint {path} cannot be read: {reason(error)}.") from error
    except SafetensorError as error:
        raise InputError(f"The checkpoint {path} is damaged.") from error
    told = metadata.get("snapshot", "")
    if metadata.get("format") != FORMAT:
        raise InputError(f"The checkpoint {path} was not written by this version of the program.")
    if metadata.get("sha256") != _digest(told, tensors):
        raise InputError(f"The checkpoint {path} is damaged.")
    return _snapshot(json.loads(told), tensors)


def _snapshot(plain: dict[str, Any], tensors: Mapping[str, Tensor]) -> Snapshot:
    def under(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

    optimizer = plain.pop("optimizer")
    cuda = under("random/cuda/")
    random = RandomState(tensors["random/cpu"], tuple(cuda[str(i)] for i in range(len(cuda))), plain.pop("random"))
    state = OptimizerState(under("optimizer/"), optimizer["values"], optimizer["groups"])
    return Snapshot(model=under("model/"), optimizer=state, random=random, **plain)


def _digest(told: str, tensors: Mapping[str, Tensor]) -> str:
    total = hashlib.sha256(told.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _steps(folder: Path) -> list[Path]:
    """Checkpoints of a folder, the oldest first."""
    return sorted(path for path in folder.glob("step-*.safetensors") if _NAME.fullmatch(path.name))


def _prune(folder: Path, step: int) -> None:
    """Keep the last two. What is of a later step was damaged, and the run went on from before it."""
    found = _steps(folder)
    past = [path for path in found if int(path.stem[5:]) <= step]
    unfinished = [path for path in folder.glob(".*") if _UNFINISHED.fullmatch(path.name)]
    for path in [*past[:-KEPT], *found[len(past) :], *unfinished]:
        with contextlib.suppress(OSError):  # it is only room
            path.unlink()


def _about(damaged: Sequence[str], snapshot: Snapshot) -> Iterator[str]:
    if damaged:
        yield (
            f"The newest checkpoint ({damaged[0]}) is damaged; the run goes on from the one before it, "
            f"step {snapshot.step}."
        )
    before, now = snapshot.environment.get("torch"), torch.__version__
    if before != now:
        yield f"The run began under torch {before} and goes on under {now}: losses may differ in their last digits."


def _flat(where: str, value: Any) -> dict[str, Any]:
    """Values of nested settings by dotted names."""
    if not isinstance(value, dict):
        return {where: value}
    return {
        name: inner for key, item in value.items() for name, inner in _flat(f"{where}.{key}".lstrip("."), item).items()
    }


def _shown(settings: Mapping[str, Any], name: str) -> str:
    return json.dumps(settings[name]) if name in settings else "not set"


def _refusal(error: SafetensorError) -> str:
    found = _IO_ERROR.search(str(error))
    return found[1] if found else "the system refused it"
