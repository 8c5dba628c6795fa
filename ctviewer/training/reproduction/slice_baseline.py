"""A slice classifier from random or published weights to its predictions: what the one-shot model is compared with."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ctviewer.core.events import Event, Message
from ctviewer.nets.encoders import freeze
from ctviewer.nets.slice_classifier import SliceClassifier
from ctviewer.nets.weights import load_imagenet
from ctviewer.training.augment import Pose
from ctviewer.training.config import RunConfig
from ctviewer.training.control import Control, Wish
from ctviewer.training.engine import devices
from ctviewer.training.engine.features import Draws
from ctviewer.training.engine.fold import Fold, FoldPlan, Setting
from ctviewer.training.engine.one_shot.batches import make_slice_batches
from ctviewer.training.engine.parallel import SINGLE
from ctviewer.training.engine.plans import checkpoints_of
from ctviewer.training.engine.slice_store import SliceStore
from ctviewer.training.engine.watched import watching
from ctviewer.training.predictions import patient_digest
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.reproduction.slice_learner import Classed, SliceLearner, classed
from ctviewer.training.reproduction.ter_sarkisov_results import ArmRun, Judged
from ctviewer.training.sampling import paper_pose
from ctviewer.training.slice_predictions import SlicePrediction, SlicePredictions
from ctviewer.training.slices.task import SliceTask
from ctviewer.training.slices.two_sources import IMAGES, kind_of
from ctviewer.training.source import SliceSource
from ctviewer.training.splits import EXTERNAL, TEST

_JUDGING = "Judging slices that were not learned from"


@dataclass(frozen=True)
class BaselineInputs:
    """What one slice classifier is trained with.

    Attributes:
        arm: its name.
        config: of the run; `model.encoder` says which net.
        source: whose slices the store holds.
        report: of pre-flight, with the split.
        store: of the slices, prepared.
        task: their classes.
        folder: of the run; what it holds of an earlier call is gone on with.
        control: a pause ends the work.
    """

    arm: str
    config: RunConfig
    source: SliceSource
    report: PreflightReport
    store: SliceStore
    task: SliceTask
    folder: Path
    control: Control


def start_baseline(config: RunConfig, classes: int) -> tuple[SliceClassifier, str]:
    """The net as it begins, in training mode, and a sentence on it.

    Raises:
        InputError: there are no published weights for it on this computer.
    """
    published = config.model.start == "imagenet"
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        net = SliceClassifier(classes, config.model.encoder, "batch" if published else "group")
    told = "All weights start from random values, with GroupNorm in place of BatchNorm."
    if published:
        loaded = load_imagenet(net.encoder)
        told = f"The net starts from ImageNet's weights ({loaded.file.name}), whose BatchNorm stays as it is."
    freeze(net.encoder, trainable=config.recipe.trainable)
    return net.train(), told


def train_baseline(inputs: BaselineInputs) -> Generator[Event, None, Judged | None]:
    """Train and judge one; None where the user wants something else than to go on.

    Raises:
        InputError: published weights are missing, or no slice is left to learn from.
        CtviewerError: a loss is not finite; the next call goes on from the last checkpoint.
        StorageError: the folder cannot be written.
    """
    net, told = start_baseline(inputs.config, len(inputs.task.image_classes))
    yield Message(told)
    net.to(inputs.store.device)
    fold = _fold(inputs, net)
    for note in fold.resume():
        yield Message(note)
    wish = yield from fold.train()
    if wish is not Wish.GO_ON:
        return None
    epochs = fold.take_kept()
    cases = yield from _judged(inputs, fold.learner)
    if isinstance(cases, Wish):
        return None
    history = fold.at.history
    validation = [float(one["validation_loss"]) for one in history]
    run = ArmRun(
        inputs.arm,
        inputs.config.seed,
        epochs,
        tuple(float(one["loss"]) for one in history),
        tuple(value if math.isfinite(value) else None for value in validation),
        sum(p.numel() for p in net.parameters()),
        fold.at.seconds,
        (told,),
    )
    task = inputs.task
    predictions = SlicePredictions(
        inputs.arm, task.classes, task.lesion_classes, task.image_classes, task.negative_class, 0.5, tuple(cases)
    )
    return Judged(run, predictions)


def _fold(inputs: BaselineInputs, net: SliceClassifier) -> Fold[Any]:
    config, split = inputs.config, inputs.report.split
    assert split is not None  # the caller looked
    recipe = config.recipe
    slices = [(scan, one) for scan in split.train if kind_of(scan) == IMAGES for one in inputs.store.slices_of(scan)]
    batches = make_slice_batches((), slices, recipe, config.seed, 0)
    precision = recipe.precision
    if precision == "auto":
        first = inputs.store.image(slices[0][0], slices[0][1].name)
        precision = devices.measured_precision(net, first[None], net.encoder, net.encoder)
    draws = Draws(_pose(recipe.augmentation, inputs.store.preprocessing.size), config.seed, max(1, recipe.draws))
    balanced = recipe.sampling == "inverse_frequency"
    learner = SliceLearner(net, inputs.store, draws, balanced, precision, config.chunk)
    plan = FoldPlan(
        0, split.train, split.validation, recipe.epochs, recipe.epochs, checkpoints_of(inputs.folder),
        dict(inputs.report.data_sha256),
    )  # fmt: skip
    return Fold(Setting(config, inputs.control, SINGLE), plan, learner, batches)


def _judged(inputs: BaselineInputs, learner: object) -> Generator[Event, None, list[SlicePrediction] | Wish]:
    """Test and external slices."""
    assert isinstance(learner, SliceLearner) and inputs.report.split is not None  # made by `_fold`
    split = inputs.report.split
    parts = {TEST: split.test} | {EXTERNAL + name: scans for name, scans in split.external.items()}
    items = {part: classed(inputs.store, scans) for part, scans in parts.items()}
    everything = [one for those in items.values() for one in those]
    logits = yield from watching(learner.judge(everything, SINGLE, inputs.control), _JUDGING, len(everything))
    if isinstance(logits, Wish):
        return logits
    part_of = [part for part, those in items.items() for _ in those]
    return [
        _prediction(inputs, one, part, row) for one, part, row in zip(everything, part_of, logits.tolist(), strict=True)
    ]


def _prediction(inputs: BaselineInputs, one: Classed, part: str, logits: Sequence[float]) -> SlicePrediction:
    scan = one.ref.scan
    return SlicePrediction(
        scan=scan,
        name=one.ref.name,
        patient=patient_digest(inputs.source.patient(scan)),
        split=part,
        truth=inputs.task.image_classes[one.number],
        logits=tuple(logits),
        content=inputs.report.study_sha256.get(scan, ""),
    )


def _pose(augmentation: str, size: int) -> Pose | None:
    return {"none": None, "paper": paper_pose(size, size), "tuned": Pose()}[augmentation]
