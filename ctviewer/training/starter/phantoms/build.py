"""The starter models: a study classifier and a lesion detector learned from generated phantoms, as bundles with cards."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Event, Message, Progress
from ctviewer.models.bundle import Bundle, load_bundle, save_bundle
from ctviewer.models.metadata import Metadata, Metric, Preprocessing, Thresholds, TrainingData
from ctviewer.nets.one_shot import OneShot, light_options
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.source import StudySource
from ctviewer.training.starter.loop import Plan
from ctviewer.training.starter.phantoms import detector_figures, study_figures, texts
from ctviewer.training.starter.phantoms.detector_stage import train_detector
from ctviewer.training.starter.phantoms.prepared import (
    LABEL_CLASSES,
    LESION_CLASSES,
    PreparedStudy,
    Splits,
    check_split,
    digest,
    prepare,
    thinned,
)
from ctviewer.training.starter.phantoms.slice_stage import train_encoder
from ctviewer.training.starter.phantoms.study_stage import EncodedStudy, encode_all, train_aggregator

_CHANNELS = 64  # of the pyramid's maps
_DETECTION_SCORES = tuple(round(0.3 + 0.05 * i, 2) for i in range(13))


@dataclass(frozen=True)
class StarterSources:
    """Where the studies come from.

    Attributes:
        train, validation: learned from, and chosen by.
        held_out: measured on once, under the name each goes by in the card.
        classifier_only: names of those on which the detector is not measured: long studies tell nothing new about it.
    """

    train: StudySource
    validation: StudySource
    held_out: Mapping[str, StudySource]
    classifier_only: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StarterSettings:
    """All that decides a run besides its studies.

    Attributes:
        class_names: the sources' labels and what the bundle calls them, in the order of the outputs.
        negative: the source's label of studies without finding.
        version: of both bundles.
        size, crop: pixels; see `Preprocessing`.
        width: channels of both ResNets' first stage.
        draws: augmented encodings of each study.
        validation_limit: studies of which the detector is validated on every third slice after an epoch.
        encoder, aggregator, detector: how long each is trained.
        cache: folder for prepared studies, None for none.
        tasks: which to train. The classifier's encoder starts from the detector's pyramid: that of the same version, of
            this run or an earlier one in the same folder.
    """

    class_names: Mapping[str, str]
    negative: str
    version: str = "0.1.0"
    size: int = 256
    crop: int = 224
    width: int = 32
    draws: int = 6
    validation_limit: int = 9
    encoder: Plan = field(default_factory=lambda: Plan(8, 150, 1e-3))
    aggregator: Plan = field(default_factory=lambda: Plan(10, 100, 1e-3))
    detector: Plan = field(default_factory=lambda: Plan(8, 250, 8e-4, warm_up=100))
    cache: Path | None = None
    tasks: Sequence[str] = ("study_classifier", "one_shot")

    @property
    def classifier_input(self) -> Preprocessing:
        """Lung window, centre crop."""
        return Preprocessing(-600.0, 1500.0, self.size, self.crop, (0.5,), (0.3,))

    @property
    def detector_input(self) -> Preprocessing:
        """Lung window, the whole slice."""
        return dataclasses.replace(self.classifier_input, crop=self.size)


@dataclass
class _Data:
    """Prepared studies; labels are the bundle's class names."""

    train: list[PreparedStudy] = field(default_factory=list)
    validation: list[PreparedStudy] = field(default_factory=list)
    held_out: dict[str, list[PreparedStudy]] = field(default_factory=dict)

    @property
    def splits(self) -> Splits:
        return Splits(self.train, self.validation)


def train_starter(sources: StarterSources, out: Path, settings: StarterSettings) -> Iterator[Event]:
    """Train, measure and save the starter models.

    Args:
        sources: no patient may be in two of them.
        out: where the bundle folders go, `<name>-<version>`; existing versions are refused before any work.
        settings: see there.

    Yields:
        Progress and EpochDone of each stage; last `Done` with the tuple of bundles.

    Raises:
        BundleError: the study classifier alone is asked for and there is no detector to start from.
        InputError: a version that exists already, studies without labels, of an unknown class, or patients on both sides of a split.
        CtviewerError: a loss that is not finite.
    """
    for task in settings.tasks:
        if _folder(out, task, settings).exists():
            raise InputError(f"{_folder(out, task, settings)} exists already; choose another version.")
    data = _Data()
    yield from _prepare_all(sources, settings, data)
    bundles: list[Bundle] = []
    torch.manual_seed(settings.detector.seed)
    detector = OneShot(len(LABEL_CLASSES), **_detector_options(settings))
    if "one_shot" in settings.tasks:
        measured = {k: v for k, v in data.held_out.items() if k not in sources.classifier_only}
        yield from _detector(detector, dataclasses.replace(data, held_out=measured), out, settings, bundles)
    if "study_classifier" in settings.tasks:
        detector.load_state_dict(load_bundle(_folder(out, "one_shot", settings)).build().state_dict())
        yield from _study_classifier(detector, data, out, settings, bundles)
    yield Done(tuple(bundles))


def _prepare_all(sources: StarterSources, settings: StarterSettings, data: _Data) -> Iterator[Event]:
    parts: list[tuple[str, StudySource, list[PreparedStudy]]] = [
        ("train", sources.train, data.train),
        ("validation", sources.validation, data.validation),
    ]
    for name, source in sources.held_out.items():
        parts.append((name, source, data.held_out.setdefault(name, [])))
    for name, source, into in parts:
        raw: list[PreparedStudy] = []
        cache = settings.cache / name if settings.cache is not None else None
        yield from prepare(source, settings.detector_input, raw, cache)
        for study in raw:
            if study.label not in settings.class_names:
                raise InputError(f"The study {study.study} has the unknown class {study.label}.")
            into.append(dataclasses.replace(study, label=settings.class_names[study.label]))
    check_split(data.train, data.validation, [s for studies in data.held_out.values() for s in studies])


