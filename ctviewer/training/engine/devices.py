"""Where a run computes, and how precisely: measured once, then kept for the whole run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ctviewer.core.errors import InputError
from ctviewer.training.engine.passes import PRECISIONS

_LEAST_GAIN = 1.25  # times faster, else float32
_LARGEST_ERROR = 0.02  # of bfloat16 features, relative: rounding to 8 bits over a deep net, no more
_RUNS = 3


def choose_device(preference: str, local: int = 0) -> torch.device:
    """The CUDA device of this process where there is one and `preference` is not "cpu", else the CPU.

    Args:
        preference: "auto", "cpu" or "cuda".
        local: number of the process on its machine; the machine's devices are shared out by it.

    Raises:
        InputError: "cuda" was asked for and there is none.
    """
    if preference != "cpu" and torch.cuda.is_available():
        device = torch.device("cuda", local % torch.cuda.device_count())
        torch.cuda.set_device(device)
        return device
    if preference == "cuda":
        raise InputError("There is no CUDA device that this installation of torch can use; choose the CPU.")
    return torch.device("cpu")


def describe(device: torch.device) -> str:
    """A device in words: "cuda:0 (NVIDIA ...)" or "cpu"."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def measured_precision(net: nn.Module, images: Tensor, encode: Callable[[Tensor], Tensor], encoder: nn.Module) -> str:
    """Whether bfloat16 is worth it for the costly part of a net, there and back where it learns.

    Args:
        net: on its device; its gradients are as they were.
        images: a chunk of slices, `[n, 3 or 1, S, S]`.
        encode: its costly part.
        encoder: the module with the parameters of that.

    Returns:
        "bfloat16" where it is clearly faster and differs by rounding only, else "float32".
    """
    device = next(net.parameters()).device
    learned = [p for p in encoder.parameters() if p.requires_grad]
    was, images = net.training, images.to(device)
    net.eval()  # without dropout, so that the two can be compared
    exact, seconds = _timed(encode, images, "float32", learned)
    rounded, seconds_rounded = _timed(encode, images, "bfloat16", learned)
    net.train(was)
    error = float((rounded - exact).norm() / exact.norm().clamp_min(1e-12))
    pays = seconds >= _LEAST_GAIN * seconds_rounded and error <= _LARGEST_ERROR
    return "bfloat16" if pays else "float32"


def _timed(
    encode: Callable[[Tensor], Tensor], images: Tensor, precision: str, learned: Sequence[nn.Parameter]
) -> tuple[Tensor, float]:
    """Features in float32, and the shortest of some times."""
    dtype = PRECISIONS[precision]
    best = float("inf")
    for _ in range(_RUNS):
        _wait(images.device)
        start = time.perf_counter()
        with (
            torch.set_grad_enabled(bool(learned)),
            torch.autocast(images.device.type, dtype or torch.bfloat16, enabled=dtype is not None),
        ):
            features = encode(images).float()
        if learned:
            torch.autograd.grad(features.sum(), learned, allow_unused=True)
        _wait(images.device)
        best = min(best, time.perf_counter() - start)
    return features.detach(), best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
