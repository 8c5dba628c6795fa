"""A training run from studies to a bundle: a generator of events that can be left at any moment and taken up again."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ctviewer.core.errors import InputError
from ctviewer.core.events import Event, Message
from ctviewer.core.files import write_bytes
from ctviewer.models.bundle import load_bundle
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT
from ctviewer.training.control import Wish
from ctviewer.training.engine import checkpoints, plans
from ctviewer.training.engine.fold import Fold, FoldPlan
from ctviewer.training.engine.inputs import RunInputs
from ctviewer.training.engine.memory import FILE, Memory, remove_written
from ctviewer.training.engine.one_shot.workshop import OneShotWorkshop
from ctviewer.training.engine.plans import FoldRecord
from ctviewer.training.engine.resuming import deciding_settings, require_same
from ctviewer.training.engine.study_workshop import StudyWorkshop
from ctviewer.training.engine.workshop import Learned, WantedError, Workshop
from ctviewer.training.events import Paused, RunBegun, RunCancelled, RunFinished
from ctviewer.training.run_folder import SPLIT
from ctviewer.training.splits import EXTERNAL, Case, Split

__all__ = ["RunInputs", "run"]

_WORKSHOPS: Mapping[str, Callable[[RunInputs, Sequence[Case]], Workshop]] = {
    CLASSIFIER: StudyWorkshop,
    ONE_SHOT: OneShotWorkshop,
}


def run(inputs: RunInputs) -> Iterator[Event]:
    """Train a net for the task of the configuration and make a bundle of it.

    With several processes each of them runs this; the first writes, and its events are those to show. torch's random
    generators are seeded along the way.

    Yields:
        `Message` and `Progress`, `RunBegun`, `StepDone`, `EpochDone`, `Saved`; last `Paused`, `RunCancelled` or
        `RunFinished`.

    Raises:
        InputError: the data, the start or the folder cannot be used, or the run was another one before.
        DeviceError: what was learned gives values that are not finite.
        CtviewerError: a loss or gradient is not finite; the state before that step is kept.
        StorageError: a folder cannot be written.
    """
    one = _Run(inputs)
    try:
        yield from one.events()
    except WantedError as end:
        inputs.world.wait()
        if end.wish is Wish.PAUSE:
            yield Paused(one.fold, one.step)
            return
        if end.wish is Wish.STOP:
            yield Message("Training was stopped before anything was learned, so that there is nothing to keep.")
        if inputs.world.leads:
            remove_written(inputs.folder)
        yield RunCancelled()


class _Run:
    """The stages of a run.

    Attributes:
        fold, step: where it is, for `Paused`.
    """

    def __init__(self, inputs: RunInputs) -> None:
        self.fold = self.step = 0
        self._in, self._world, self._told = inputs, inputs.world, False
        if inputs.report.split is None or inputs.report.blocked:
            raise InputError("The run cannot begin: pre-flight found errors in its data.")
        self._split = inputs.report.split
        if not self._split.train:
            raise InputError("The run cannot begin: no study is left to learn from.")
        self._cases = plans.cases_of(inputs.source, self._split)
        self._folds = plans.folds_of(self._cases, inputs.config.data, inputs.config.seed)
        if self._folds and inputs.predict_at:
            raise InputError("Predictions after some epochs need one split, not a cross-validation.")
        self._notes: list[str] = []
        self._memory = self._remembered()
        self._shop: Workshop = _WORKSHOPS[inputs.config.task](inputs, self._cases)

    def events(self) -> Generator[Event, None, None]:
        """Of the whole run."""
        if self._memory.bundle:
            yield self._made_before()
            return
        for note in (*self._shop.notes, *self._notes):
            yield Message(note)
        if self._notes:
            self._remember()
        yield from self._prepare()
        learned = yield from (self._cross_validated() if self._folds else self._single())
        made = yield from self._shop.finish(learned)
        if isinstance(made, Wish):
            raise WantedError(made)
        self._remember(bundle=made.bundle)
        yield made

    def _made_before(self) -> RunFinished:
        """The process was killed after the bundle was made: there is nothing left to do."""
        bundle = load_bundle(Path(self._memory.bundle))
        metrics = {metric.name: metric.value for metric in bundle.metadata.metrics}
        return RunFinished(str(bundle.folder), bundle.key, self._memory.stopped_in is not None, metrics)

    def _remembered(self) -> Memory:
        memory, config, data = Memory.read(self._in.folder), self._in.config, dict(self._in.report.data_sha256)
        self._world.wait()
        if memory is not None and not self._in.resume:
            raise InputError(f"{self._in.folder} holds a run that was begun; resume it, or choose another folder.")
        if memory is None and self._in.resume and (memory := self._recalled()) is not None:
            self._notes.append(
                f"{FILE} was missing from the run's folder; what it said was taken from the checkpoint. A run that was "
                "being stopped trains on."
            )
        if memory is None:
            return Memory(config=deciding_settings(config), data=data)
        require_same(memory, config, data)
        return memory

    def _recalled(self) -> Memory | None:
        """What a checkpoint says of the run; None where there is none."""
        for folder in (self._in.folder, *sorted(self._in.folder.glob("fold-*"), reverse=True)):
            if (loaded := checkpoints.latest(plans.checkpoints_of(folder))) is not None:
                return Memory(loaded.snapshot.precision, config=loaded.snapshot.config, data=loaded.snapshot.data)
        return None

    def _remember(self, **changes: object) -> None:
        self._memory = dataclasses.replace(self._memory, **changes)  # type: ignore[arg-type]  # its own fields
        if self._world.leads:
            self._memory.write(self._in.folder)

    def _prepare(self) -> Generator[Event, None, None]:
        """Studies on disk, the precision, and who is in which part."""
        wish = Wish.GO_ON
        for event in self._shop.prepare(self._world.share([case.study for case in self._cases])):
            wish = self._shop.setting.control()
            if wish is Wish.STOP and self._in.resume:  # what was learned before is still to be judged
                wish = Wish.GO_ON
            if wish is not Wish.GO_ON:
                break
            yield event
        if (wish := self._world.agree(wish)) is not Wish.GO_ON:
            raise WantedError(wish)
        self._world.wait()
        if not self._memory.precision:
            self._remember(precision=self._world.tell(self._shop.measured_precision(self._split.train)))
        self._shop.precision = self._memory.precision
        if self._world.leads:
            told = [split.parts for split in self._folds or (self._split,)]
            write_bytes(self._in.folder / SPLIT, (json.dumps(told, indent=1) + "\n").encode())

    def _single(self) -> Generator[Event, None, Learned]:
        """One split: learn, and keep the validation and test studies for what follows."""
        plan = self._plan(0, self._split, self._in.config.recipe.epochs, plans.checkpoints_of(self._in.folder))
        fold = yield from self._opened(plan, self._in.resume)
        if self._memory.stopped_in is None and (yield from self._trained(fold)) is Wish.STOP:
            if fold.at.step == 0:
                raise WantedError(Wish.STOP)
            yield from self._stop_in(fold)
        return self._learned(fold, self._split)

    def _cross_validated(self) -> Generator[Event, None, Learned]:
        """All folds that are not finished yet, then the final training on all their studies."""
        records: list[FoldRecord] = []
        for number in range(len(self._folds)):
            if self._memory.stopped_in == number:
                return (yield from self._of_fold(number))
            found = self._shop.record(number) or (yield from self._fold(number))
            if isinstance(found, Learned):
                return found
            records.append(found)
        return (yield from self._final(tuple(records)))

    def _fold(self, number: int) -> Generator[Event, None, FoldRecord | Learned]:
        """One fold and what it says of its test studies; where the user stops, a net of the folds is what was learned."""
        fold = yield from self._opened(self._fold_plan(number), self._in.resume)
        wish = yield from self._trained(fold)
        if wish is Wish.STOP:
            return (yield from self._stopped(fold))
        epochs = fold.take_kept()
        judged = yield from self._shop.judged(fold.learner, self._folds[number].test)
        if judged is Wish.STOP:
            return (yield from self._stopped(fold))
        if isinstance(judged, Wish):
            raise WantedError(judged)
        record = FoldRecord(epochs, tuple(fold.at.history), fold.at.seconds, judged)
        if self._world.leads:
            record.write(plans.fold_folder(self._in.folder, number))
            if (
                number > 0
            ):  # the newest one's state is needed where the user stops before the next has learned something
                shutil.rmtree(self._fold_plan(number - 1).folder, ignore_errors=True)
        self._world.wait()
        return record

    def _final(self, records: tuple[FoldRecord, ...]) -> Generator[Event, None, Learned]:
        """Train on all patients for the median of the best epochs."""
        inside = tuple(case.study for case in self._cases if not case.split.startswith(EXTERNAL))
        everyone = Split(inside, external=self._split.external)
        epochs = plans.median_epochs(records)
        plan = self._plan(len(records), everyone, epochs, plans.checkpoints_of(self._in.folder))
        fold = yield from self._opened(plan, self._in.resume)
        if self._memory.stopped_in is None:
            yield Message(f"The final training takes all patients, for {epochs} epochs: the median of the folds' best.")
            wish = yield from self._trained(fold)
            if wish is Wish.STOP and not fold.has_learned:
                return (yield from self._stopped(fold))
            if wish is Wish.STOP:
                yield from self._stop_in(fold)
        return self._learned(fold, everyone, records)

    def _stopped(self, fold: Fold[Any]) -> Generator[Event, None, Learned]:
        """The user stopped during the cross-validation: the net of this fold is kept, or of the one before it."""
        number = fold.plan.number
        if fold.has_learned or number == 0:
            if fold.at.step == 0:
                raise WantedError(Wish.STOP)
            yield from self._stop_in(fold)
        else:
            number -= 1
            self._remember(stopped_in=number)
        return (yield from self._of_fold(number))

    def _of_fold(self, number: int) -> Generator[Event, None, Learned]:
        """What a fold had learned when the user stopped."""
        fold = yield from self._opened(self._fold_plan(number), True)
        yield Message(
            f"Stopped before the cross-validation was through: the net of fold {number + 1} is kept, and judged by the "
            "patients of this fold that it had not seen."
        )
        return self._learned(fold, self._folds[number])

    def _fold_plan(self, number: int) -> FoldPlan:
        folder = plans.checkpoints_of(plans.fold_folder(self._in.folder, number))
        return self._plan(number, self._folds[number], self._in.config.recipe.epochs, folder)

    def _plan(self, number: int, split: Split, epochs: int, folder: Path) -> FoldPlan:
        after = len(self._folds) - number if self._folds else 0
        data = dict(self._in.report.data_sha256)
        return FoldPlan(
            number, split.train, split.validation, epochs, self._in.config.recipe.epochs, folder, data, folds_left=after
        )

    def _opened(self, plan: FoldPlan, resume: bool) -> Generator[Event, None, Fold[Any]]:
        """A fold with the state that it was left in."""
        fold = self._shop.fold(plan)
        self._world.wait()  # until the first process has written what is read now
        notes = fold.resume() if resume else ()
        if self._memory.stopped_in == plan.number and fold.at.step == 0:
            raise InputError(
                f"The run cannot go on: it was stopped, and what it had learned is gone from {plan.folder}."
            )
        self.fold, self.step = plan.number, fold.at.step
        if not self._told:
            self._told = True
            yield RunBegun(
                fold.steps, len(self._folds) + 1 if self._folds else 1, self._shop.device_text, self._shop.precision,
                fold.at.step, len(plan.train), len(plan.validation), len(self._split.test),
                self._in.report.unit,
            )  # fmt: skip
        for note in notes:
            yield Message(note)
        return fold

    def _trained(self, fold: Fold[Any]) -> Generator[Event, None, Wish]:
        """`GO_ON` at the end, or `STOP`."""
        try:
            wish = yield from fold.train()
        finally:
            self.step = fold.at.step
        if wish in (Wish.PAUSE, Wish.CANCEL):
            raise WantedError(wish)
        return wish

    def _stop_in(self, fold: Fold[Any]) -> Generator[Event, None, None]:
        """From here on the run only finishes, also after another pause."""
        yield from fold.save()
        self._remember(stopped_in=fold.plan.number)

    def _learned(self, fold: Fold[Any], split: Split, records: tuple[FoldRecord, ...] = ()) -> Learned:
        return Learned(
            learner=fold.learner,
            split=split,
            records=records,
            fold=fold.plan.number,
            epochs=fold.take_kept(),
            history=tuple(fold.at.history),
            seconds=fold.at.seconds,
            stopped=self._memory.stopped_in is not None,
            device=self._shop.device_text,
        )
