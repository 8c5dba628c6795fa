"""Ter-Sarkisov's comparison on other data: the one-shot model, its parts, slice classifiers and ablations, each by one run."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Event, Message
from ctviewer.models.bundle import Bundle, load_bundle
from ctviewer.models.metadata import ONE_SHOT
from ctviewer.nets.one_shot import OneShot, reference_options
from ctviewer.nets.one_shot.options import Options
from ctviewer.training.config import DataConfig, ModelConfig, RunConfig, SliceSet
from ctviewer.training.control import Control, Wish, never
from ctviewer.training.engine import devices
from ctviewer.training.engine.inputs import RunInputs
from ctviewer.training.engine.memory import Memory
from ctviewer.training.engine.one_shot.starts import input_of, start_one_shot
from ctviewer.training.engine.run import run
from ctviewer.training.engine.slice_store import SliceStore
from ctviewer.training.events import Paused, RunCancelled, RunFinished
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.reproduction.kept import Interrupted, require_same_settings
from ctviewer.training.reproduction.slice_baseline import BaselineInputs, start_baseline, train_baseline
from ctviewer.training.reproduction.ter_sarkisov_plan import (
    MAIN,
    TRANSFERRED,
    Arm,
    Kind,
    TerSarkisovSettings,
    arms,
    recipe_of,
)
from ctviewer.training.reproduction.ter_sarkisov_results import ArmRun, Judged, keep, kept
from ctviewer.training.run_folder import PREDICTIONS
from ctviewer.training.slice_predictions import read_slice_predictions
from ctviewer.training.slices.task import SliceTask, slice_task
from ctviewer.training.slices.two_sources import IMAGES, LESIONS, TwoSources, kind_of
from ctviewer.training.splits import Split


@dataclass(frozen=True)
class Data:
    """Slices to learn from and to judge by.

    Attributes:
        lesions, images: the sets.
        source: of their slices.
        report: of pre-flight, nothing blocking.
        negative_class: of the classes of slices; "" for none.
    """

    lesions: tuple[SliceSet, ...]
    images: tuple[SliceSet, ...]
    source: TwoSources
    report: PreflightReport
    negative_class: str = ""


@dataclass(frozen=True)
class TerSarkisovInputs:
    """All that the comparison needs.

    Attributes:
        settings: what is compared.
        data: of tables 1 to 3.
        folder: for runs and results; what it holds of an earlier call with the same settings is used.
        transfer: of table 4; None where there is none.
        control: a pause ends the work; the next call goes on from there.
    """

    settings: TerSarkisovSettings
    data: Data
    folder: Path
    transfer: Data | None = None
    control: Control = never


@dataclass(frozen=True)
class ArmDone(Event):
    """One model of one seed is trained and judged."""

    arm: Arm
    judged: Judged
    done: int
    total: int


def planned(settings: TerSarkisovSettings, data: Data, transfer: Data | None) -> tuple[Arm, ...]:
    """The models that are trained; the transferred one last.

    Raises:
        InputError: there are none.
    """
    found = arms(settings, lesions=bool(data.lesions), images=bool(data.images), usual=net_options(settings, MAIN))
    return (*found, TRANSFERRED) if transfer is not None and MAIN in found else found


def net_options(settings: TerSarkisovSettings, arm: Arm) -> dict[str, object]:
    """All options of an arm's one-shot net."""
    told = {**settings.net, **arm.net}
    reference = reference_options() if told.pop("reference", False) else {}
    return dataclasses.asdict(Options(**{"size": settings.size, **reference, **told}))


