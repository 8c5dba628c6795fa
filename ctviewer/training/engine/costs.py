"""What a run takes, for pre-flight: steps on noise in the shape of slices, with the very net, and what is free here."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn

from ctviewer.models.bundle import Bundle
from ctviewer.nets.aggregators import StudyOutput
from ctviewer.nets.chunks import accumulate_gradients
from ctviewer.training.config import RunConfig
from ctviewer.training.engine import devices
from ctviewer.training.engine.optimizers import make_optimizer
from ctviewer.training.engine.passes import PRECISIONS
from ctviewer.training.engine.room import kept_chunks
from ctviewer.training.engine.starts import Start, start_net
from ctviewer.training.preflight.checks import FEW_PATIENTS
from ctviewer.training.preflight.estimates import RunPlan, Step, StepCost

_FLOAT32 = 4  # bytes of a cached feature
_STORED_GREY = 2  # bytes of a pixel of a prepared slice


def reckon(
    config: RunConfig, label_sets: Sequence[Sequence[str]], patients: int, base: Bundle | None, folder: Path
) -> tuple[RunPlan, Step]:
    """What `preflight.Request` wants to know of a run: its plan, and how to time a step.

    Args:
        config: of the run.
        label_sets: classes of each study.
        patients: outside external sets.
        base: the bundle that "base" and "domain" start from.
        folder: where the run will keep its features; it, or one above it, exists.

    Raises:
        InputError: the run cannot start so.
    """
    device = devices.choose_device(config.device)
    start = start_net(config.model, config.recipe, label_sets, base, config.seed)
    start.net.to(device)
    frozen = start.trainable == "none"
    plan = RunPlan(
        epochs=config.recipe.epochs * _trainings(config, patients),
        draws=config.recipe.draws if config.recipe.augmentation != "none" else 1,
        feature_bytes=start.net.encoder.out_features * _FLOAT32 if frozen else 0,
        square_bytes=start.preprocessing.size**2 * _STORED_GREY,
        state_bytes=state_bytes(start.net, _trainings(config, patients)),
        free_memory=free_memory(device),
        free_disk=free_disk(folder),
    )
    return plan, _Timed(config, start, device)


def _trainings(config: RunConfig, patients: int) -> int:
    """Folds of a cross-validation and the final training; else one."""
    data = config.data
    crossed = data.cross_validation == "always" or (data.cross_validation == "auto" and patients < FEW_PATIENTS)
    return data.folds * data.repeats + 1 if crossed else 1


def state_bytes(net: nn.Module, trainings: int) -> int:
    """Of the last two checkpoints and the one that is being written; of a cross-validation also those of the fold before.

    Each holds the net, and of all that learns two moments and the best so far.
    """
    learns: int = sum(p.numel() for p in net.parameters() if p.requires_grad)
    one: int = _FLOAT32 * (sum(tensor.numel() for tensor in net.state_dict().values()) + 3 * learns)
    return one * (3 if trainings == 1 else 5)


@dataclass(frozen=True)
class _Noise:
    """Meets `nets.chunks.Slices`: made when it is asked for, and alike each time."""

    slices: int
    channels: int
    side: int

    def __len__(self) -> int:
        return self.slices

    def __getitem__(self, part: slice, /) -> Tensor:
        count = len(range(*part.indices(self.slices)))
        generator = torch.Generator().manual_seed(part.start or 0)
        return torch.randn(count, self.channels, self.side, self.side, generator=generator)


class _Timed:
    """One sequence there and back; the net stays as it is, because the rate is 0."""

    def __init__(self, config: RunConfig, start: Start, device: torch.device) -> None:
        self._config, self._start, self._device = config, start, device
        self._optimizer = make_optimizer(start.net, replace(config.recipe, rate=0.0))
        self._precision = config.recipe.precision
        torch.manual_seed(config.seed)

    def __call__(self, slices: int) -> StepCost:
        p, net, device = self._start.preprocessing, self._start.net, self._device
        noise = _Noise(slices, len(p.mean), p.crop)
        if self._precision == "auto":
            self._precision = devices.measured_precision(net, noise[: self._config.chunk], net.encode, net.encoder)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        net.train()
        precision, chunk = PRECISIONS[self._precision], self._config.chunk
        kept = kept_chunks(net, _Noise(2, len(p.mean), p.crop)[0:2], chunk, precision)
        began = time.perf_counter()
        for _ in accumulate_gradients(net, [noise], self._loss, chunk=chunk, kept=kept, precision=precision):
            pass
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return StepCost(time.perf_counter() - began, peak_memory(device))

    @staticmethod
    def _loss(out: StudyOutput, _position: int) -> Tensor:
        return out.logits.square().mean()


def peak_memory(device: torch.device) -> int:
    """Bytes: of the device, or the most that the process has held."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource  # not on Windows

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)


def free_memory(device: torch.device) -> int:
    """Bytes that a run could take, what this process holds included."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available + psutil.Process().memory_info().rss)


def free_disk(folder: Path) -> int | None:
    """Bytes on the disk of a folder, or of the nearest one above it that exists; None where nobody knows."""
    place = next((one for one in (folder, *folder.parents) if one.exists()), None)
    try:
        return None if place is None else shutil.disk_usage(place).free
    except OSError:
        return None
