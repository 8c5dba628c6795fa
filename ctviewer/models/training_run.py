"""How the weights of a bundle came to be: what a training run leaves in `metadata.json` and in the card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CurvePoint:
    """One epoch.

    Attributes:
        fold: from 0; the last fold of a cross-validated run is the final training on all studies.
        epoch: from 1.
        loss: mean training loss.
        validation_loss: None without validation studies.
        best: whether these weights were kept.
    """

    fold: int
    epoch: int
    loss: float
    validation_loss: float | None = None
    best: bool = False


@dataclass(frozen=True)
class Environment:
    """What computed: the program with its version, Python, torch, the system, the device and the precision of the encoder."""

    program: str
    python: str
    torch: str
    system: str
    device: str
    precision: str


@dataclass(frozen=True)
class HoldOut:
    """The studies that the figures refer to.

    Attributes:
        part: "test", "val", "cross-validation" or "external:NAME".
        studies, patients: how many.
        sha256: over the contents of its studies, whatever their order and names; "" where they are not known.
        looks: how often it was looked at before this run, by kind ("training", "evaluation", "comparison"); studies
            shared with other hold-outs count too.
    """

    part: str
    studies: int
    patients: int
    sha256: str = ""
    looks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingRun:
    """A finished run.

    Attributes:
        key: the same for all that one run makes; names nobody.
        finished: ISO 8601, UTC.
        seconds: that it took, pauses left out.
        stopped: whether the user ended it early; the best state so far was kept.
        start: what it started from, in words.
        split: how studies were shared out, in words.
        patients: by part.
        folds: of the cross-validation whose figures stand in the card; 0 without.
        epochs: that the kept weights have seen.
        holdouts: what the figures refer to.
        prevalence: class to share that the probabilities refer to; empty: not calibrated.
        calibration: what was fitted, in words; "" for nothing.
        curves: all epochs.
        environment: what computed.
        config_sha256: of the configuration.
        parent_sha256: of the parent's weights; "" without.
        notes: sentences about the run that a reader of the card should know.
    """

    key: str
    finished: str
    seconds: float
    stopped: bool
    start: str
    split: str
    patients: Mapping[str, int]
    folds: int
    epochs: int
    holdouts: tuple[HoldOut, ...]
    prevalence: Mapping[str, float]
    calibration: str
    curves: tuple[CurvePoint, ...]
    environment: Environment
    config_sha256: str
    parent_sha256: str = ""
    notes: tuple[str, ...] = ()
