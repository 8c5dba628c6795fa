"""Where fine-tuning stands, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from ctviewer.ui.finetune.services import FinishedRun

if TYPE_CHECKING:
    from ctviewer.training.config import RunConfig
    from ctviewer.training.preflight.report import PreflightReport


class Phase(Enum):
    """Where fine-tuning stands."""

    IDLE = "idle"
    CHECKING = "checking"  # pre-flight
    CHECKED = "checked"
    STARTING = "starting"  # the process has not said what it will do yet
    RUNNING = "running"
    PAUSING = "pausing"
    STOPPING = "stopping"
    CANCELLING = "cancelling"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"
    FAILED = "failed"


ACTIVE = (Phase.STARTING, Phase.RUNNING, Phase.PAUSING, Phase.STOPPING, Phase.CANCELLING)
STEERABLE = (Phase.STARTING, Phase.RUNNING)


@dataclass(frozen=True)
class TrainingState:
    """All that the window shows of it, besides curves and progress.

    Attributes:
        phase: where it stands.
        text: what it does, or how it ended, in one or two sentences.
        config: what was asked for.
        report: of pre-flight, from CHECKED on.
        folder: of the run, once it has one.
        resumable: whether it can go on from a checkpoint (PAUSED, FAILED).
        result: what it made (FINISHED).
    """

    phase: Phase = Phase.IDLE
    text: str = ""
    config: RunConfig | None = None
    report: PreflightReport | None = None
    folder: Path | None = None
    resumable: bool = False
    result: FinishedRun | None = None

    @property
    def active(self) -> bool:
        """Whether a run's process is at work."""
        return self.phase in ACTIVE


def fold_text(fold: int, folds: int) -> str:
    """Which fold: "Fold 2 of 11"; the last of a cross-validation is the training of the model itself."""
    if folds <= 1:
        return "One training, no folds"
    return f"Final training ({folds} of {folds})" if fold == folds - 1 else f"Fold {fold + 1} of {folds}"
