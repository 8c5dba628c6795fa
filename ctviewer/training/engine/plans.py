"""What a run goes through: one split, or folds and a final training; and what each finished fold leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ctviewer.core.errors import InputError
from ctviewer.core.files import reason, write_bytes
from ctviewer.training.config import DataConfig
from ctviewer.training.preflight.checks import cross_validates
from ctviewer.training.run_folder import CHECKPOINTS
from ctviewer.training.source import LabelledSource, SliceSource
from ctviewer.training.splits import EXTERNAL, TRAIN_ONLY, Case, Split, repeated_folds

FOLD = "fold.json"


def cases_of(source: LabelledSource | SliceSource, split: Split) -> tuple[Case, ...]:
    """The studies of a split, as splitting knows them; external sets are marked, and what must never judge."""
    marked = {study: TRAIN_ONLY for study in source.ids() if source.split(study) == TRAIN_ONLY}
    marked |= {study: EXTERNAL + name for name, studies in split.external.items() for study in studies}
    wanted = {study for studies in split.parts.values() for study in studies}
    return tuple(
        Case(study, source.patient(study), tuple(source.classes(study)), marked.get(study, ""))
        for study in source.ids()
        if study in wanted
    )


def folds_of(cases: Sequence[Case], data: DataConfig, seed: int) -> tuple[Split, ...]:
    """The folds of a cross-validation; none where one split is enough, or too few patients may judge (`cross_validates`).

    Raises:
        InputError: there are fewer patients than folds.
    """
    patients = {case.patient for case in cases if not case.split.startswith(EXTERNAL)}
    fixed = {case.patient for case in cases if case.split == TRAIN_ONLY}
    wanted = cross_validates(data.cross_validation, len(patients), len(patients - fixed), data.folds)
    return repeated_folds(cases, data.folds, data.repeats, seed) if wanted else ()


class Judgement(Protocol):
    """What a net said of the studies of a fold that it had not seen."""

    def to_plain(self) -> dict[str, Any]:
        """For JSON."""
        ...


@dataclass(frozen=True, eq=False)
class FoldRecord:
    """What a finished fold of a cross-validation leaves.

    Attributes:
        epochs: that the kept weights have seen.
        history: of `fold.Position`.
        seconds: that it took.
        judged: its test studies, before calibration.
    """

    epochs: int
    history: tuple[Mapping[str, Any], ...]
    seconds: float
    judged: Judgement

    def write(self, folder: Path) -> None:
        """Keep it, atomically: a fold whose record is there is finished.

        Raises:
            StorageError: it cannot be written.
        """
        told = {
            "epochs": self.epochs,
            "history": list(self.history),
            "seconds": self.seconds,
            "judged": self.judged.to_plain(),
        }
        write_bytes(folder / FOLD, (json.dumps(told) + "\n").encode())

    @classmethod
    def read(cls, folder: Path, judged: Callable[[Mapping[str, Any]], Judgement]) -> FoldRecord | None:
        """The record of a fold; None where it is not finished.

        Args:
            folder: of the fold.
            judged: reads what `Judgement.to_plain` made.

        Raises:
            InputError: it is damaged.
        """
        path = folder / FOLD
        try:
            told = json.loads(path.read_bytes())
            found = judged(told["judged"])
            return cls(int(told["epochs"]), tuple(told["history"]), float(told["seconds"]), found)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"{path} could not be read: {reason(error)}.") from error
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InputError(f"{path} is damaged; remove it, and the fold is trained again.") from error


def checkpoints_of(folder: Path) -> Path:
    """Where the state of one training lies, in the folder of a run or of a fold."""
    return folder / CHECKPOINTS


def fold_folder(run: Path, number: int) -> Path:
    """Where a fold of a cross-validation keeps its state."""
    return run / f"fold-{number:02d}"


def median_epochs(records: Sequence[FoldRecord]) -> int:
    """How long the final training is: the median of the folds' best epochs, a half rounded up."""
    return max(1, int(np.median([record.epochs for record in records]) + 0.5))
