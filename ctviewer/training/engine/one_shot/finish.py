"""From what a one-shot run learned to a bundle: display threshold, figures of the hold-out, the version."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Mapping, Sequence

from ctviewer.core.events import Event, Message
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import Metric
from ctviewer.training.control import Wish
from ctviewer.training.engine import finishing
from ctviewer.training.engine.finishing import EXACT, round_to_bundle, unless_stop
from ctviewer.training.engine.fold import Setting
from ctviewer.training.engine.inputs import RunInputs
from ctviewer.training.engine.one_shot.learner import OneShotLearner
from ctviewer.training.engine.one_shot.scans import SliceJudgement, judge_of_run
from ctviewer.training.engine.one_shot.starts import OneShotStart
from ctviewer.training.engine.watched import watching
from ctviewer.training.engine.workshop import Learned
from ctviewer.training.events import RunFinished
from ctviewer.training.preflight.report import Count
from ctviewer.training.run_folder import PREDICTIONS
from ctviewer.training.run_record import doubt_notes
from ctviewer.training.slice_evaluation import choose_display_threshold, evaluate_slices
from ctviewer.training.slice_predictions import SlicePrediction, SlicePredictions, write_slice_predictions
from ctviewer.training.splits import VALIDATION, Split
from ctviewer.training.versions import RunResult, child_name, make_child

_JUDGING = "Judging scans that were not learned from"
_IN_SAMPLE_THRESHOLD = (
    "The display threshold was chosen on the same out-of-fold answers that Dice and marks on lesion-free slices refer to: "
    "expect a little less of new patients."
)


def finish(
    inputs: RunInputs, start: OneShotStart, learner: OneShotLearner, learned: Learned, setting: Setting
) -> Generator[Event, None, RunFinished | Wish]:
    """Choose the display threshold, judge and save; the same each time it is begun anew.

    Args:
        inputs: of the run.
        start: what the net began as.
        learner: with the net that learned.
        learned: how it came to what it is.
        setting: of the run.

    Returns:
        What was made; or the user's wish to leave. A wish to stop is already being met.
    """
    return (yield from _Finish(inputs, start, learner, learned, setting).events())


class _Finish:
    def __init__(
        self, inputs: RunInputs, start: OneShotStart, learner: OneShotLearner, learned: Learned, setting: Setting
    ) -> None:
        self._in, self._start, self._learned, self._setting = inputs, start, learned, setting
        self._learner, self._net = learner, learner.net
        round_to_bundle(self._net)
        self._known: dict[str, SliceJudgement] = {}

    def events(self) -> Generator[Event, None, RunFinished | Wish]:
        """See `finish`."""
        choosing = yield from self._choosing()
        if isinstance(choosing, Wish):
            return choosing
        threshold, told = choose_display_threshold(choosing)
        yield Message(told)
        found = yield from self._hold_out()
        if isinstance(found, Wish):
            return found
        return self._made(dataclasses.replace(found, threshold=threshold), told)

    def _choosing(self) -> Generator[Event, None, SlicePredictions | Wish]:
        """What the threshold is chosen by: never the test scans of the net itself."""
        if self._learned.records:
            return self._predictions(self._out_of_fold())
        return (yield from self._judged({VALIDATION: self._learned.split.validation}))

    def _hold_out(self) -> Generator[Event, None, SlicePredictions | Wish]:
        """Answers on the hold-out and on external sets, by the net as the bundle keeps it."""
        inside = self._out_of_fold() if self._learned.records else ()
        found = yield from self._judged(finishing.parts_to_judge(self._learned))
        return found if isinstance(found, Wish) else dataclasses.replace(found, cases=inside + found.cases)

    def _out_of_fold(self) -> tuple[SlicePrediction, ...]:
        """Each patient once, by a net that had not seen him: of the first repeat, for the bundle holds one net."""
        found: list[SlicePrediction] = []
        for record in self._learned.records[: self._in.config.data.folds]:
            assert isinstance(record.judged, SliceJudgement)  # of `OneShotWorkshop.judged`
            found += record.judged.cases
        return tuple(found)

    def _judged(self, parts: Mapping[str, Sequence[str]]) -> Generator[Event, None, SlicePredictions | Wish]:
        """Answers on the scans of some parts; a part that was asked about before is remembered."""
        judge = judge_of_run(self._in, self._net, self._learner.store, self._start.task, EXACT)
        for part, scans in parts.items():
            if part not in self._known:
                work = judge.judge(scans, part, self._setting.world, unless_stop(self._setting.control))
                judged = yield from watching(work, _JUDGING)
                if isinstance(judged, Wish):
                    return judged
                self._known[part] = judged
        return self._predictions([case for part in parts for case in self._known[part].cases])

    def _predictions(self, cases: Sequence[SlicePrediction]) -> SlicePredictions:
        """Of the model that the run makes; its version and threshold are not known yet."""
        task = self._start.task
        return SlicePredictions(
            child_name(self._in.config, self._in.base), task.classes, task.lesion_classes, task.image_classes,
            task.negative_class, 0.5, tuple(cases),
        )  # fmt: skip

    def _made(self, predictions: SlicePredictions, threshold_text: str) -> RunFinished:
        """The bundle, made by the first process; its figures, and its answers under its name."""
        metrics = tuple(self._metrics(predictions)) if self._setting.world.leads else ()

        def make() -> Bundle:
            bundle = make_child(self._result(predictions, metrics, threshold_text), self._in.base, self._in.bundles)
            if predictions.cases:
                named = dataclasses.replace(predictions, model=bundle.key)
                write_slice_predictions(self._in.folder / PREDICTIONS, named)
            return bundle

        folder, key = finishing.made_by_first(self._setting.world, make)
        return RunFinished(folder, key, self._learned.stopped, {metric.name: metric.value for metric in metrics})

    def _metrics(self, predictions: SlicePredictions) -> Iterator[Metric]:
        """Of each part by itself: the hold-out first, then external sets."""
        for part in dict.fromkeys(case.split for case in predictions.cases):
            yield from evaluate_slices(predictions.of(part), data=part)

    def _result(self, predictions: SlicePredictions, metrics: tuple[Metric, ...], threshold_text: str) -> RunResult:
        learned, start, task = self._learned, self._start, self._start.task
        return RunResult(
            run=self._in.folder.name,
            config=self._in.config,
            report=finishing.report_of(self._in, learned, self._counts),
            state=self._net.state_dict(),
            net=start.options,
            classes=task.classes,
            negative_class=task.negative_class,
            preprocessing=start.preprocessing,
            threshold=predictions.threshold,
            predictions=predictions,
            metrics=metrics,
            curves=tuple(finishing.curve_points(learned)),
            epochs=learned.epochs,
            folds=len(learned.records),
            device=learned.device,
            precision=self._learner.precision,
            split=finishing.split_text(self._in, learned),
            seconds=finishing.seconds_of(learned),
            start=" ".join(start.notes),
            patients=finishing.patients_by_part(self._in, learned),
            stopped=learned.stopped,
            notes=tuple(self._notes(threshold_text)),
            lesion_classes=task.lesion_classes,
            image_classes=task.image_classes,
        )

    def _notes(self, threshold_text: str) -> Iterator[str]:
        yield threshold_text
        if self._learned.records:
            yield _IN_SAMPLE_THRESHOLD
        yield from finishing.stopped_note(self._learned)
        yield from doubt_notes(self._in.folder, self._in.report)

    def _counts(self, split: Split) -> tuple[Count, ...]:
        """Scans by part and class, as their source tells them."""
        source, found = self._in.source, []
        for part, scans in split.parts.items():
            for name in dict.fromkeys(name for scan in scans for name in source.classes(scan)):
                those = [scan for scan in scans if name in source.classes(scan)]
                found.append(Count(part, name, len(those), len({source.patient(scan) for scan in those})))
        return tuple(found)
