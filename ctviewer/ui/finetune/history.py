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


Points = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Step, loss and smoothed loss, `[points]` each."""


@dataclass
class _StepCurve:
    """Losses of steps of one kind."""

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    smooth: list[float] = field(default_factory=list)

    def drop_from(self, step: int) -> None:
        """What was done from a step on is done again."""
        place = bisect.bisect_left(self.steps, step)
        for kept in (self.steps, self.losses, self.smooth):
            del kept[place:]

    def add(self, step: int, loss: float) -> None:
        before = next((one for one in reversed(self.smooth) if math.isfinite(one)), loss)
        share = max(1.0 / (len(self.steps) + 1), _NEWEST)  # the mean of the first steps, then of about the last twenty
        smooth = before + share * (loss - before) if math.isfinite(loss) else before
        self.steps.append(step)
        self.losses.append(loss)
        self.smooth.append(smooth)
        if len(self.steps) > _MOST_POINTS:
            for kept in (self.steps, self.losses, self.smooth):
                del kept[-2:0:-2]  # the first and the last stay

    @property
    def points(self) -> Points:
        return np.array(self.steps, float), np.array(self.losses, float), np.array(self.smooth, float)


@dataclass
class FoldCurves:
    """Of one fold (or of the one training without folds).

    Attributes:
        epochs: judged so far, in order.
    """

    epochs: list[EpochDone] = field(default_factory=list)
    _curves: dict[str, _StepCurve] = field(default_factory=dict)

    def add_step(self, step: int, loss: float, kind: str = "") -> None:
        """One more step; where it was there already (resumed from a checkpoint before it) what followed is dropped."""
        for curve in self._curves.values():
            curve.drop_from(step)
        self._curves.setdefault(kind, _StepCurve()).add(step, loss)

    def add_epoch(self, epoch: EpochDone) -> None:
        """One more epoch; one that is done again takes its place."""
        self.epochs = [one for one in self.epochs if one.epoch < epoch.epoch] + [epoch]

    @property
    def kinds(self) -> dict[str, Points]:
        """By what steps learned from, where they take turns; else all under ""."""
        return {kind: curve.points for kind, curve in self._curves.items() if curve.steps}

    @property
    def steps(self) -> Points:
        """Of all kinds, in the order of the steps."""
        joined = [np.concatenate(column) for column in zip(*self.kinds.values(), strict=True)] or [np.empty(0)] * 3
        order = np.argsort(joined[0], kind="stable")
        return joined[0][order], joined[1][order], joined[2][order]

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
            self._fold(event.fold).add_step(event.step, event.loss, event.kind)
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
