"""Study classifiers on generated studies, whose classes and infected slices are known: calibration, and where attention lies.

Phantoms come from families (anatomy, texture, scanner) that no training draws from, and of patients (seeds) of their own;
simulated studies from patients that no training learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.app.model_evaluation.parts import ATTENTION, CALIBRATION, Part, Setting, Table, rounded
from ctviewer.app.progress import drain
from ctviewer.core.calibration import Calibration
from ctviewer.core.volume import Volume
from ctviewer.datasets.phantom import HELD_OUT_FAMILIES, PhantomSpec, Variant
from ctviewer.datasets.sources import PhantomStudySource
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import CLASSIFIER, Metadata, Metric
from ctviewer.models.metrics import auc_roc
from ctviewer.models.preprocess import study_order
from ctviewer.training.evaluation import Evaluation, examine
from ctviewer.training.predicting import predict
from ctviewer.training.predictions import Predictions
from ctviewer.training.scores import weighted
from ctviewer.training.scores.figures import ECE, FIRST_TENTH, LAST_TENTH
from ctviewer.training.scores.resampling import interval, resampled
from ctviewer.training.scores.targets import FINDING
from ctviewer.training.source import LabelledSource
from ctviewer.training.starter.simulation.patterns import CLASSES

DATA, SIMULATED = "phantom, held-out families", "simulated studies of held-out patients"
PATIENTS, FIRST_SEED = 10, 60_000  # of each family
_SLICES, _MATRIX = (24, 32, 48, 64), 256
_LESION = 2  # of label maps: ground glass, and above it consolidation
_OF_ATTENTION = (FIRST_TENTH, LAST_TENTH)
_RANKING, _TOP = "AUC-ROC of attention, infected against clean slices, mean over studies", "infected among the top 4"
_NOT_PATIENTS = "Generated studies, no patients as they were scanned: what is calibrated on them need not be calibrated in a clinic."
_TITLES = {
    CALIBRATION: "Calibration on generated studies",
    ATTENTION: "Attention on generated studies",
}


@dataclass(frozen=True, eq=False)
class Answers:
    """What one classifier said of the generated studies.

    Attributes:
        data: what the studies are.
        evaluation: figures, curves and tables.
        predictions: by study.
        infected: by study `[slices]` bool, head to feet.
    """

    data: str
    evaluation: Evaluation
    predictions: Predictions
    infected: Mapping[str, NDArray[np.bool_]]


class Generated:
    """The studies, judged once by each classifier however many parts ask for it.

    Args:
        setting: of the evaluation.
        simulated: simulated studies of held-out patients, or why there are none.
    """

    def __init__(self, setting: Setting, simulated: LabelledSource | str) -> None:
        self._setting = setting
        self._sources: dict[str, LabelledSource] = {DATA: phantoms(setting.effort)}
        self.missing = simulated if isinstance(simulated, str) else ""
        if not isinstance(simulated, str):
            self._sources[SIMULATED] = simulated
        self._known: dict[tuple[str, str], Answers] = {}

    def answers(self, bundle: Bundle) -> Iterator[Answers]:
        """What a classifier says of each kind of studies."""
        for data, source in self._sources.items():
            if (bundle.key, data) not in self._known:
                self._known[bundle.key, data] = self._asked(bundle, data, source)
            yield self._known[bundle.key, data]

    def _asked(self, bundle: Bundle, data: str, source: LabelledSource) -> Answers:
        named = _Named(source, class_names(bundle.metadata))
        events = predict(bundle, named, named.ids(), device=self._setting.device)
        predictions: Predictions = drain(events, self._setting.line)
        return Answers(data, examine(predictions, data), predictions, named.infected)


def phantoms(effort: float = 1.0) -> PhantomStudySource:
    """The three variants of every patient; those of a patient have the same number of slices.

    Args:
        effort: share of the patients.
    """
    patients = max(1, round(PATIENTS * effort))
    return PhantomStudySource(
        PhantomSpec(seed, variant, family, matrix=_MATRIX, slices=_SLICES[seed % len(_SLICES)])
        for seed in range(FIRST_SEED, FIRST_SEED + patients)
        for family in HELD_OUT_FAMILIES
        for variant in Variant
    )


def class_names(m: Metadata) -> dict[str, str]:
    """What a classifier calls each variant of a phantom, and each class of simulated studies.

    A classifier of two classes has one for both kinds of lesion; of three, pneumonia comes before COVID-19 by their names.
    Empty where it cannot be told.
    """
    positive = [name for name in m.classes if name != m.negative_class]
    if not m.negative_class or not 1 <= len(positive) <= 2:
        return {}
    covid = [name for name in positive if "covid" in name.lower()] or positive[-1:]
    other = [name for name in positive if name not in covid] or covid
    names = (m.negative_class, other[0], covid[0])
    generators = [variant.value for variant in (Variant.CONTROL, Variant.PNEUMONIA, Variant.COVID)], CLASSES
    return {of: name for classes in generators for of, name in zip(classes, names, strict=True)}


class _Named:
    """A source whose labels are a model's classes, and which remembers the infected slices of what was loaded."""

    def __init__(self, source: LabelledSource, names: Mapping[str, str]) -> None:
        self._source, self._names = source, names
        self.infected: dict[str, NDArray[np.bool_]] = {}

    def ids(self) -> Sequence[str]:
        return self._source.ids()

    def patient(self, study: str) -> str:
        return self._source.patient(study)

    def label(self, study: str) -> str:
        return self._names[self._source.label(study)]

    def classes(self, study: str) -> Sequence[str]:
        return (self.label(study),)

    def split(self, study: str) -> str:
        return self._source.split(study)

    def load(self, study: str) -> tuple[Volume, NDArray[np.uint8] | None]:
        volume, labels = self._source.load(study)
        if labels is not None:
            self.infected[study] = np.asarray((labels >= _LESION).any(axis=(1, 2)))[study_order(volume)]
        return volume, labels


