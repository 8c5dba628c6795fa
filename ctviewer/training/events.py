"""What a training run says while it goes on: frozen, of plain values, and readable without torch.

They travel from the training process to the window as JSON lines (`event_lines`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ctviewer.core.events import Event


@dataclass(frozen=True)
class Checked(Event):
    """Pre-flight is done; `report` is `preflight.report.to_json` of what it said. It names patients: it is never logged."""

    report: Mapping[str, Any]


@dataclass(frozen=True)
class RunPlaced(Event):
    """The run has its folder."""

    folder: str


@dataclass(frozen=True)
class RunBegun(Event):
    """The run knows what it will do.

    Attributes:
        steps: optimizer steps in all (of this fold; all folds have about as many).
        folds: of the cross-validation, and the final training; 1 without.
        device, precision: in words.
        resumed: the step from which it goes on; 0 at the start.
        train, validation, test: studies.
        unit: what they are: "scan" where slices are learned from.
    """

    steps: int
    folds: int
    device: str
    precision: str
    resumed: int
    train: int
    validation: int
    test: int
    unit: str = "study"


@dataclass(frozen=True)
class StepDone(Event):
    """One optimizer step.

    Attributes:
        fold: from 0.
        epoch: from 1.
        step, steps: of this fold, from 1.
        loss: of the batch.
        rate: of the aggregator.
        seconds: the step took.
        seconds_left: of the whole run; None where nobody knows yet.
        memory: bytes that the process holds (on CUDA: the most the device has held).
        kind: what it learned from ("lesions", "images"), where steps of both kinds take turns; else "".
    """

    fold: int
    epoch: int
    step: int
    steps: int
    loss: float
    rate: float
    seconds: float
    seconds_left: float | None
    memory: int
    kind: str = ""


@dataclass(frozen=True)
class EpochDone(Event):
    """One epoch, judged on the validation studies.

    Attributes:
        fold: from 0.
        epoch, epochs: from 1.
        loss: mean training loss.
        validation_loss: NaN without validation studies.
        metrics: of the validation studies, by name.
        best: whether these are the best weights so far.
    """

    fold: int
    epoch: int
    epochs: int
    loss: float
    validation_loss: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    best: bool = False


@dataclass(frozen=True)
class Saved(Event):
    """A checkpoint is on disk.

    Attributes:
        fold, step: its place in the run.
        best: whether the best state in it is a new one.
    """

    fold: int
    step: int
    best: bool = False


@dataclass(frozen=True)
class Paused(Event):
    """A checkpoint was written and the process ends; `step` is where it will go on."""

    fold: int
    step: int


@dataclass(frozen=True)
class RunCancelled(Event):
    """Cancelled at the user's word: nothing is kept."""


@dataclass(frozen=True)
class RunFinished(Event):
    """A child bundle was made.

    Attributes:
        bundle: its folder.
        key: "name version".
        stopped: whether the user stopped it early (the best so far was kept).
        metrics: of the hold-out, name to value.
    """

    bundle: str
    key: str
    stopped: bool
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RunFailed(Event):
    """It ended with an error; `text` is one sentence for the user, `resumable` whether a good state is kept."""

    text: str
    resumable: bool
