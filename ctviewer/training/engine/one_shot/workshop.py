"""Runs that train a one-shot model: device, slices, classes, the net as it begins, and how one fold is put together."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any, cast

from ctviewer.core.errors import InputError
from ctviewer.core.events import Event
from ctviewer.training.augment import Pose
from ctviewer.training.control import Wish, never
from ctviewer.training.engine import devices
from ctviewer.training.engine.features import Draws
from ctviewer.training.engine.fold import Fold, FoldPlan, Setting
from ctviewer.training.engine.inputs import RunInputs
from ctviewer.training.engine.learner import Learner
from ctviewer.training.engine.one_shot import finish
from ctviewer.training.engine.one_shot.batches import SliceBatches, make_slice_batches
from ctviewer.training.engine.one_shot.copying import Copying
from ctviewer.training.engine.one_shot.judging import SliceJudge
from ctviewer.training.engine.one_shot.learner import OneShotLearner
from ctviewer.training.engine.one_shot.scans import SliceJudgement, judge_of_run
from ctviewer.training.engine.one_shot.starts import OneShotStart, input_of, start_one_shot, whole_base
from ctviewer.training.engine.plans import FoldRecord, fold_folder
from ctviewer.training.engine.slice_store import SliceInfo, SliceStore
from ctviewer.training.engine.watched import watching
from ctviewer.training.engine.workshop import Learned
from ctviewer.training.events import RunFinished
from ctviewer.training.run_folder import STUDIES
from ctviewer.training.sampling import paper_pose
from ctviewer.training.slices.classes import shown_labels
from ctviewer.training.slices.task import SliceTask, slice_task
from ctviewer.training.slices.two_sources import IMAGES, LESIONS, kind_of
from ctviewer.training.source import SliceSource
from ctviewer.training.splits import Case
from ctviewer.training.versions import CROSS_VALIDATION

_JUDGING = "Judging slices that were not learned from"


class OneShotWorkshop:
    """Meets `workshop.Workshop`.

    Args:
        inputs: of the run; its source is of labelled slices, with ids as `slices.two_sources` makes them.
        cases: its scans.

    Attributes:
        start: the net as it begins, not to be trained.
        store: of the slices.
        setting: of all folds.
        precision: of the net, once it is known.
        device_text: where it computes, in words.
    """

    def __init__(self, inputs: RunInputs, cases: Sequence[Case]) -> None:
        self._in, config = inputs, inputs.config
        if inputs.predict_at:
            raise InputError("Predictions after some epochs are for study classifiers.")
        self._device = devices.choose_device(config.device, inputs.world.local)
        self.device_text = devices.describe(self._device)
        preprocessing = input_of(config.model, config.recipe, inputs.base)
        self._task = self._classes(cases)
        self.start = self._started()
        source = cast(SliceSource, inputs.source)  # the configuration's task says so
        folder, contents = inputs.studies or inputs.folder / STUDIES, inputs.report.study_sha256
        self.store = SliceStore(
            source, preprocessing, self._task.classes, self._task.image_classes, folder, contents, self._device
        )
        self._draws = Draws(self._pose(), config.seed, max(1, config.recipe.draws))
        control = inputs.control if inputs.world.leads else never
        self.setting = Setting(config, control, inputs.world)
        self.precision = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What it starts from."""
        return self.start.notes

    def prepare(self, studies: Sequence[str]) -> Iterator[Event]:
        """Make the squares and label maps of scans that have none."""
        return self.store.prepare(studies)

    def measured_precision(self, studies: Sequence[str]) -> str:
        """The recipe's precision; "auto" is measured on a slice that is learned from."""
        wanted, net = self._in.config.recipe.precision, self.start.net
        if wanted != "auto" or not self._in.world.leads:
            return wanted
        first = next((scan, info.name) for scan in studies for info in self.store.slices_of(scan))
        return devices.measured_precision(net, self.store.image(*first)[None], net.features, net.backbone)

    def fold(self, plan: FoldPlan) -> Fold[Any]:
        """A fold at its beginning, with a net of its own."""
        config, net = self._in.config, self._started().net
        batches = self._batches(plan)
        recipe = config.recipe
        judge = SliceJudge(self.store, recipe.sampling == "inverse_frequency", config.seed)
        copying = None if net.copied is None else Copying(recipe.copy, recipe.smoothing)
        learner = OneShotLearner(
            net, self.store, self._draws, self.precision, copying, judge, alternating=batches.alternates
        )
        return Fold(self.setting, plan, learner, batches)

    def judged(self, learner: Learner[Any], studies: Sequence[str]) -> Generator[Event, None, SliceJudgement | Wish]:
        """What a net says of scans that it did not learn from."""
        assert isinstance(learner, OneShotLearner)  # made by `fold`
        judge = judge_of_run(self._in, learner.net, self.store, self._task, learner.precision)
        work = judge.judge(studies, CROSS_VALIDATION, self.setting.world, self.setting.control)
        return (yield from watching(work, _JUDGING))

    def record(self, number: int) -> FoldRecord | None:
        """Of a finished fold."""
        return FoldRecord.read(fold_folder(self._in.folder, number), SliceJudgement.from_plain)

    def finish(self, learned: Learned) -> Generator[Event, None, RunFinished | Wish]:
        """See `finish.finish`."""
        assert isinstance(learned.learner, OneShotLearner)  # made by `fold`
        return (yield from finish.finish(self._in, self.start, learned.learner, learned, self.setting))

    def _batches(self, plan: FoldPlan) -> SliceBatches:
        """The steps of a fold.

        Raises:
            InputError: there is nothing to learn lesions from.
        """
        config = self._in.config
        images = self._slices(plan.train, IMAGES) if self._task.image_classes else []
        batches = make_slice_batches(self._slices(plan.train, LESIONS), images, config.recipe, config.seed, plan.number)
        if not batches.lesions and not batches.images:
            raise InputError("No slice is left to learn from: none is outlined, and none has a class.")
        return batches

    def _slices(self, scans: Sequence[str], kind: str) -> list[tuple[str, SliceInfo]]:
        return [(scan, info) for scan in scans if kind_of(scan) == kind for info in self.store.slices_of(scan)]

    def _classes(self, cases: Sequence[Case]) -> SliceTask:
        """From what pre-flight saw; where it did not look, from the sets themselves."""
        config, report = self._in.config, self._in.report
        outlined = report.outlined or self._outlined(cases)
        told = {name for case in cases if kind_of(case.study) == IMAGES for name in case.classes}
        images = report.slice_classes or tuple(sorted(told))
        return slice_task(config.model, outlined, images, whole_base(config.model, self._in.base))

    def _outlined(self, cases: Sequence[Case]) -> tuple[str, ...]:
        source = cast(SliceSource, self._in.source)
        scans = [case.study for case in cases if kind_of(case.study) == LESIONS]
        return tuple(dict.fromkeys(name for scan in scans for name in shown_labels(source.load_slices(scan))))

    def _started(self) -> OneShotStart:
        """The net as it begins; the same each time."""
        config = self._in.config
        start = start_one_shot(config.model, config.recipe, self._task, self._in.base, config.seed)
        start.net.to(self._device)
        return start

    def _pose(self) -> Pose | None:
        size = self.start.preprocessing.size
        poses = {"none": None, "paper": paper_pose(size, size), "tuned": Pose()}
        return poses[self._in.config.recipe.augmentation]
