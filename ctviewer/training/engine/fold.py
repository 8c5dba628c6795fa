"""One fold: steps, epochs, the best of them, and a state that a process can leave at any moment and another take up."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

import torch
from torch import Tensor, nn

from ctviewer.core.errors import CtviewerError
from ctviewer.core.events import Event, Progress
from ctviewer.training.config import RunConfig
from ctviewer.training.control import Control, Wish
from ctviewer.training.engine import checkpoints
from ctviewer.training.engine.devices import describe
from ctviewer.training.engine.learner import B, Learner, Place, Steps
from ctviewer.training.engine.optimizers import make_scaler, rate_at, set_rate, trained_parameters
from ctviewer.training.engine.pace import Pace, memory_held
from ctviewer.training.engine.parallel import World
from ctviewer.training.engine.resuming import deciding_settings, require_same, told_changes
from ctviewer.training.engine.snapshots import RandomState, Snapshot, optimizer_state, restore_optimizer
from ctviewer.training.engine.watched import HEARTBEAT, watching
from ctviewer.training.events import EpochDone, Saved, StepDone

_LEAST_SCALE = 1.0  # of the loss in float16: gradients that overflow below it are no matter of precision

Work = Generator[Event, None, Wish]


@dataclass(frozen=True)
class FoldPlan:
    """What one fold is to do.

    Attributes:
        number: from 0; the final training of a cross-validation comes after its folds.
        train, validation: studies.
        epochs: that it learns for, at most.
        scheduled: that the rate's schedule is drawn for.
        folder: of its checkpoints.
        data: digest of the studies by part.
        folds_left: how many trainings of about this length follow.
    """

    number: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    epochs: int
    scheduled: int
    folder: Path
    data: Mapping[str, str]
    folds_left: int = 0


@dataclass(frozen=True)
class Setting:
    """What all folds share.

    Attributes:
        config: of the run.
        control: what the user wants; asked between chunks of slices.
        world: the processes that take part.
        after_epoch: of epochs counted from 1, what else is to be done with the net.
    """

    config: RunConfig
    control: Control
    world: World
    after_epoch: Callable[[int, Learner[Any]], Work] | None = None


@dataclass
class Position:
    """How far a fold is.

    Attributes:
        epoch: from 0.
        done: steps of this epoch.
        step: steps in all.
        losses: of the steps of this epoch.
        history: what was said of each epoch, plain values.
        best: lowest validation loss so far; None before the first.
        best_epoch: from 1; 0 before the first.
        seconds: that were spent on steps and judging.
    """

    epoch: int = 0
    done: int = 0
    step: int = 0
    losses: list[float] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    best: float | None = None
    best_epoch: int = 0
    seconds: float = 0.0


class Fold(Generic[B]):
    """Trains a net on the studies, or labelled slices, of a fold.

    Args:
        setting: of the run.
        plan: of this fold.
        learner: the net, and what it is shown.
        batches: the steps.
    """

    def __init__(self, setting: Setting, plan: FoldPlan, learner: Learner[B], batches: Steps[B]) -> None:
        self.plan, self.learner, self.batches = plan, learner, batches
        self.at = Position()
        self._setting, self._recipe = setting, setting.config.recipe
        self._net = learner.net
        self._optimizer = learner.make_optimizer(self._recipe)
        self._parameters = trained_parameters(self._optimizer)
        self._device = self._parameters[0].device
        self._scaler = make_scaler(learner.precision, self._device)
        self._best: dict[str, Tensor] = {}
        self._best_is_new = False  # since the last checkpoint
        self._saved_at = self._spoke_at = time.monotonic()
        self.pace = Pace(learner.slow_epochs(plan.epochs))

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return self.plan.epochs * self.batches.steps

    @property
    def has_learned(self) -> bool:
        """Whether there are weights that it would keep, and not only ones on the way."""
        return bool(self._best) if self.keeps_best else self.at.epoch > 0

    @property
    def keeps_best(self) -> bool:
        """Whether the weights of the best validation epoch are kept, and not the last ones."""
        return self._recipe.keep == "best" and bool(self.plan.validation)

    def resume(self) -> tuple[str, ...]:
        """Go on from the newest checkpoint, where there is one.

        Returns:
            Sentences for the user.

        Raises:
            InputError: it was made under another configuration or with other data, or all are damaged.
        """
        loaded = checkpoints.latest(self.plan.folder)
        if loaded is None:
            return ()
        snapshot = loaded.snapshot
        require_same(snapshot, self._setting.config, self.plan.data)
        self._net.load_state_dict(snapshot.model)
        restore_optimizer(self._net, self._optimizer, snapshot.optimizer)
        self._scaler.load_state_dict(dict(snapshot.scaler))
        snapshot.random.restore()
        self.learner.restore(snapshot.extra.get("learner", {}))
        self.at = Position(
            snapshot.epoch - 1, self.batches.steps_of(snapshot.position), snapshot.step, list(snapshot.extra["losses"]), list(snapshot.history),
            snapshot.best, int(snapshot.extra["best_epoch"]), float(snapshot.extra["seconds"]),
        )  # fmt: skip
        self._best = dict(snapshot.kept)
        return loaded.notes + told_changes(snapshot.environment, self._environment())

    def train(self) -> Work:
        """Learn until the last epoch, until validation gets no better, or until the user wants something else.

        Returns:
            `Wish.GO_ON` when it is done, else what the user wanted; a checkpoint is then written for a pause only.

        Raises:
            CtviewerError: a loss or a gradient is not finite; the state before that step is kept.
        """
        while self.at.epoch < self.plan.epochs and not self._patience_is_over():
            wish = yield from self._epoch()
            if wish is Wish.PAUSE:
                yield from self.save()
            if wish is not Wish.GO_ON:
                return wish
        yield from self.save()
        return Wish.GO_ON

    def take_kept(self) -> int:
        """Give the net the weights that are kept: the best validation epoch's, or those it has.

        Returns:
            The epochs that they have seen, begun ones included.
        """
        if not self.keeps_best or not self._best:
            return self.at.epoch + (self.at.done > 0)
        state = self._net.state_dict()
        for name, tensor in self._best.items():
            state[name].copy_(tensor)
        return self.at.best_epoch

    def save(self) -> Generator[Event, None, None]:
        """Write a checkpoint, the first process for all."""
        self._saved_at = time.monotonic()
        if self._setting.world.leads:
            checkpoints.save(self.plan.folder, self._snapshot())
            best, self._best_is_new = self._best_is_new, False
            yield Saved(self.plan.number, self.at.step, best)

    def _epoch(self) -> Work:
        """What is left of an epoch."""
        self._net.train()
        while self.at.done < self.batches.steps:
            wish = yield from self._step()
            if wish is not Wish.GO_ON:
                return wish
            if time.monotonic() - self._saved_at >= 60.0 * self._setting.config.checkpoint_minutes:
                yield from self.save()
        if self._setting.after_epoch is not None:
            wish = yield from self._setting.after_epoch(self.at.epoch + 1, self.learner)
            if wish is not Wish.GO_ON:
                return wish
        return (yield from self._judge_epoch())

    def _step(self) -> Work:
        began, at = time.monotonic(), self.at
        place = Place(self._setting.config.seed, self.plan.number, at.epoch, at.done)
        rate = rate_at(at.step, self.plan.scheduled * self.batches.steps, self._recipe)
        set_rate(self._optimizer, rate)
        self._optimizer.zero_grad(set_to_none=True)
        batch = self.batches.step(place.epoch, place.step)
        wish, part = yield from self._gradients(batch, place)
        if wish is not Wish.GO_ON:
            self._optimizer.zero_grad(set_to_none=True)
            return wish
        loss = float(self._setting.world.add(torch.tensor(part, dtype=torch.float64)))
        self._setting.world.add_gradients(self._parameters)
        if problem := self._problem(loss):
            self._optimizer.zero_grad(set_to_none=True)
            yield from self._save_if_good()
            raise CtviewerError(
                f"Training stopped at step {at.step + 1}, in epoch {at.epoch + 1}, because {problem} is not finite; the "
                "state before this step is kept (a lower learning rate, or the precision float32, may help)."
            )
        if any(
            p.grad is not None for p in self._parameters
        ):  # else nothing was learned, and the scaler takes that amiss
            self._scaler.step(self._optimizer)
            self._scaler.update()
        self.learner.after_step(batch, self._setting.world)
        at.done, at.step = at.done + 1, at.step + 1
        at.losses.append(loss)
        seconds = time.monotonic() - began
        at.seconds += seconds
        self.pace.stepped(at.epoch, seconds)
        yield StepDone(
            self.plan.number, at.epoch + 1, at.step, self.steps, loss, rate, seconds, self.seconds_left(),
            memory_held(self._device), self.learner.kind(batch),
        )  # fmt: skip
        return Wish.GO_ON

    def _gradients(self, batch: B, place: Place) -> Generator[Event, None, tuple[Wish, float]]:
        """This process's gradients and loss of a step; given up within a chunk where the user wants something else."""
        total = self.learner.amount(batch, self._setting.world)
        work = self.learner.learn(batch, place, self._scaler.get_scale(), self._setting.world)
        part, passed, wish = 0.0, 0, Wish.GO_ON
        while (wish := self._setting.control()) is Wish.GO_ON:
            try:
                passed += next(work)
            except StopIteration as end:
                part = end.value
                break
            if time.monotonic() - self._spoke_at >= HEARTBEAT:
                self._spoke_at = time.monotonic()
                yield Progress(f"Step {self.at.step + 1} of {self.steps}", min(passed, total), total)
        work.close()
        return self._setting.world.agree(wish), part

    def _problem(self, loss: float) -> str:
        """What of a step is not finite; "" where nothing is wrong. Gradients are unscaled and clipped."""
        if not math.isfinite(loss):
            return "the loss"
        self._scaler.unscale_(self._optimizer)
        norm = float(nn.utils.clip_grad_norm_(self._parameters, self._recipe.clip or math.inf))
        if math.isfinite(norm):
            return ""
        if self._scaler.is_enabled() and self._scaler.get_scale() > _LEAST_SCALE:
            return ""  # the scaler leaves this step out and scales less
        return "a gradient"

    def _save_if_good(self) -> Generator[Event, None, None]:
        if all(bool(p.isfinite().all()) for p in self._parameters):
            yield from self.save()

    def _judge_epoch(self) -> Work:
        """Judge the validation studies, say what came of it, and go to the next epoch."""
        began, at, setting = time.monotonic(), self.at, self._setting
        work = self.learner.judge_epoch(self.plan.validation, setting.world, setting.control)
        verdict = yield from watching(work, "Judging the validation studies")
        if isinstance(verdict, Wish):
            return verdict
        value = verdict.loss
        better = math.isfinite(value) and (at.best is None or value < at.best)
        seconds = time.monotonic() - began
        at.seconds += seconds
        self.pace.judged(seconds)
        told = EpochDone(
            self.plan.number, at.epoch + 1, self.plan.epochs, self.learner.mean_loss(at.losses), value,
            verdict.metrics, better,
        )  # fmt: skip
        at.history.append(
            {
                "epoch": told.epoch,
                "loss": told.loss,
                "validation_loss": value,
                "metrics": dict(told.metrics),
                "losses": at.losses,
            }
        )
        if better:
            at.best, at.best_epoch = value, told.epoch
            self._remember()
        at.epoch, at.done, at.losses = at.epoch + 1, 0, []
        yield told
        return Wish.GO_ON

    def _remember(self) -> None:
        if self.keeps_best:
            self._best = {name: t.detach().to("cpu", copy=True) for name, t in self.learner.kept_state().items()}
            self._best_is_new = True

    def _patience_is_over(self) -> bool:
        patience, at = self._recipe.patience, self.at
        return patience > 0 and at.best_epoch > 0 and at.epoch - at.best_epoch >= patience

    def seconds_left(self) -> float | None:
        """Of the run, should every fold learn for all its epochs; None before the first step."""
        at, steps = self.at, self.batches.steps
        here = self.pace.left(min(at.epoch, self.plan.epochs - 1), steps - at.done, steps, self.plan.epochs)
        return None if here is None else here + self.plan.folds_left * self.pace.whole(steps, self.plan.epochs)

    def _environment(self) -> dict[str, str]:
        """What losses depend on in their last digits."""
        return {
            "torch": torch.__version__,
            "device": describe(self._device),
            "slices in a chunk": str(self.learner.chunk),
            "processes": str(self._setting.world.size),
        }

    def _snapshot(self) -> Snapshot:
        at = self.at
        return Snapshot(
            fold=self.plan.number,
            epoch=at.epoch + 1,
            step=at.step,
            position=self.batches.taken(at.done),
            model=self._net.state_dict(),
            optimizer=optimizer_state(self._net, self._optimizer),
            random=RandomState.now(),
            scaler=self._scaler.state_dict(),
            history=list(at.history),
            best=at.best,
            kept=self._best,
            precision=self.learner.precision,
            config=deciding_settings(self._setting.config),
            data=self.plan.data,
            extra={
                "losses": list(at.losses),
                "best_epoch": at.best_epoch,
                "seconds": at.seconds,
                "learner": self.learner.state(),
            },
            environment=self._environment(),
        )