def arm_config(settings: TerSarkisovSettings, data: Data, arm: Arm, seed: int) -> RunConfig:
    """The run of one model."""
    segmentation = arm.kind is Kind.SEGMENTATION
    recipe = recipe_of(settings, arm)
    if segmentation:
        recipe = dataclasses.replace(recipe, epochs=_equal_epochs(recipe.epochs, recipe.batch, data))
    baseline = arm.kind is Kind.BASELINE
    model = ModelConfig(
        name=f"ter-sarkisov-{arm.name}-{seed}",
        title=arm.title,
        start="base" if arm.kind is Kind.TRANSFER else settings.start,
        encoder=str(arm.net["encoder"]) if baseline else "",
        net={} if baseline or arm.kind is Kind.TRANSFER else {**settings.net, **arm.net},
        negative_class="" if segmentation else data.negative_class,
        size=settings.size,
        crop=settings.size,
    )
    return RunConfig(
        DataConfig("", cross_validation="never"), model, recipe, seed=seed, device=settings.device, task=ONE_SHOT,
        lesions=data.lesions, images=() if segmentation else data.images,
    )  # fmt: skip


def require_starts(inputs: TerSarkisovInputs) -> None:
    """Refuse, before anything is trained, what some model could not start from.

    Raises:
        InputError: a file of weights is missing, or options of the net do not fit together.
    """
    data, settings = inputs.data, inputs.settings
    for arm in planned(settings, data, None):
        config, task = arm_config(settings, data, arm, 0), _task(data, arm)
        if arm.kind is Kind.BASELINE:
            start_baseline(config, len(task.image_classes))
        else:
            start_one_shot(config.model, config.recipe, task, None, 0)


def reproduce(inputs: TerSarkisovInputs) -> Iterator[Event]:
    """Train and judge all models.

    Yields:
        What the runs say, `Message` and `ArmDone`; last `Done` with a tuple of `Judged`, or `Interrupted`.

    Raises:
        InputError: the data or the start cannot be used.
        StorageError: the folder cannot be written.
        CtviewerError: a run failed; the next call goes on from its last checkpoint.
    """
    _require_same(inputs)
    every = planned(inputs.settings, inputs.data, inputs.transfer)
    jobs = [(arm, seed) for seed in range(inputs.settings.seeds) for arm in every]
    found: list[Judged] = []
    for done, (arm, seed) in enumerate(jobs, 1):
        made = kept(inputs.folder, arm.name, seed)
        if made is None:
            yield Message(f"{arm.title}, seed {seed} ({done} of {len(jobs)})")
            made = yield from _one(inputs, arm, seed)
        if made is None:
            yield Interrupted()
            return
        found.append(made)
        yield ArmDone(arm, made, done, len(jobs))
    for place in ("slices", "slices-of-lesions", "slices-transferred", "runs"):
        shutil.rmtree(inputs.folder / place, ignore_errors=True)
    yield Done(tuple(found))


def _one(inputs: TerSarkisovInputs, arm: Arm, seed: int) -> Generator[Event, None, Judged | None]:
    """Train one model; None where the user paused."""
    folder = inputs.folder / "runs" / f"{arm.name}-{seed}"
    if arm.kind is Kind.BASELINE:
        made = yield from _baseline(inputs, arm, seed, folder)
    else:
        made = yield from _one_shot(inputs, arm, seed, folder)
    if made is not None:
        keep(inputs.folder, made)
        shutil.rmtree(folder, ignore_errors=True)  # the figures are what is wanted
    return made


def _one_shot(inputs: TerSarkisovInputs, arm: Arm, seed: int, folder: Path) -> Generator[Event, None, Judged | None]:
    data = _data(inputs, arm)
    # the model itself is kept for transfer, and for who wants to use it
    bundles = inputs.folder / "bundles" / str(seed) if arm == MAIN else folder / "bundles"
    base = _kept_bundle(inputs.folder / "bundles" / str(seed)) if arm.kind is Kind.TRANSFER else None
    places = {Kind.SEGMENTATION: "slices-of-lesions", Kind.TRANSFER: "slices-transferred"}
    run_inputs = RunInputs(
        arm_config(inputs.settings, data, arm, seed),
        data.source,
        folder,
        _of_lesions(data.report) if arm.kind is Kind.SEGMENTATION else data.report,
        base,
        bundles,
        inputs.control,
        resume=Memory.read(folder) is not None,
        studies=inputs.folder / places.get(arm.kind, "slices"),
    )
    finished = ""
    for event in run(run_inputs):
        if isinstance(event, Paused | RunCancelled):
            return None
        if isinstance(event, RunFinished):
            finished = event.bundle
        yield event
    return _judged(arm, seed, load_bundle(Path(finished)), folder)


