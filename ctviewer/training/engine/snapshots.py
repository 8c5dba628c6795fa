"""All that a run is between two optimizer steps, and how an optimizer and the random numbers go on from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


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
        kept: what of the net learns, as it was then; empty where the last weights are kept instead.
        precision: that "auto" came to.
        config: `resuming.deciding_settings`.
        data: digest of the studies by part ("train", "val", ...).
        extra: plain values of whoever writes it.
        environment: what its numbers depend on in their last digits: versions, devices and the like, in words.
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
    kept: Mapping[str, Tensor] = field(default_factory=dict)
    precision: str = "float32"
    config: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=lambda: {"torch": torch.__version__})


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