def calibrate(setting: Setting, generated: Generated) -> Part:
    """Discrimination and calibration of every study classifier."""
    return _part(CALIBRATION, setting, generated, _of_probabilities)


def attend(setting: Setting, generated: Generated) -> Part:
    """Where the attention of every study classifier lies."""
    return _part(ATTENTION, setting, generated, _of_attention)


def calibration(bundle: Bundle, part: Part) -> Calibration | None:
    """What the card is to say of probabilities that were checked on generated studies alone; None where they were not.

    Simulated studies count before phantoms: they are nearer to patients.

    Args:
        bundle: a study classifier.
        part: of `calibrate`.
    """
    found = [one for one in part.figures.get(bundle.key, ()) if one.name == f"{ECE}, {FINDING}"]
    if not found:
        return None
    patients = dict.fromkeys(bundle.metadata.classes, found[-1].n)
    return Calibration(found[-1].data, real=False, patients=patients, ece=found[-1].value)


def _part(name: str, setting: Setting, generated: Generated, figures_of: Callable[[Answers], Iterator[Metric]]) -> Part:
    bundles = [b for b in setting.of(CLASSIFIER) if class_names(b.metadata)]
    if not bundles:
        return Part(name, _TITLES[name], skipped="There is no study classifier with a class for no finding.")
    answers = {bundle.key: list(generated.answers(bundle)) for bundle in bundles}
    figures = {key: [one for each in those for one in figures_of(each)] for key, those in answers.items()}
    tables = [_bins(key, each) for key, those in answers.items() for each in those] if name == CALIBRATION else []
    card_notes = {one.data: _NOT_PATIENTS for metrics in figures.values() for one in metrics}
    notes = [_NOT_PATIENTS, *([f"No simulated studies: {generated.missing}"] if generated.missing else [])]
    return Part(name, _TITLES[name], figures, notes, tables, card_notes=card_notes)


def _of_probabilities(answers: Answers) -> Iterator[Metric]:
    """Of any finding, and of each kind of finding where there are several: the rest follows from them."""
    told = answers.predictions
    positive = [name for name in told.classes if name != told.negative_class]
    same = (told.negative_class, *(positive if len(positive) == 1 else ()))
    for one in answers.evaluation.metrics:
        if one.name not in _OF_ATTENTION and not one.name.endswith(tuple(f", {name}" for name in same)):
            yield rounded(one)


def _of_attention(answers: Answers) -> Iterator[Metric]:
    yield from (rounded(one) for one in answers.evaluation.metrics if one.name in _OF_ATTENTION)
    for name, values in _per_study(answers).items():
        if values:
            yield _mean(name, values, answers.data)


def _per_study(answers: Answers) -> dict[str, list[tuple[str, float]]]:
    """By figure: patient and value of every infected study for which it is defined."""
    found: dict[str, list[tuple[str, float]]] = {_RANKING: [], _TOP: []}
    for case in answers.predictions.cases:
        infected, attention = answers.infected[case.study], np.array(case.attention)
        if not attention.size or not infected.any() or infected.all():
            continue
        found[_RANKING].append((case.patient, auc_roc(attention, infected)))
        if infected.sum() >= 4:
            top = np.argsort(-attention, kind="stable")[:4]
            found[_TOP].append((case.patient, float(infected[top].mean())))
    return found


def _mean(name: str, values: Sequence[tuple[str, float]], of: str) -> Metric:
    """The mean over studies, with an interval by bootstrap over patients where there are enough of them."""
    patients, numbers = [patient for patient, _ in values], np.array([value for _, value in values])
    drawn = resampled([lambda weights: weighted.mean(weights, numbers)], patients)[0]
    count = len(set(patients))
    low, high = interval(drawn, count) or (None, None)
    data = f"{of}, {len(values)} infected studies"
    return rounded(Metric(name, float(numbers.mean()), low, high, count, "patients", data))


def _bins(key: str, answers: Answers) -> Table:
    """The reliability of the probability of any finding."""
    curve = answers.evaluation.reliability[0]
    rows = tuple(
        (f"{b.low:.1f} to {b.high:.1f}", str(b.studies), f"{b.probability:.2f}", f"{b.share:.2f}") for b in curve.bins
    )
    return Table(
        (f"Probability of {curve.name}, {key}, {answers.data}", "Studies", "Mean probability", "Share positive"), rows
    )
