"""Ye's comparison on other data: encoders by aggregators by seeds, judged after two epochs of one run each."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ctviewer.core.events import Done, Event, Message
from ctviewer.models.bundle import Bundle, load_bundle
from ctviewer.models.probabilities import class_probabilities
from ctviewer.training.config import DataConfig, ModelConfig, RunConfig
from ctviewer.training.control import Control, never
from ctviewer.training.engine.inputs import RunInputs, epoch_predictions
from ctviewer.training.engine.memory import Memory
from ctviewer.training.engine.run import run
from ctviewer.training.evaluation import point_values
from ctviewer.training.events import Paused, RunCancelled, RunFinished
from ctviewer.training.predictions import Predictions
from ctviewer.training.predictions_file import read_predictions
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.recipes import RECIPES, Recipe
from ctviewer.training.reproduction.kept import Interrupted, read_result, require_same_settings, write_result
from ctviewer.training.reproduction.ye_published import METRICS, Arm
from ctviewer.training.reproduction.ye_results import ArmRun, Sample, from_json, to_json
from ctviewer.training.scores.targets import FINDING, targets
from ctviewer.training.source import LabelledSource
from ctviewer.training.splits import EXTERNAL, TEST

_TOP = 4


@dataclass(frozen=True)
class YeSettings:
    """What is compared.

    Attributes:
        encoders, aggregators: by name.
        seeds: how many runs of each model.
        epochs: after which the models are judged; the last ends training.
        passes: over the training studies that make one epoch; more than 1 where there are few studies.
        start: "imagenet" as in the paper, "domain" (the encoder of `base`), or "scratch".
        size, crop: of the input, in pixels; the paper's are 256 and 224.
        precision: of the encoder; the paper's is "float32".
        device: "auto", "cpu" or "cuda".
    """

    encoders: tuple[str, ...] = ("resnet50", "googlenet")
    aggregators: tuple[str, ...] = ("max_pool", "lstm", "lstm_attention", "attention")
    seeds: int = 1
    epochs: tuple[int, ...] = (6, 12)
    passes: int = 1
    start: str = "imagenet"
    size: int = 256
    crop: int = 224
    precision: str = "float32"
    device: str = "auto"

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All models, aggregator by aggregator as in the paper's tables."""
        return tuple(Arm(encoder, aggregator) for aggregator in self.aggregators for encoder in self.encoders)


@dataclass(frozen=True)
class YeInputs:
    """All that the comparison needs.

    Attributes:
        settings: what is compared.
        data: where the studies are.
        source: of the studies.
        report: of pre-flight, nothing blocking.
        folder: for runs and results; what it holds of an earlier call with the same settings is used.
        base: the bundle of the "domain" start.
        control: a pause ends the work; the next call goes on from there.
    """

    settings: YeSettings
    data: DataConfig
    source: LabelledSource
    report: PreflightReport
    folder: Path
    base: Bundle | None = None
    control: Control = never


@dataclass(frozen=True)
class ArmDone(Event):
    """One model of one seed is trained and judged."""

    run: ArmRun
    done: int
    total: int


def reproduce(inputs: YeInputs) -> Iterator[Event]:
    """Train and judge all models.

    Yields:
        What the runs say, `Message` and `ArmDone`; last `Done` with a tuple of `ArmRun`, or `Interrupted`.

    Raises:
        InputError: the data or the start cannot be used.
        StorageError: the folder cannot be written.
        CtviewerError: a run failed; the next call goes on from its last checkpoint.
    """
    _require_same(inputs)
    jobs = [(arm, seed) for seed in range(inputs.settings.seeds) for arm in inputs.settings.arms]
    found: list[ArmRun] = []
    for done, (arm, seed) in enumerate(jobs, 1):
        made = read_result(_result_file(inputs, arm, seed), from_json)
        if made is None:
            yield Message(f"{arm.title}, seed {seed} ({done} of {len(jobs)})")
            made = yield from _one(inputs, arm, seed)
        if made is None:
            yield Interrupted()
            return
        found.append(made)
        yield ArmDone(made, done, len(jobs))
    yield Done(tuple(found))


def arm_config(settings: YeSettings, data: DataConfig, arm: Arm, seed: int) -> RunConfig:
    """The run of one model: the paper's recipe; from scratch nothing is frozen, under max pooling all of a given encoder."""
    recipe: Recipe = dataclasses.replace(
        RECIPES["paper"], epochs=max(settings.epochs) * settings.passes, precision=settings.precision
    )
    if settings.start == "scratch":
        recipe = dataclasses.replace(recipe, trainable="all")
    model = ModelConfig(
        name=f"ye-{arm.encoder}-{arm.aggregator}-{seed}".replace("_", "-"),
        title=arm.title,
        start=settings.start,
        encoder=arm.encoder,
        aggregator=arm.aggregator,
        size=settings.size,
        crop=settings.crop,
    )
    data = dataclasses.replace(data, cross_validation="never")
    return RunConfig(data, model, recipe, seed=seed, device=settings.device, chunk=32)


