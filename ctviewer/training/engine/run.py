"""A training run from studies to a bundle: a generator of events that can be left at any moment and taken up again."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from ctviewer.core.errors import InputError
from ctviewer.core.events import Event, Message
from ctviewer.core.files import reason, write_bytes
from ctviewer.models.bundle import Bundle
from ctviewer.training.augment import Pose
from ctviewer.training.config import RunConfig
from ctviewer.training.control import Control, Wish, never
from ctviewer.training.engine import devices, plans, starts
from ctviewer.training.engine.batches import make_batches
from ctviewer.training.engine.features import Draws, FeatureCache
from ctviewer.training.engine.finish import Learned, finish
from ctviewer.training.engine.fold import Fold, FoldPlan, Setting
from ctviewer.training.engine.judging import Judged, judge
from ctviewer.training.engine.parallel import SINGLE, World
from ctviewer.training.engine.passes import Passes
from ctviewer.training.engine.plans import FoldRecord
from ctviewer.training.engine.starts import Start
from ctviewer.training.engine.studies import StudyStore
from ctviewer.training.engine.task import Task
from ctviewer.training.engine.watched import watching
from ctviewer.training.events import Paused, RunBegun, RunCancelled
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.run_folder import (
    BASE_PREDICTIONS,
    CHECKPOINTS,
    COMPARISON,
    FEATURES,
    PREDICTIONS,
    SPLIT,
    STUDIES,
)
from ctviewer.training.sampling import paper_pose
from ctviewer.training.source import LabelledSource
from ctviewer.training.splits import Split

MEMORY = "engine.json"
"""What must outlive the process and belongs to no fold: the precision that was measured, and whether the user stopped."""


@dataclass(frozen=True)
class RunInputs:
    """All that a run needs.

    Attributes:
        config: what is to be done.
        source: of the studies.
        folder: of the run (`run_folder`); it may hold what pre-flight and the command line wrote.
        report: of pre-flight, nothing blocking.
        base: the bundle that "base" and "domain" start from; for other starts None.
        bundles: folder in which the new version is made.
        control: what the user wants; asked between chunks of slices.
        world: the processes that take part; all see the same folder.
        resume: whether to go on with what the folder holds.
        predict_at: epochs (from 1) after which test and external studies are predicted besides, into
            `epoch-0006/predictions.json`; not part of what decides the result.
    """

    config: RunConfig
    source: LabelledSource
    folder: Path
    report: PreflightReport
    base: Bundle | None
    bundles: Path
    control: Control = never
    world: World = SINGLE
    resume: bool = False
    predict_at: tuple[int, ...] = ()


def run(inputs: RunInputs) -> Iterator[Event]:
    """Train a study classifier and make a bundle of it.

    With several processes each of them runs this; the first writes, and its events are those to show. torch's random
    generators are seeded along the way.

    Yields:
        `Message` and `Progress`, `RunBegun`, `StepDone`, `EpochDone`, `Saved`; last `Paused`, `RunCancelled` or
        `RunFinished`.

    Raises:
        InputError: the data, the start or the folder cannot be used, or the run was another one before.
        CtviewerError: a loss or gradient is not finite; the state before that step is kept.
        StorageError: the folder cannot be written.
    """
    one = _Run(inputs)
    try:
        yield from one.events()
    except _WantedError as end:
        inputs.world.wait()
        if end.wish is Wish.PAUSE:
            yield Paused(one.fold, one.step)
            return
        if end.wish is Wish.STOP:
            yield Message("Training was stopped before anything was learned, so that there is nothing to keep.")
        if inputs.world.leads:
            remove_written(inputs.folder)
        yield RunCancelled()


def remove_written(folder: Path) -> None:
    """Remove all that a run wrote into its folder; what pre-flight and the command line wrote stays.

    Raises:
        InputError: something cannot be removed.
    """
    known = (CHECKPOINTS, FEATURES, STUDIES, PREDICTIONS, BASE_PREDICTIONS, COMPARISON, SPLIT, MEMORY)
    written = [folder / name for name in known] + [*folder.glob("fold-*"), *folder.glob("epoch-*")]
    for path in written:
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"{path} could not be removed: {reason(error)}.") from error


class _WantedError(Exception):
    """The user wants something else than going on."""

    def __init__(self, wish: Wish) -> None:
        super().__init__(wish.value)
        self.wish = wish


@dataclass(frozen=True)
class _Memory:
    precision: str = ""
    stopped_in: int | None = None


class _Run:
    """What the stages of a run share.

    Attributes:
        fold, step: where it is, for `Paused`.
    """

    def __init__(self, inputs: RunInputs) -> None:
        self.fold = self.step = 0
        self._told = False
        self._in, config = inputs, inputs.config
        if inputs.report.split is None or inputs.report.blocked:
            raise InputError("The run cannot begin: pre-flight found errors in its data.")
        self._split = inputs.report.split
        if not self._split.train:
            raise InputError("The run cannot begin: no study is left to learn from.")
        self._control = inputs.control if inputs.world.leads else never
        self._cases = plans.cases_of(inputs.source, self._split)
        self._folds = plans.folds_of(self._cases, config.data, config.seed)
        self._device = devices.choose_device(config.device, inputs.world.local)
        self._start = self._started()
        self._memory = self._remembered()
        self._store = StudyStore(
            inputs.source, self._start.preprocessing, inputs.folder / STUDIES, inputs.report.study_sha256, self._device
        )
        self._task = Task(
            self._start.head,
            self._start.classes,
            {case.study: case.classes for case in self._cases},
            balanced=config.recipe.sampling == "inverse_frequency",
        )

    def events(self) -> Iterator[Event]:
        """Of the whole run."""
        for note in self._start.notes:
            yield Message(note)
        yield from self._prepare()
        learned = yield from (self._cross_validated() if self._folds else self._single())
        result = yield from finish(self._in, learned, self._setting())
        if isinstance(result, Wish):
            raise _WantedError(result)
        yield result

    def _started(self) -> Start:
        """The net as it begins; the same each time."""
        config = self._in.config
        labels = [case.classes for case in self._cases]
        start = starts.start_net(config.model, config.recipe, labels, self._in.base, config.seed)
        start.net.to(self._device)
        return start

    def _remembered(self) -> _Memory:
        path = self._in.folder / MEMORY
        self._in.world.wait()
        try:
            memory = _Memory(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return _Memory()
        except OSError as error:
            raise InputError(f"{path} could not be read: {reason(error)}.") from error
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(f"{path} is damaged.") from error
        if not self._in.resume:
            raise InputError(f"{self._in.folder} holds a run that was begun; resume it, or choose another folder.")
        return memory

    def _remember(self, memory: _Memory) -> None:
        self._memory = memory
        if self._in.world.leads:
            write_bytes(self._in.folder / MEMORY, (json.dumps(dataclasses.asdict(memory)) + "\n").encode())

    def _prepare(self) -> Iterator[Event]:
        """Studies on disk, the precision, and who is in which part."""
        world, everyone = self._in.world, [case.study for case in self._cases]
        wish = Wish.GO_ON
        for event in self._store.prepare(world.share(everyone)):
            if (wish := self._control()) is not Wish.GO_ON:
                break
            yield event
        if (wish := world.agree(wish)) is not Wish.GO_ON:
            raise _WantedError(wish)
        world.wait()
        if not self._memory.precision:
            self._remember(dataclasses.replace(self._memory, precision=world.tell(self._precision())))
        if world.leads:
            told = [split.parts for split in self._folds or (self._split,)]
            write_bytes(self._in.folder / SPLIT, (json.dumps(told, indent=1) + "\n").encode())

    def _precision(self) -> str:
        wanted = self._in.config.recipe.precision
        if wanted != "auto" or not self._in.world.leads:
            return wanted
        longest = max(self._split.train, key=self._store.length)
        images = self._store.slices(longest)[: self._in.config.chunk]
        return devices.measured_precision(self._start.net, images)

    def _single(self) -> Generator[Event, None, Learned]:
        """One split: learn, and keep the validation and test studies for what follows."""
        fold = yield from self._opened(self._single_plan(), self._in.resume)
        if self._memory.stopped_in is None:
            wish = yield from self._trained(fold)
            if wish is Wish.STOP:
                if fold.at.step == 0:
                    raise _WantedError(wish)
                yield from self._stop_in(fold)
        return self._learned(fold, self._split)

    def _cross_validated(self) -> Generator[Event, None, Learned]:
        """All folds that are not finished yet, then the final training on all their studies."""
        records: list[FoldRecord] = []
        for number in range(len(self._folds)):
            record = FoldRecord.read(plans.fold_folder(self._in.folder, number))
            if self._memory.stopped_in == number:
                return (yield from self._of_fold(number))
            if record is None:
                found = yield from self._fold(number)
                if isinstance(found, Learned):
                    return found
                record = found
            records.append(record)
        return (yield from self._final(tuple(records)))

    def _fold(self, number: int) -> Generator[Event, None, FoldRecord | Learned]:
        """One fold and what it says of its test studies; where the user stops, its net is what was learned."""
        fold = yield from self._opened(self._fold_plan(number), self._in.resume)
        wish = yield from self._trained(fold)
        if wish is Wish.STOP:
            return (yield from self._stopped(fold))
        epochs = fold.take_kept()
        judged = yield from self._judged(fold.passes, self._folds[number].test)
        record = FoldRecord(epochs, tuple(fold.at.history), fold.at.seconds, judged)
        if self._in.world.leads:
            record.write(plans.fold_folder(self._in.folder, number))
            if number > 0:  # this one's state is needed where the user stops before the next has learned something
                shutil.rmtree(self._fold_plan(number - 1).folder, ignore_errors=True)
        self._in.world.wait()
        return record

    def _final(self, records: tuple[FoldRecord, ...]) -> Generator[Event, None, Learned]:
        """Train on all patients for the median of the best epochs."""
        inside = tuple(case.study for case in self._cases if not case.split)
        everyone = Split(inside, external=self._split.external)
        epochs = plans.median_epochs(records)
        fold = yield from self._opened(self._plan(len(records), everyone, epochs, self._in.folder), self._in.resume)
        if self._memory.stopped_in is None:
            yield Message(f"The final training takes all patients, for {epochs} epochs: the median of the folds' best.")
            wish = yield from self._trained(fold)
            if wish is Wish.STOP and fold.at.epoch == 0:
                return (yield from self._stopped(fold))
            if wish is Wish.STOP:
                yield from self._stop_in(fold)
        return self._learned(fold, everyone, records)

    def _stopped(self, fold: Fold) -> Generator[Event, None, Learned]:
        """The user stopped during the cross-validation: the net of this fold is kept, or of the one before it."""
        number = fold.plan.number
        if fold.has_learned or number == 0:
            if fold.at.step == 0:
                raise _WantedError(Wish.STOP)
            yield from self._stop_in(fold)
        else:
            number -= 1
            self._remember(dataclasses.replace(self._memory, stopped_in=number))
        return (yield from self._of_fold(number))

    def _of_fold(self, number: int) -> Generator[Event, None, Learned]:
        """What a fold had learned when the user stopped."""
        fold = yield from self._opened(self._fold_plan(number), True)
        yield Message(
            f"Stopped before the cross-validation was through: the net of fold {number + 1} is kept, and judged by the "
            "patients of this fold that it had not seen."
        )
        return self._learned(fold, self._folds[number])

    def _single_plan(self) -> FoldPlan:
        return self._plan(0, self._split, self._in.config.recipe.epochs, self._in.folder)

    def _fold_plan(self, number: int) -> FoldPlan:
        folder = plans.fold_folder(self._in.folder, number)
        return self._plan(number, self._folds[number], self._in.config.recipe.epochs, folder)

    def _plan(self, number: int, split: Split, epochs: int, folder: Path) -> FoldPlan:
        total = len(self._folds) + 1 if self._folds else 1
        return FoldPlan(
            number, split.train, split.validation, epochs, self._in.config.recipe.epochs, folder / CHECKPOINTS,
            dict(self._in.report.data_sha256), folds_left=total - number - 1,
        )  # fmt: skip

    def _opened(self, plan: FoldPlan, resume: bool) -> Generator[Event, None, Fold]:
        """A fold with the state that it was left in."""
        config, start = self._in.config, self._started()
        lengths = {study: self._store.length(study) for study in plan.train}
        draws = Draws(self._pose(), config.seed, max(1, config.recipe.draws))
        cache = None
        if start.trainable == "none":
            cache = FeatureCache(
                self._in.folder / FEATURES, self._store, start.net, draws, precision=self._memory.precision,
                chunk=config.chunk,
            )  # fmt: skip
        passes = Passes(
            start.net, self._task, self._store, cache, draws, self._memory.precision, config.chunk,
            config.recipe.supervision,
        )  # fmt: skip
        batches = make_batches(lengths, self._task.truth, config.recipe, config.seed, plan.number)
        fold = Fold(self._setting(), plan, passes, batches)
        notes = fold.resume() if resume else ()
        self.fold, self.step = plan.number, fold.at.step
        yield from self._begun(fold)
        for note in notes:
            yield Message(note)
        return fold

    def _begun(self, fold: Fold) -> Iterator[RunBegun]:
        """Said once by each process."""
        if self._told:
            return
        self._told, plan = True, fold.plan
        yield RunBegun(
            fold.steps, len(self._folds) + 1 if self._folds else 1, devices.describe(self._device),
            self._memory.precision, fold.at.step, len(plan.train), len(plan.validation), len(self._split.test),
        )  # fmt: skip

    def _trained(self, fold: Fold) -> Generator[Event, None, Wish]:
        """`GO_ON` at the end, or `STOP`."""
        try:
            wish = yield from fold.train()
        finally:
            self.step = fold.at.step
        if wish in (Wish.PAUSE, Wish.CANCEL):
            raise _WantedError(wish)
        return wish

    def _stop_in(self, fold: Fold) -> Generator[Event, None, None]:
        """From here on the run only finishes, also after another pause."""
        yield from fold.save()
        self._remember(dataclasses.replace(self._memory, stopped_in=fold.plan.number))

    def _judged(self, passes: Passes, studies: tuple[str, ...]) -> Generator[Event, None, Judged]:
        work = judge(passes, studies, self._in.world, self._control)
        judged = yield from watching(work, "Judging studies that were not learned from", len(studies))
        if isinstance(judged, Wish):
            raise _WantedError(judged)
        return judged

    def _learned(self, fold: Fold, split: Split, records: tuple[FoldRecord, ...] = ()) -> Learned:
        return Learned(
            start=dataclasses.replace(self._start, net=fold.passes.net),
            passes=fold.passes,
            split=split,
            folds=self._folds if records else (),
            records=records,
            fold=fold.plan.number,
            epochs=fold.take_kept(),
            history=tuple(fold.at.history),
            seconds=fold.at.seconds,
            stopped=self._memory.stopped_in is not None,
            device=devices.describe(self._device),
        )

    def _pose(self) -> Pose | None:
        p = self._start.preprocessing
        poses = {"none": None, "paper": paper_pose(p.size, p.crop), "tuned": Pose()}
        return poses[self._in.config.recipe.augmentation]

    def _setting(self) -> Setting:
        return Setting(self._in.config, self._control, self._in.world)
