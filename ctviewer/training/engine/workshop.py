"""What a run asks of its task: the net as it begins, the data on disk, folds, and a bundle of what was learned.

There is one for study classifiers (`study_workshop`) and one for one-shot models (`one_shot.workshop`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ctviewer.core.events import Event
from ctviewer.training.control import Wish
from ctviewer.training.engine.fold import Fold, FoldPlan, Setting
from ctviewer.training.engine.learner import Learner
from ctviewer.training.engine.plans import FoldRecord, Judgement
from ctviewer.training.events import RunFinished
from ctviewer.training.splits import Split


class WantedError(Exception):
    """The user wants something else than going on; never shown."""

    def __init__(self, wish: Wish) -> None:
        super().__init__(wish.value)
        self.wish = wish


@dataclass(frozen=True, eq=False)
class Learned:
    """A net with the weights that are kept, and how it came to them.

    Attributes:
        learner: with that net.
        split: whom it learned from, and who is left to judge it by.
        records: of the cross-validation that judges it instead; empty without.
        fold: number of the last training.
        epochs: that the kept weights have seen.
        history: of the last training.
        seconds: that the last training took.
        stopped: whether the user ended it early.
        device: in words.
    """

    learner: Learner[Any]
    split: Split
    records: tuple[FoldRecord, ...]
    fold: int
    epochs: int
    history: tuple[Mapping[str, Any], ...]
    seconds: float
    stopped: bool
    device: str


class Workshop(Protocol):
    """Of one task.

    Attributes:
        setting: of all folds.
        precision: of the net, once it is known.
    """

    setting: Setting
    precision: str

    @property
    def device_text(self) -> str:
        """Where it computes, in words."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what the net starts from."""
        ...

    def prepare(self, studies: Sequence[str]) -> Iterator[Event]:
        """Bring data to disk as training reads them; those that are there already are left alone.

        Raises:
            InputError: something cannot be read, or is not what was checked.
            StorageError: the folder cannot be written.
        """
        ...

    def measured_precision(self, studies: Sequence[str]) -> str:
        """The recipe's precision; "auto" is measured, by the first process."""
        ...

    def fold(self, plan: FoldPlan) -> Fold[Any]:
        """A fold at its beginning, with a net of its own."""
        ...

    def judged(self, learner: Learner[Any], studies: Sequence[str]) -> Generator[Event, None, Judgement | Wish]:
        """What a net says of studies that it did not learn from; the same in every process."""
        ...

    def record(self, number: int) -> FoldRecord | None:
        """What a finished fold of a cross-validation left in the run's folder; None where it is not finished.

        Raises:
            InputError: it is damaged.
        """
        ...

    def finish(self, learned: Learned) -> Generator[Event, None, RunFinished | Wish]:
        """Judge what was learned and save it; the same each time it is begun anew.

        Returns:
            What was made; or the user's wish to leave. A wish to stop is already being met.
        """
        ...