def _one(inputs: YeInputs, arm: Arm, seed: int) -> Generator[Event, None, ArmRun | None]:
    """Train one model; None where the user paused."""
    settings = inputs.settings
    folder = inputs.folder / "runs" / f"{arm.encoder}-{arm.aggregator}-{seed}"
    bundles = folder / "bundles"
    at = tuple(epoch * settings.passes for epoch in settings.epochs)
    run_inputs = RunInputs(
        arm_config(settings, inputs.data, arm, seed),
        inputs.source,
        folder,
        inputs.report,
        inputs.base if settings.start == "domain" else None,
        bundles,
        inputs.control,
        resume=Memory.read(folder) is not None,
        predict_at=at,
        studies=inputs.folder / "studies",
    )
    finished = ""
    for event in run(run_inputs):
        if isinstance(event, Paused | RunCancelled):
            return None
        if isinstance(event, RunFinished):
            finished = event.bundle
        yield event
    made = _judged(arm, seed, Path(finished), folder, settings)
    write_result(_result_file(inputs, arm, seed), to_json(made))
    shutil.rmtree(folder, ignore_errors=True)  # the figures are what is wanted; 24 nets take gigabytes
    return made


def _judged(arm: Arm, seed: int, bundle: Path, folder: Path, settings: YeSettings) -> ArmRun:
    """Figures after the epochs asked for; the curve of the whole run from its bundle, also where it was resumed."""
    record = load_bundle(bundle).metadata.run
    assert record is not None  # the engine has just written it
    metrics, samples = {}, {}
    for epoch in settings.epochs:
        told = read_predictions(epoch_predictions(folder, epoch * settings.passes))
        metrics[epoch] = mean_metrics(told.of(TEST))
        samples[epoch] = external_samples(told)
    losses = [point.loss for point in record.curves]
    validation = [math.nan if point.validation_loss is None else point.validation_loss for point in record.curves]
    curves = (_by_epoch(losses, settings.passes), _by_epoch(validation, settings.passes))
    return ArmRun(arm, seed, *curves, metrics, samples, record.seconds)


def _by_epoch(losses: Sequence[float], passes: int) -> tuple[float, ...]:
    """Means over the passes that make an epoch."""
    return tuple(float(np.mean(losses[at : at + passes])) for at in range(0, len(losses), passes))


def mean_metrics(predictions: Predictions) -> dict[str, float]:
    """AP, AUC-PR and AUC-ROC, the mean over the classes where there are several: however few studies there are."""
    asked = targets(predictions)
    if len(predictions.classes) == 2:  # the positive class alone, as in the paper
        asked = asked[:1] if asked[0].name == FINDING else asked[1:]
    values = [point_values(one) for one in asked if one.name != FINDING or len(asked) == 1]
    means = {name: float(np.mean([value[name] for value in values])) for name in METRICS}
    return {name: mean for name, mean in means.items() if np.isfinite(mean)}


def external_samples(predictions: Predictions) -> dict[str, tuple[Sample, ...]]:
    """The studies of each external set: the probability of what each shows, and the slices with most attention."""
    found: dict[str, list[Sample]] = {}
    for case, row in zip(predictions.cases, predictions.logits, strict=True):
        if not case.split.startswith(EXTERNAL):
            continue
        probability = class_probabilities(row, exclusive=predictions.exclusive)
        shown = [float(probability[predictions.classes.index(name)]) for name in case.truth]
        order = np.argsort(case.attention)[::-1][:_TOP]
        top = tuple((int(i), float(case.attention[int(i)])) for i in order)
        sample = Sample(case.study, ", ".join(case.truth), min(shown), top)
        found.setdefault(case.split[len(EXTERNAL) :], []).append(sample)
    return {name: tuple(those) for name, those in found.items()}


def _require_same(inputs: YeInputs) -> None:
    """Models of an earlier call are used again only where data and settings were the same; other models may be added."""
    told = dataclasses.asdict(inputs.settings) | {"data": dict(inputs.report.data_sha256)}
    for name in ("encoders", "aggregators", "seeds", "device"):
        del told[name]
    require_same_settings(inputs.folder, told)


def _result_file(inputs: YeInputs, arm: Arm, seed: int) -> Path:
    return inputs.folder / "models" / f"{arm.encoder}-{arm.aggregator}-{seed}.json"
