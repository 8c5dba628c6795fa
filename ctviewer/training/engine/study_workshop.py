"""Runs that train a study classifier: device, studies, classes, the net as it begins, and how one fold is put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Sequence
from typing import Any, cast

import torch

from ctviewer.core.events import Event
from ctviewer.training.augment import Pose
from ctviewer.training.control import Wish, never
from ctviewer.training.engine import devices, finish, starts
from ctviewer.training.engine.batches import make_batches
from ctviewer.training.engine.features import Draws, FeatureCache
from ctviewer.training.engine.fold import Fold, FoldPlan, Setting
from ctviewer.training.engine.inputs import RunInputs, epoch_predictions
from ctviewer.training.engine.judging import Judged, judge
from ctviewer.training.engine.learner import Learner
from ctviewer.training.engine.passes import PRECISIONS, Passes
from ctviewer.training.engine.plans import FoldRecord, fold_folder
from ctviewer.training.engine.room import kept_chunks
from ctviewer.training.engine.starts import Start
from ctviewer.training.engine.studies import StudyStore
from ctviewer.training.engine.study_learner import StudyLearner
from ctviewer.training.engine.task import Task
from ctviewer.training.engine.told import cases_of, predictions_of
from ctviewer.training.engine.watched import watching
from ctviewer.training.engine.workshop import Learned
from ctviewer.training.events import RunFinished
from ctviewer.training.predictions_file import write_predictions
from ctviewer.training.run_folder import FEATURES, STUDIES
from ctviewer.training.sampling import paper_pose
from ctviewer.training.source import LabelledSource
from ctviewer.training.splits import EXTERNAL, TEST, Case

_JUDGING = "Judging studies that were not learned from"


class StudyWorkshop:
    """Meets `workshop.Workshop`.

    Args:
        inputs: of the run.
        cases: its studies.

    Attributes:
        start: the net as it begins, not to be trained.
        store: of the studies.
        setting: of all folds.
        precision: of the encoder, once it is known.
        device_text: where it computes, in words.
    """

    def __init__(self, inputs: RunInputs, cases: Sequence[Case]) -> None:
        self._in, config = inputs, inputs.config
        self._labels = [case.classes for case in cases]
        self._device = devices.choose_device(config.device, inputs.world.local)
        self.device_text = devices.describe(self._device)
        self.start = self._started()
        squares = inputs.studies or inputs.folder / STUDIES
        contents = inputs.report.study_sha256
        source = cast(LabelledSource, inputs.source)  # the configuration's task says so
        self.store = StudyStore(source, self.start.preprocessing, squares, contents, self._device)
        truth = {case.study: case.classes for case in cases}
        balanced = config.recipe.sampling == "inverse_frequency"
        self._task = Task(self.start.head, self.start.classes, truth, balanced)
        control = inputs.control if inputs.world.leads else never
        self.setting = Setting(config, control, inputs.world, self._predict_after if inputs.predict_at else None)
        self.precision = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What it starts from."""
        return self.start.notes

    def prepare(self, studies: Sequence[str]) -> Iterator[Event]:
        """Make the squares of studies that have none."""
        return self.store.prepare(studies)

    def measured_precision(self, studies: Sequence[str]) -> str:
        """The recipe's precision; "auto" is measured, by the first process."""
        wanted = self._in.config.recipe.precision
        if wanted != "auto" or not self._in.world.leads:
            return wanted
        longest = max(studies, key=self.store.length)
        images = self.store.slices(longest)[: self._in.config.chunk]
        return devices.measured_precision(self.start.net, images, self.start.net.encode, self.start.net.encoder)

    def fold(self, plan: FoldPlan) -> Fold[Any]:
        """A fold at its beginning, with a net of its own."""
        config, start = self._in.config, self._started()
        draws = Draws(self._pose(), config.seed, max(1, config.recipe.draws))
        cache = None
        if start.trainable == "none":
            cache = FeatureCache(
                self._in.folder / FEATURES, self.store, start.net, draws, precision=self.precision, chunk=config.chunk
            )
        passes = Passes(
            start.net, self._task, self.store, cache, draws, self.precision, config.chunk, config.recipe.supervision,
            self._kept_chunks(start),
        )  # fmt: skip
        lengths = {study: self.store.length(study) for study in plan.train}
        batches = make_batches(lengths, self._task.truth, config.recipe, config.seed, plan.number)
        return Fold(self.setting, plan, StudyLearner(passes), batches)

    def _kept_chunks(self, start: Start) -> int:
        """What of a study fits the memory that is free now."""
        p, precision = start.preprocessing, PRECISIONS[self.precision]
        images = torch.zeros(2, len(p.mean), p.crop, p.crop)
        sharing = 1 if self._device.type == "cuda" else self._in.world.size  # each has a device of its own
        return kept_chunks(start.net, images, self._in.config.chunk, precision, sharing)

    def judged(self, learner: Learner[Any], studies: Sequence[str]) -> Generator[Event, None, Judged | Wish]:
        """What a net says of studies that it did not learn from."""
        work = judge(_passes(learner), studies, self.setting.world, self.setting.control)
        return (yield from watching(work, _JUDGING))

    def record(self, number: int) -> FoldRecord | None:
        """Of a finished fold."""
        return FoldRecord.read(fold_folder(self._in.folder, number), Judged.from_plain)

    def finish(self, learned: Learned) -> Generator[Event, None, RunFinished | Wish]:
        """See `finish.finish`."""
        passes = _passes(learned.learner)
        start = dataclasses.replace(self.start, net=passes.net)
        return (yield from finish.finish(self._in, start, passes, learned, self.setting))

    def _predict_after(self, epoch: int, learner: Learner[Any]) -> Generator[Event, None, Wish]:
        """Predict test and external studies with the net of an epoch that was asked for."""
        path, split = epoch_predictions(self._in.folder, epoch), self._in.report.split
        assert split is not None  # the run looked
        if epoch not in self._in.predict_at or path.exists():
            return Wish.GO_ON
        part_of = dict.fromkeys(split.test, TEST)
        part_of |= {study: EXTERNAL + name for name, those in split.external.items() for study in those}
        judged = yield from self.judged(learner, tuple(part_of))
        if isinstance(judged, Wish):
            return judged
        cases = cases_of(self._in, judged, part_of)
        if self._in.world.leads:
            write_predictions(path, predictions_of(self._in, self.start, cases))
        return Wish.GO_ON

    def _started(self) -> Start:
        """The net as it begins; the same each time."""
        config = self._in.config
        start = starts.start_net(config.model, config.recipe, self._labels, self._in.base, config.seed)
        start.net.to(self._device)
        return start

    def _pose(self) -> Pose | None:
        p = self.start.preprocessing
        poses = {"none": None, "paper": paper_pose(p.size, p.crop), "tuned": Pose()}
        return poses[self._in.config.recipe.augmentation]


def _passes(learner: Learner[Any]) -> Passes:
    assert isinstance(learner, StudyLearner)  # made by `fold`
    return learner.passes