def _baseline(inputs: TerSarkisovInputs, arm: Arm, seed: int, folder: Path) -> Generator[Event, None, Judged | None]:
    data, task = inputs.data, _task(inputs.data, arm)
    config = arm_config(inputs.settings, data, arm, seed)
    preprocessing = input_of(config.model, config.recipe, None)
    store = SliceStore(
        data.source, preprocessing, task.classes, task.image_classes, inputs.folder / "slices",
        data.report.study_sha256, devices.choose_device(config.device),
    )  # fmt: skip
    split = data.report.split
    assert split is not None  # pre-flight blocks otherwise
    scans = [scan for those in split.parts.values() for scan in those if kind_of(scan) == IMAGES]
    for event in store.prepare(scans):
        if inputs.control() is not Wish.GO_ON:
            return None
        yield event
    given = BaselineInputs(arm.name, config, data.source, data.report, store, task, folder, inputs.control)
    return (yield from train_baseline(given))


def _judged(arm: Arm, seed: int, bundle: Bundle, folder: Path) -> Judged:
    """The curve of the whole run from its bundle, also where it was resumed."""
    record, net = bundle.metadata.run, bundle.build()
    assert record is not None and isinstance(net, OneShot)  # the engine has just written it
    told = ArmRun(
        arm.name,
        seed,
        record.epochs,
        tuple(point.loss for point in record.curves),
        tuple(point.validation_loss for point in record.curves),
        sum(p.numel() for p in net.parameters()),
        record.seconds,
        (record.start,),
    )
    return Judged(told, read_slice_predictions(folder / PREDICTIONS))


def _data(inputs: TerSarkisovInputs, arm: Arm) -> Data:
    if arm.kind is not Kind.TRANSFER:
        return inputs.data
    assert inputs.transfer is not None  # `planned` looked
    return inputs.transfer


def _task(data: Data, arm: Arm) -> SliceTask:
    """The classes of an arm that starts without a model."""
    segmentation = arm.kind is Kind.SEGMENTATION
    model = ModelConfig(negative_class="" if segmentation else data.negative_class)
    return slice_task(model, data.report.outlined, () if segmentation else data.report.slice_classes, None)


def _of_lesions(report: PreflightReport) -> PreflightReport:
    """As if there were slices with lesions alone, in the same parts."""
    split = report.split
    assert split is not None  # pre-flight blocks otherwise

    def some(scans: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(scan for scan in scans if kind_of(scan) == LESIONS)

    kept_external = {name: some(scans) for name, scans in split.external.items() if some(scans)}
    less = Split(some(split.train), some(split.validation), some(split.test), kept_external)
    return dataclasses.replace(report, split=less, slice_classes=())


def _equal_epochs(epochs: int, batch: int, data: Data) -> int:
    """So many epochs of lesion slices alone that as many steps are on lesions as in the one-shot model's epochs."""
    slices = data.report.slices
    images, lesions = (slices.get(f"train/{kind}", 0) for kind in (IMAGES, LESIONS))
    if not images or not lesions:
        return epochs
    return max(1, round(epochs * math.ceil(images / batch) / math.ceil(lesions / batch)))


def _kept_bundle(folder: Path) -> Bundle:
    """The one-shot model of a seed."""
    found = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not found:
        raise InputError(
            f"{folder} lacks the one-shot model to start from; remove its file in models, to train it again."
        )
    return load_bundle(found[-1])


def _require_same(inputs: TerSarkisovInputs) -> None:
    """Models of an earlier call are used again only where data and settings were the same; other models may be added."""
    told = dataclasses.asdict(inputs.settings) | {"data": dict(inputs.data.report.data_sha256)}
    for name in ("models", "seeds", "device", "about"):
        del told[name]
    require_same_settings(inputs.folder, told)
