"""Pre-flight of a one-shot run as the configuration asks for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import ONE_SHOT
from ctviewer.training.config import RunConfig
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.slices.two_sources import IMAGES, TwoSources

if TYPE_CHECKING:
    from ctviewer.training.preflight.known import Divide
    from ctviewer.training.preflight.slices import Baseline, SliceRequest
    from ctviewer.training.slices.task import SliceTask


def require_start(config: RunConfig, base: Bundle | None) -> None:
    """Refuse a start that is known to be none before any slice is read.

    Raises:
        InputError: it is.
    """
    from ctviewer.training.engine.one_shot.starts import input_of
    from ctviewer.training.slices.net_options import require_options

    require_options(config.model)
    input_of(config.model, config.recipe, base)


def with_negative(config: RunConfig, source: TwoSources, base: Bundle | None) -> RunConfig:
    """The configuration with the class of slices that means "no finding", where its name says it and nobody else does."""
    from ctviewer.datasets.class_names import negative_of

    model = config.model
    stated = model.negative_class or (base is not None and model.start == "base" and base.metadata.negative_class)
    found = {name for scan in source.of_kind(IMAGES) for name in source.classes(scan)}
    negative = "" if stated else negative_of(tuple(sorted({*found, *model.image_classes})))
    if not negative or negative not in (model.image_classes or found):
        return config
    return dataclasses.replace(config, model=dataclasses.replace(model, negative_class=negative))


def slice_request(
    config: RunConfig, base: Bundle | None, room: Path, divide: Divide, baseline: Baseline | None
) -> SliceRequest:
    """What is to be checked.

    Args:
        config: of the run.
        base: what it starts from.
        room: a folder on the disk that the run will use.
        divide: makes the split.
        baseline: judges the base model; None for a start without one.

    Raises:
        InputError: it cannot start so.
    """
    from ctviewer.training.engine.one_shot.costs import reckon_slices
    from ctviewer.training.engine.one_shot.starts import input_of, whole_base
    from ctviewer.training.preflight.slices import SliceRequest

    plan, costs = reckon_slices(config, base, room)
    return SliceRequest(
        model=config.model,
        base=whole_base(config.model, base),
        size=input_of(config.model, config.recipe, base).size,
        divide=divide,
        cross_validation=config.data.cross_validation,
        folds=config.data.folds,
        plan=plan,
        costs=costs,
        baseline=baseline,
    )


def slice_notes(config: RunConfig, report: PreflightReport, base: Bundle | None) -> tuple[str, ...]:
    """What a one-shot run keeps of what it starts from and what is new; none of another run, or where it is blocked.

    Raises:
        InputError: start, classes and options of the net do not fit together, or a file of weights is missing.
    """
    from ctviewer.training.engine.one_shot.starts import start_one_shot

    if config.task != ONE_SHOT or report.blocked:
        return ()
    return start_one_shot(config.model, config.recipe, _task(config, report, base), base, config.seed).notes


def _task(config: RunConfig, report: PreflightReport, base: Bundle | None) -> SliceTask:
    from ctviewer.training.engine.one_shot.starts import whole_base
    from ctviewer.training.slices.task import slice_task

    return slice_task(config.model, report.outlined, report.slice_classes, whole_base(config.model, base))
