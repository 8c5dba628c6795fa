"""What a run has said so far, as curves. Fed event by event, live or from the file of an earlier process."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.events import Event
from ctviewer.training.events import EpochDone, RunBegun, StepDone

_MOST_POINTS = 4000  # more than a screen has columns; then every other one goes
_NEWEST = 0.1  # share of the newest step in the smoothed loss


@dataclass
class FoldCurves:
    """Of one fold (or of the one training without folds).

    Attributes:
        epochs: judged so far, in order.
    """

    epochs: list[EpochDone] = field(default_factory=list)
    _steps: list[int] = field(default_factory=list)
    _losses: list[float] = field(default_factory=list)
    _smooth: list[float] = field(default_factory=list)

    def add_step(self, step: int, loss: float) -> None:
        """One more step; where it was there already (resumed from a checkpoint before it) what followed is dropped."""
        place = bisect.bisect_left(self._steps, step)
        for kept in (self._steps, self._losses, self._smooth):
            del kept[place:]
        before = next((one for one in reversed(self._smooth) if math.isfinite(one)), loss)
        share = max(1.0 / max(step, 1), _NEWEST)  # the mean of the first steps, then of about the last twenty
        smooth = before + share * (loss - before) if math.isfinite(loss) else before
        self._steps.append(step)
        self._losses.append(loss)
        self._smooth.append(smooth)
        if len(self._steps) > _MOST_POINTS:
            for kept in (self._steps, self._losses, self._smooth):
                del kept[-2:0:-2]  # the first and the last stay

    def add_epoch(self, epoch: EpochDone) -> None:
        """One more epoch; one that is done again takes its place."""
        self.epochs = [one for one in self.epochs if one.epoch < epoch.epoch] + [epoch]

    @property
    def steps(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Step, loss and smoothed loss, `[points]` each."""
        return np.array(self._steps, float), np.array(self._losses, float), np.array(self._smooth, float)

    @property
    def losses(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Epoch, training loss and validation loss (NaN where there is none), `[epochs]` each."""
        rows = [(one.epoch, one.loss, one.validation_loss) for one in self.epochs]
        table = np.array(rows, float).reshape(len(rows), 3)
        return table[:, 0], table[:, 1], table[:, 2]

    @property
    def metrics(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """By name: epoch and value."""
        names = dict.fromkeys(name for one in self.epochs for name in one.metrics)
        found = {}
        for name in names:
            rows = [(one.epoch, one.metrics[name]) for one in self.epochs if name in one.metrics]
            table = np.array(rows, float)
            found[name] = (table[:, 0], table[:, 1])
        return found

    @property
    def best(self) -> EpochDone | None:
        """The epoch whose weights are the best so far."""
        return next((one for one in reversed(self.epochs) if one.best), None)


@dataclass
class RunHistory:
    """All folds of a run.

    Attributes:
        begun: what the newest process of the run set out to do.
        step: the newest step.
        folds: curves by number.
    """

    begun: RunBegun | None = None
    step: StepDone | None = None
    folds: dict[int, FoldCurves] = field(default_factory=dict)

    def add(self, event: Event) -> bool:
        """Take an event; whether it changed anything."""
        if isinstance(event, RunBegun):
            self.begun = event
        elif isinstance(event, StepDone):
            self.step = event
            self._fold(event.fold).add_step(event.step, event.loss)
        elif isinstance(event, EpochDone):
            self._fold(event.fold).add_epoch(event)
        else:
            return False
        return True

    @property
    def fold(self) -> int:
        """The newest fold, from 0."""
        return self.step.fold if self.step is not None else max(self.folds, default=0)

    @property
    def current(self) -> FoldCurves:
        """Curves of the newest fold."""
        return self.folds.get(self.fold) or FoldCurves()

    def _fold(self, number: int) -> FoldCurves:
        return self.folds.setdefault(number, FoldCurves())
