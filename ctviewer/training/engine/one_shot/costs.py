"""What a one-shot run takes, for pre-flight: steps of both kinds on noise, with the very net, and what is free here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ctviewer.core.events import Done, Event, Progress
from ctviewer.models.bundle import Bundle
from ctviewer.nets.one_shot import OneShot, Target
from ctviewer.training.config import RunConfig
from ctviewer.training.engine import devices
from ctviewer.training.engine.costs import free_disk, free_memory, peak_memory, state_bytes
from ctviewer.training.engine.one_shot.learner import optimizer_for, reduced
from ctviewer.training.engine.one_shot.starts import input_of, start_one_shot, whole_base
from ctviewer.training.preflight.estimates import RunPlan, StepCost
from ctviewer.training.preflight.report import CROSS_VALIDATION, Estimate, PreflightReport
from ctviewer.training.slices.task import slice_task
from ctviewer.training.slices.two_sources import IMAGES, LESIONS
from ctviewer.training.splits import TRAIN, VALIDATION

_PIXEL_BYTES = 3  # of a prepared slice: grey in two, its label in one
_TIMED = 2  # steps of each kind, after one that pays for what no other does
_OUTLINES = ((0.1, 0.2, 0.45, 0.8), (0.55, 0.2, 0.9, 0.8), (0.2, 0.5, 0.3, 0.6), (0.6, 0.3, 0.8, 0.5))

Costs = Callable[[PreflightReport], Iterator[Event]]


def reckon_slices(config: RunConfig, base: Bundle | None, folder: Path) -> tuple[RunPlan, Costs]:
    """What `preflight.slices.SliceRequest` wants to know of a run: what is free, and how to reckon what the run takes.

    Args:
        config: of the run.
        base: the bundle that "base" and "domain" start from.
        folder: where the run will keep its slices; it, or one above it, exists.

    Raises:
        InputError: the run cannot start so.
    """
    device = devices.choose_device(config.device)
    size = input_of(config.model, config.recipe, base).size
    plan = RunPlan(
        epochs=config.recipe.epochs,
        square_bytes=_PIXEL_BYTES * size**2,
        free_memory=free_memory(device),
        free_disk=free_disk(folder),
    )
    return plan, lambda report: _reckoned(config, base, device, report)


def _reckoned(config: RunConfig, base: Bundle | None, device: torch.device, report: PreflightReport) -> Iterator[Event]:
    """Time steps, then yield `Done` with an `Estimate`. Judging a slice is counted as a step: rather too much than too little."""
    task = slice_task(config.model, report.outlined, report.slice_classes, whole_base(config.model, base))
    start = start_one_shot(config.model, config.recipe, task, base, config.seed)
    net = start.net.to(device)
    kinds = [LESIONS] if net.segmentation_only else [LESIONS, IMAGES]
    timed = _Timed(config, net, len(start.preprocessing.mean))
    seconds, memory = dict.fromkeys((LESIONS, IMAGES), 0.0), 0
    for done, kind in enumerate(kinds):
        yield Progress("Timing steps", done, len(kinds))
        cost = timed(kind)
        seconds[kind], memory = cost.seconds, max(memory, cost.memory)
    crossed = any(one.code == CROSS_VALIDATION for one in report.findings)
    runs = config.data.folds * config.data.repeats + 1 if crossed else 1
    epoch = sum(count * seconds[kind] for kind, count in _slices_of_epoch(config, report, len(task.image_classes)))
    prepared = sum(report.slices.values()) * _PIXEL_BYTES * net.size**2
    total = config.recipe.epochs * runs * epoch
    yield Done(Estimate(total, memory, prepared + state_bytes(net, runs), _TIMED * len(kinds)))


def _slices_of_epoch(config: RunConfig, report: PreflightReport, classes: int) -> Iterator[tuple[str, int]]:
    """Kinds and numbers of slices that pass the net in an epoch, of learning and of judging."""

    def counted(part: str, kind: str) -> int:
        return report.slices.get(f"{part}/{kind}", 0)

    images, lesions = counted(TRAIN, IMAGES) if classes else 0, counted(TRAIN, LESIONS)
    if config.recipe.per_class:
        images = min(images, classes * config.recipe.per_class)
    yield IMAGES, images
    yield LESIONS, (images or lesions) if lesions else 0
    yield LESIONS, counted(VALIDATION, LESIONS)
    yield IMAGES, counted(VALIDATION, IMAGES)


class _Timed:
    """A slice there and back; the net stays as it is, because the rate is 0."""

    def __init__(self, config: RunConfig, net: OneShot, channels: int) -> None:
        self._net, self._device = net, next(net.parameters()).device
        self._optimizer = optimizer_for(net, replace(config.recipe, rate=0.0))
        generator = torch.Generator().manual_seed(config.seed)
        self._image = torch.randn(1, channels, net.size, net.size, generator=generator).to(self._device)
        self._target = _target(net.size).to(self._device)
        self._precision = config.recipe.precision
        if self._precision == "auto":
            self._precision = devices.measured_precision(net, self._image, net.features, net.backbone)

    def __call__(self, kind: str) -> StepCost:
        """The quickest of some steps of a kind."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        self._net.train()
        best = min([self._step(kind) for _ in range(1 + _TIMED)][1:])
        return StepCost(best, peak_memory(self._device))

    def _step(self, kind: str) -> float:
        self._wait()
        began = time.perf_counter()
        with reduced(self._net, self._precision):
            loss = self._loss(kind)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's stub
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._wait()
        return time.perf_counter() - began

    def _loss(self, kind: str) -> Tensor:
        if kind == IMAGES:
            return self._net.classify(self._image).logits.square().mean()
        losses = self._net.segmentation_losses(self._image, [self._target])
        return torch.stack(list(losses.values())).sum()

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def _target(size: int) -> Target:
    """Two large and two small outlines."""
    boxes = torch.tensor(_OUTLINES) * size
    masks = torch.zeros(len(boxes), size, size, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y1:y2, x1:x2] = 1
    return Target(boxes, torch.ones(len(boxes), dtype=torch.int64), masks)
