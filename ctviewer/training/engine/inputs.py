"""What a run is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ctviewer.models.bundle import Bundle
from ctviewer.training.config import RunConfig
from ctviewer.training.control import Control, never
from ctviewer.training.engine.parallel import SINGLE, World
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.source import LabelledSource, SliceSource


@dataclass(frozen=True)
class RunInputs:
    """All that a run needs.

    Attributes:
        config: what is to be done.
        source: of the studies; for a one-shot model of the scans of labelled slices.
        folder: of the run (`run_folder`); it may hold what pre-flight and the command line wrote.
        report: of pre-flight, nothing blocking.
        base: the bundle that "base" and "domain" start from; for other starts None.
        bundles: folder in which the new version is made.
        control: what the user wants; asked between chunks of slices.
        world: the processes that take part; all see the same folder.
        resume: whether to go on with what the folder holds.
        predict_at: epochs (from 1) after which test and external studies are predicted besides, before calibration,
            into the files of `epoch_predictions`; not part of what decides the result, and not for a cross-validation.
        studies: folder of prepared studies, where several runs share them; None for one of the run's own.
    """

    config: RunConfig
    source: LabelledSource | SliceSource
    folder: Path
    report: PreflightReport
    base: Bundle | None
    bundles: Path
    control: Control = never
    world: World = SINGLE
    resume: bool = False
    predict_at: tuple[int, ...] = ()
    studies: Path | None = None


def epoch_predictions(folder: Path, epoch: int) -> Path:
    """Where the predictions after an epoch (from 1) lie in the folder of a run."""
    return folder / f"epoch-{epoch:04d}" / "predictions.json"
