"""From what was learned to a bundle: weights as the bundle keeps them, calibration, figures of the hold-out, the version."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Mapping, Sequence

from ctviewer.core.calibration import Calibration as CalibrationRecord
from ctviewer.core.events import Event, Message
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import Metric
from ctviewer.nets.encoders import freeze
from ctviewer.training.calibration import Calibration, choose_threshold, fit, fold_in
from ctviewer.training.calibration_record import OUT_OF_FOLD, VALIDATED, are_patients, calibration_record
from ctviewer.training.control import Wish
from ctviewer.training.engine import finishing
from ctviewer.training.engine.batches import make_batches
from ctviewer.training.engine.features import FeatureCache
from ctviewer.training.engine.finishing import EXACT, round_to_bundle, unless_stop
from ctviewer.training.engine.fold import Setting
from ctviewer.training.engine.inputs import RunInputs
from ctviewer.training.engine.judging import Judged, judge
from ctviewer.training.engine.passes import Passes
from ctviewer.training.engine.plans import FoldRecord
from ctviewer.training.engine.starts import Start
from ctviewer.training.engine.told import calibrated, cases_of, predictions_of
from ctviewer.training.engine.watched import watching
from ctviewer.training.engine.workshop import Learned
from ctviewer.training.evaluation import evaluate
from ctviewer.training.events import RunFinished
from ctviewer.training.predictions import Prediction, Predictions
from ctviewer.training.predictions_file import write_predictions
from ctviewer.training.preflight.report import Count
from ctviewer.training.run_folder import FEATURES, PREDICTIONS
from ctviewer.training.run_record import doubt_notes
from ctviewer.training.splits import VALIDATION, Split
from ctviewer.training.versions import CROSS_VALIDATION, RunResult, make_child

_JUDGING = "Judging studies that were not learned from"
_IN_SAMPLE_THRESHOLD = (
    "The threshold was chosen on the same out-of-fold predictions that sensitivity and specificity refer to: expect a "
    "little less of new patients."
)
_CROSS_CALIBRATED = (
    "Temperature and bias of this bundle were fitted on the out-of-fold predictions of the cross-validation's nets. ECE, "
    "log loss, accuracy, sensitivity and specificity are of probabilities that were calibrated for each fold by the "
    "others; areas under curves are of probabilities that were calibrated all alike, for folds that are calibrated each by "
    "the others cannot be ranked together."
)


def finish(
    inputs: RunInputs, start: Start, passes: Passes, learned: Learned, setting: Setting
) -> Generator[Event, None, RunFinished | Wish]:
    """Calibrate, judge and save; the same each time it is begun anew.

    Args:
        inputs: of the run.
        start: what the net began as; its net is the one that learned.
        passes: how studies pass it.
        learned: how it came to what it is.
        setting: of the run.

    Returns:
        What was made; or the user's wish to leave. A wish to stop is already being met.
    """
    return (yield from _Finish(inputs, start, passes, learned, setting).events())


class _Finish:
    def __init__(self, inputs: RunInputs, start: Start, passes: Passes, learned: Learned, setting: Setting) -> None:
        self._in, self._start, self._learned, self._setting = inputs, start, learned, setting
        self._net = start.net
        round_to_bundle(self._net)
        freeze(self._net.encoder, trainable="none")
        cache = FeatureCache(
            inputs.folder / FEATURES, passes.store, self._net, passes.draws, precision=EXACT, chunk=passes.chunk
        )
        self._trained_in = passes.precision
        self._calibrated_on: CalibrationRecord | None = None
        self._passes = dataclasses.replace(passes, cache=cache, precision=EXACT)

    def events(self) -> Generator[Event, None, RunFinished | Wish]:
        """See `finish`."""
        calibrating = yield from self._calibrating()
        if isinstance(calibrating, Wish):
            return calibrating
        recipe, prevalence = self._in.config.recipe, self._in.config.data.prevalence
        calibration = None
        if recipe.calibrate and calibrating.cases:
            calibration = fit(calibrating, prevalence, self._shown())
        if calibration is not None:
            fold_in(self._net, calibration)
            round_to_bundle(self._net)
            calibrating = calibrated(calibrating, calibration)
            yield Message(calibration.text)
            self._calibrated_on = self._record(calibrating, calibration)
        threshold = choose_threshold(calibrating) if calibrating.cases else 0.5
        found = yield from self._hold_out(calibration)
        if isinstance(found, Wish):
            return found
        return self._made(dataclasses.replace(found, threshold=threshold), calibration)

    def _calibrating(self) -> Generator[Event, None, Predictions | Wish]:
        """What temperature, bias and threshold are chosen by: never the test studies of the net itself."""
        if self._learned.records:
            cases: list[Prediction] = []
            for record in self._learned.records:
                cases += cases_of(self._in, _studies(record), CROSS_VALIDATION)
            return self._predictions(cases)
        return (yield from self._judged({VALIDATION: self._learned.split.validation}))

    def _record(self, calibrated: Predictions, calibration: Calibration) -> CalibrationRecord | None:
        """On whom the probabilities were fitted; None where only a prevalence was applied."""
        if not calibration.fitted:
            return None
        data = OUT_OF_FOLD if self._learned.records else VALIDATED
        return calibration_record(calibrated, calibration.prevalence, data, are_patients(self._in.report))

    def _shown(self) -> dict[str, float]:
        """Class to share among what training showed; empty where it showed all equally often."""
        recipe, truth = self._in.config.recipe, self._passes.task.truth
        if recipe.sampling == "inverse_frequency":
            return {}
        lengths = {study: self._passes.store.length(study) for study in self._learned.split.train}
        shown = [truth[one.study] for one in make_batches(lengths, truth, recipe, 0, 0).sequences]
        counts = {name: max(1, sum(name in names for names in shown)) for name in self._start.classes}
        return {name: count / sum(counts.values()) for name, count in counts.items()}

    def _hold_out(self, calibration: Calibration | None) -> Generator[Event, None, Predictions | Wish]:
        """Predictions on the hold-out and on external sets, by the net as the bundle keeps it."""
        inside = self._out_of_fold(calibration) if self._learned.records else ()
        found = yield from self._judged(finishing.parts_to_judge(self._learned))
        return found if isinstance(found, Wish) else dataclasses.replace(found, cases=inside + found.cases)

    def _out_of_fold(self, calibration: Calibration | None) -> tuple[Prediction, ...]:
        """Each patient once, by a net that had not seen him, calibrated on the patients of the other folds.

        Of the first repeat: the mean over repeats would be the answer of several nets, and the bundle holds one. Studies
        are ranked as one calibration of all leaves them: a fold with many of a class leaves few of it to the others that
        calibrate it, which by itself ranks such a fold too low, and labels drawn at random below chance.
        """
        first = self._learned.records[: self._in.config.data.folds]
        folds = [cases_of(self._in, _studies(record), CROSS_VALIDATION) for record in first]
        if calibration is None:
            return tuple(case for fold in folds for case in fold)
        cases: list[Prediction] = []
        for number, fold in enumerate(folds):
            others = [case for other, those in enumerate(folds) if other != number for case in those]
            by_others = fit(self._predictions(others), calibration.prevalence, self._shown())
            alike = calibrated(self._predictions(fold), calibration).cases
            own = calibrated(self._predictions(fold), by_others).cases
            cases += [dataclasses.replace(a, ranking=b.logits) for a, b in zip(own, alike, strict=True)]
        return tuple(cases)

    def _judged(self, parts: Mapping[str, Sequence[str]]) -> Generator[Event, None, Predictions | Wish]:
        studies = tuple(study for those in parts.values() for study in those)
        work = judge(self._passes, studies, self._setting.world, unless_stop(self._setting.control))
        judged = yield from watching(work, _JUDGING)
        if isinstance(judged, Wish):
            return judged
        part_of = {study: part for part, those in parts.items() for study in those}
        return self._predictions(cases_of(self._in, judged, part_of))

    def _predictions(self, cases: Sequence[Prediction]) -> Predictions:
        return predictions_of(self._in, self._start, cases)

    def _made(self, predictions: Predictions, calibration: Calibration | None) -> RunFinished:
        """The bundle, made by the first process; its figures, and its predictions under its name."""
        metrics = self._metrics(predictions)

        def make() -> Bundle:
            bundle = make_child(self._result(predictions, metrics, calibration), self._in.base, self._in.bundles)
            if predictions.cases:
                named = dataclasses.replace(predictions, model=bundle.key)
                write_predictions(self._in.folder / PREDICTIONS, named)
            return bundle

        folder, key = finishing.made_by_first(self._setting.world, make)
        return RunFinished(folder, key, self._learned.stopped, {metric.name: metric.value for metric in metrics})

    def _metrics(self, predictions: Predictions) -> tuple[Metric, ...]:
        """Of each part by itself: the hold-out first, then external sets."""
        found: list[Metric] = []
        for part in dict.fromkeys(case.split for case in predictions.cases):
            found += evaluate(predictions.of(part), data=part)
        return tuple(found)

    def _result(
        self, predictions: Predictions, metrics: tuple[Metric, ...], calibration: Calibration | None
    ) -> RunResult:
        learned, start = self._learned, self._start
        return RunResult(
            run=self._in.folder.name,
            config=self._in.config,
            report=finishing.report_of(self._in, learned, self._counts),
            state=self._net.state_dict(),
            net=start.options,
            classes=start.classes,
            negative_class=start.negative_class,
            preprocessing=start.preprocessing,
            threshold=predictions.threshold,
            predictions=predictions,
            metrics=metrics,
            curves=tuple(finishing.curve_points(learned)),
            epochs=learned.epochs,
            folds=len(learned.records),
            device=learned.device,
            precision=self._trained_in,
            split=finishing.split_text(self._in, learned),
            seconds=finishing.seconds_of(learned),
            start=" ".join(start.notes),
            patients=finishing.patients_by_part(self._in, learned),
            prevalence={} if calibration is None else calibration.prevalence,
            calibration="" if calibration is None else calibration.text,
            calibrated_on=self._calibrated_on,
            stopped=learned.stopped,
            notes=(*self._cross_validation_notes(calibration), *doubt_notes(self._in.folder, self._in.report)),
        )

    def _cross_validation_notes(self, calibration: Calibration | None) -> Iterator[str]:
        """What its figures are of, and are not."""
        if not self._learned.records:
            return
        yield _IN_SAMPLE_THRESHOLD
        if calibration is not None:
            yield _CROSS_CALIBRATED
        yield from finishing.stopped_note(self._learned)

    def _counts(self, split: Split) -> tuple[Count, ...]:
        truth, patient = self._passes.task.truth, self._in.source.patient
        found = []
        for part, studies in split.parts.items():
            for name in self._start.classes:
                those = [study for study in studies if name in truth[study]]
                found.append(Count(part, name, len(those), len({patient(study) for study in those})))
        return tuple(found)


def _studies(record: FoldRecord) -> Judged:
    assert isinstance(record.judged, Judged)  # of `StudyWorkshop.judged`
    return record.judged
