"""What one model of the comparison gave, kept as JSON beside its predictions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctviewer.training.reproduction.kept import read_result, write_result
from ctviewer.training.slice_predictions import SlicePredictions, read_slice_predictions, write_slice_predictions


@dataclass(frozen=True)
class ArmRun:
    """One model trained from one seed.

    Attributes:
        arm: its name (`ter_sarkisov_plan.ARMS`).
        seed: of the run.
        epochs: that the kept weights have seen.
        losses: mean training loss of each epoch.
        validation_losses: of each epoch; None where there was nothing to judge by.
        parameters: numbers that the net holds.
        seconds: training took.
        notes: sentences on what it started from.
    """

    arm: str
    seed: int
    epochs: int
    losses: tuple[float, ...]
    validation_losses: tuple[float | None, ...]
    parameters: int
    seconds: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Judged:
    """A model that is trained, and what it said of the slices it did not learn from.

    Attributes:
        run: how it was trained.
        predictions: of the test slices and all external sets.
    """

    run: ArmRun
    predictions: SlicePredictions


def keep(folder: Path, judged: Judged) -> None:
    """Keep a finished model: its predictions first, so that what is kept of it is whole once its own file is there.

    Raises:
        StorageError: the folder cannot be written.
    """
    write_slice_predictions(_predictions(folder, judged.run.arm, judged.run.seed), judged.predictions)
    write_result(_file(folder, judged.run.arm, judged.run.seed), dataclasses.asdict(judged.run))


def kept(folder: Path, arm: str, seed: int) -> Judged | None:
    """A model that an earlier call finished; None where it did not.

    Raises:
        InputError: what is kept is damaged.
    """
    run = read_result(_file(folder, arm, seed), from_json)
    return None if run is None else Judged(run, read_slice_predictions(_predictions(folder, arm, seed)))


def from_json(data: Mapping[str, Any]) -> ArmRun:
    """Read what `dataclasses.asdict` and JSON made of an `ArmRun`.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    return ArmRun(
        arm=str(data["arm"]),
        seed=int(data["seed"]),
        epochs=int(data["epochs"]),
        losses=tuple(map(float, data["losses"])),
        validation_losses=tuple(None if v is None else float(v) for v in data["validation_losses"]),
        parameters=int(data["parameters"]),
        seconds=float(data["seconds"]),
        notes=tuple(map(str, data["notes"])),
    )


def _file(folder: Path, arm: str, seed: int) -> Path:
    return folder / "models" / f"{arm}-{seed}.json"


def _predictions(folder: Path, arm: str, seed: int) -> Path:
    return folder / "models" / f"{arm}-{seed}.predictions.json"
