"""What the card of a shipped model says of its making: hardware, time, seed, and what its storing changed."""

from __future__ import annotations

import copy
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ctviewer.core.words import counted
from ctviewer.models.metadata import HARDWARE, SECONDS, SEED
from ctviewer.models.storage import as_kept

STORED = "change of outputs by storing"
"""Entry of a recipe: see `stored`."""

_CPU_FACTS = Path("/proc/cpuinfo")


def took(seconds: float, seed: int, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The entries of `Metadata.recipe` that every card states.

    Args:
        seconds: of the whole training, as the clock has it.
        seed: of all draws.
        device: that computed.
    """
    return {HARDWARE: hardware(torch.device(device)), SECONDS: round(seconds), SEED: seed}


def hardware(device: torch.device) -> str:
    """What computes, in words: "2 threads of Intel Xeon ... (4 cores), Linux x86_64, torch 2.9.0"."""
    if device.type == "cuda":
        what = torch.cuda.get_device_name(device)
    else:
        what = (
            f"{counted(torch.get_num_threads(), 'thread')} of {_processor()} ({counted(os.cpu_count() or 1, 'core')})"
        )
    return f"{what}, {platform.system()} {platform.machine()}, torch {torch.__version__}"


def stored(net: nn.Module, answer: Callable[[nn.Module], Tensor]) -> dict[str, Any]:
    """How much the weights as a bundle keeps them change what a net says, as an entry of its recipe.

    Args:
        net: as trained.
        answer: numbers that the net says of some input: probabilities, or masks of lesions. It is called with the net and
            with a copy that has the kept weights, both in eval mode and without gradients.

    Returns:
        The largest difference of two numbers, by name.
    """
    kept = copy.deepcopy(net)
    kept.load_state_dict({name: as_kept(tensor) for name, tensor in net.state_dict().items()})
    training = net.training
    with torch.inference_mode():
        first, second = (answer(one.eval()).double() for one in (net, kept))
    net.train(training)
    return {STORED: float((first - second).abs().max()) if first.numel() else 0.0}


def _processor() -> str:
    """Its name, where the system tells it."""
    try:
        lines = _CPU_FACTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