def _study_classifier(
    detector: OneShot, data: _Data, out: Path, settings: StarterSettings, bundles: list[Bundle]
) -> Iterator[Event]:
    classes, p = tuple(settings.class_names.values()), settings.classifier_input
    negative = classes.index(settings.class_names[settings.negative])
    torch.manual_seed(settings.encoder.seed)
    net = StudyClassifier(len(classes), **_classifier_options(settings))
    # lesion masks teach an encoder more in a minute than slice labels do in ten
    net.encoder.load_state_dict({f"trunk.pyramid.{k}": v for k, v in detector.backbone_state().items()})
    yield from train_encoder(net, data.splits, classes, p, settings.encoder)
    train: list[EncodedStudy] = []
    validation: list[EncodedStudy] = []
    yield from encode_all(net, data.train, classes, p, train, draws=settings.draws, seed=1)
    yield from encode_all(net, data.validation, classes, p, validation)
    yield from train_aggregator(net, train, validation, negative, settings.aggregator)
    threshold = study_figures.best_threshold(study_figures.outcomes(net, validation), negative)
    metrics: list[Metric] = []
    for name, studies in data.held_out.items():
        encoded: list[EncodedStudy] = []
        yield from encode_all(net, studies, classes, p, encoded)
        found = study_figures.outcomes(net, encoded)
        metrics += study_figures.study_metrics(found, [s.patient for s in studies], negative, threshold, name)
    metadata = _classifier_metadata(data, settings, threshold, metrics)
    bundles.append(save_bundle(_folder(out, "study_classifier", settings), metadata, net.state_dict()))
    yield from _say(metrics)


def _classifier_options(settings: StarterSettings) -> dict[str, Any]:
    return {
        "encoder": "resnet18_pyramid",
        "encoder_options": {"width": settings.width, "channels": _CHANNELS},
        "aggregator": "lstm_attention",
        "aggregator_options": {"scale": "sqrt"},
    }


def _classifier_metadata(
    data: _Data, settings: StarterSettings, threshold: float, metrics: Sequence[Metric]
) -> Metadata:
    return Metadata(
        task="study_classifier",
        classes=tuple(settings.class_names.values()),
        negative_class=settings.class_names[settings.negative],
        net=_classifier_options(settings),
        preprocessing=settings.classifier_input,
        thresholds=Thresholds(finding_probability=threshold),
        metrics=tuple(metrics),
        training_data=_training_data(data),
        recipe={
            "encoder: start": texts.ENCODER_START,
            **_recipe(encoder=settings.encoder, aggregator=settings.aggregator),
        },
        version=settings.version,
        **texts.STUDY_CLASSIFIER,
    )


def _detector_options(settings: StarterSettings) -> dict[str, Any]:
    return light_options(settings.size, settings.width, _CHANNELS)


def _detector(
    net: OneShot, data: _Data, out: Path, settings: StarterSettings, bundles: list[Bundle]
) -> Iterator[Event]:
    p = settings.detector_input
    few = [thinned(s, 3) for s in data.validation[: settings.validation_limit]]
    yield from train_detector(net, Splits(data.train, few), p, settings.detector)
    chosen = [detector_figures.study_record(net, s, p, _DETECTION_SCORES) for s in data.validation]
    threshold = detector_figures.best_threshold(chosen, _DETECTION_SCORES)
    metrics: list[Metric] = []
    for name, studies in data.held_out.items():
        records = []
        for done, study in enumerate(studies, 1):
            records.append(detector_figures.study_record(net, study, p, (threshold,)))
            yield Progress("Measuring the lesion detector", done, len(studies))
        metrics += detector_figures.card_metrics(records, [s.patient for s in studies], threshold, name)
    metadata = Metadata(
        task="one_shot",
        classes=LABEL_CLASSES,
        lesion_classes=LESION_CLASSES,
        net=_detector_options(settings),
        preprocessing=p,
        thresholds=Thresholds(detection_score=threshold),
        metrics=tuple(metrics),
        training_data=_training_data(data),
        recipe=_recipe(detector=settings.detector),
        version=settings.version,
        **texts.DETECTOR,
    )
    bundles.append(save_bundle(_folder(out, "one_shot", settings), metadata, net.state_dict()))
    yield from _say(metrics)


def _folder(out: Path, task: str, settings: StarterSettings) -> Path:
    told = texts.DETECTOR if task == "one_shot" else texts.STUDY_CLASSIFIER
    return out / f"{told['name']}-{settings.version}"


def _training_data(data: _Data) -> TrainingData:
    parts = {"train": data.train, "validation": data.validation, **data.held_out}
    counts: dict[str, int] = {}
    for part, studies in parts.items():
        for study in studies:
            key = f"{part} / {study.label}"
            counts[key] = counts.get(key, 0) + 1
    return TrainingData(texts.DATA, counts, {part: digest(studies) for part, studies in parts.items()})


def _recipe(**plans: Plan) -> dict[str, object]:
    return {f"{stage}: {k}": v for stage, plan in plans.items() for k, v in dataclasses.asdict(plan).items()}


def _say(metrics: Sequence[Metric]) -> Iterator[Event]:
    for m in metrics:
        interval = "" if m.low is None or m.high is None else f" ({m.low:.3f} to {m.high:.3f})"
        yield Message(f"{m.name}: {m.value:.3f}{interval}, {m.n} {m.unit}, {m.data}.")
