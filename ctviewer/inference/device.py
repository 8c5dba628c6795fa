"""Where nets run and how precisely: CUDA where there is one, bfloat16 where it pays and changes nothing."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable

import torch
from torch import Tensor

from ctviewer.core.errors import InputError

CPU = torch.device("cpu")

_LARGEST_ERROR = 0.02  # of bfloat16 features, relative: what rounding to 8 bits costs over a ResNet, no more
_MOST_RUNS, _TIMING_SECONDS = 6, 0.2
_LEAST_GAIN = 1.25  # times faster, else float32: its results are the same on every machine
_SPARE = 0.8  # of the free memory: other programs use the GPU too, and a step's need varies
_measured: dict[tuple[str, str], str] = {}


def choose_device(preference: str) -> torch.device:
    """The first CUDA device where there is one and `preference` is not "cpu", else the CPU.

    Raises:
        InputError: "cuda" was asked for and there is none.
    """
    if preference != "cpu" and torch.cuda.is_available():
        return torch.device("cuda", 0)
    if preference == "cuda":
        raise InputError("There is no CUDA device that this installation of torch can use; choose the CPU.")
    return CPU


def describe(device: torch.device) -> str:
    """A device in words for the provenance: "cuda:0 (NVIDIA ...)" or "cpu"."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def choose_precision(key: str, device: torch.device, forward: Callable[[], Tensor]) -> str:
    """Measure whether bfloat16 is worth it; once per process for each net and device.

    Args:
        key: what identifies the net.
        device: where it runs.
        forward: runs the real net on a small batch there; its output is compared.

    Returns:
        "bfloat16" where it is clearly faster and the output differs by rounding only, else "float32".
    """
    place = (key, str(device))
    if place not in _measured:
        exact, seconds = _timed(forward, device, "float32")
        rounded, seconds_rounded = _timed(forward, device, "bfloat16")
        error = float((rounded - exact).norm() / exact.norm().clamp_min(1e-12))
        pays = seconds >= _LEAST_GAIN * seconds_rounded and error <= _LARGEST_ERROR
        _measured[place] = "bfloat16" if pays else "float32"
    return _measured[place]


def precision_of(precision: str, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """The context in which a net runs in this precision."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def free_memory(device: torch.device) -> None:
    """Give back what a failed step left on a CUDA device. Call it outside the `except` block: its frames hold tensors."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


class DeviceMemory:
    """How many slices fit into the free memory of a CUDA device, learned from the step before. Elsewhere nothing is told.

    Args:
        device: where the net runs.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before = 0

    def begin(self) -> None:
        """A step begins."""
        if self._measures:
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device)

    def fits(self, count: int, most: int) -> int:
        """Slices that the next step has room for, `most` at most and 1 at least.

        Args:
            count: slices of the step that has just ended.
            most: what is wanted.
        """
        if not self._measures:
            return most
        each = max(1, torch.cuda.max_memory_allocated(self._device) - self._before) / count
        kept = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        free = torch.cuda.mem_get_info(self._device)[0] + kept  # what torch keeps and does not use is free for it
        return max(1, min(most, int(_SPARE * free / each)))

    @property
    def _measures(self) -> bool:
        return self._device.type == "cuda" and torch.cuda.is_available()


def _timed(forward: Callable[[], Tensor], device: torch.device, precision: str) -> tuple[Tensor, float]:
    """Output in float32 and the shortest time of two runs or more (as many as fit a fifth of a second, six at most).

    A quick net is timed more often: beside other programs two runs are not enough to choose the same each time.
    """
    best = float("inf")
    with torch.inference_mode(), precision_of(precision, device):
        forward()
        began = time.perf_counter()
        for run in range(_MOST_RUNS):
            if run >= 2 and time.perf_counter() - began > _TIMING_SECONDS:
                break
            _wait(device)
            start = time.perf_counter()
            out = forward()
            _wait(device)
            best = min(best, time.perf_counter() - start)
    return out.float(), best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
