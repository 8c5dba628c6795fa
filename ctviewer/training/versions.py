"""A finished run becomes a child bundle: the next free version of its name, with its card filled from the run.

Needs no torch by itself: `make_child` is called by the training process, the rest is read by the window.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ctviewer
from ctviewer.core.errors import InputError
from ctviewer.models.bundle import Bundle, VersionTakenError, save_bundle, weights_sha256
from ctviewer.models.metadata import (
    Metadata,
    Metric,
    Preprocessing,
    Thresholds,
    TrainingData,
    is_name,
    version_numbers,
)
from ctviewer.models.registry import ACTIVE, Registry, taken_versions
from ctviewer.models.training_run import CurvePoint, Environment, HoldOut, TrainingRun
from ctviewer.training import version_texts as texts
from ctviewer.training.config import RunConfig
from ctviewer.training.ledger import TRAINING, Ledger, holdout_sha256
from ctviewer.training.predictions import Predictions
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.splits import EXTERNAL, TEST, TRAIN, VALIDATION

if TYPE_CHECKING:
    from torch import Tensor

TASK = "study_classifier"
DEFAULT_NAME = "study-classifier"
CROSS_VALIDATION = "cross-validation"
FIRST = (1, 0, 0)
_ATTEMPTS = 20


@dataclass(frozen=True, eq=False)
class RunResult:
    """All that a finished run knows; the engine fills it.

    Attributes:
        run: name of the run's folder: its look at the hold-out counts once, however often it was resumed.
        config: what was asked for.
        report: what pre-flight found: counts, hashes of the data, contents of the studies.
        state: the net's `state_dict()`, calibration folded in.
        net: the net's constructor arguments besides the number of classes.
        classes: in the order of the outputs.
        negative_class: "" for none.
        preprocessing: of the net.
        threshold: finding probability from which a study counts as positive.
        predictions: on the hold-out (and external sets), by the finished net; of a cross-validation pooled, out of fold.
        metrics: figures on them.
        curves: all epochs of all folds.
        epochs: that the kept weights have seen.
        folds: of the cross-validation; 0 without.
        device, precision: in words.
        seconds: that the run took, pauses left out.
        start: what it started from, in words.
        split: how studies were shared out, in words; "" to say it from the configuration.
        patients: by part.
        prevalence: class to share that the probabilities refer to; empty: not calibrated.
        calibration: what was fitted, in words; "" for nothing.
        stopped: whether the user ended it early.
        notes: sentences that a reader of the card should know.
    """

    run: str
    config: RunConfig
    report: PreflightReport
    state: Mapping[str, Tensor]
    net: Mapping[str, Any]
    classes: tuple[str, ...]
    negative_class: str
    preprocessing: Preprocessing
    threshold: float
    predictions: Predictions
    metrics: tuple[Metric, ...]
    curves: tuple[CurvePoint, ...]
    epochs: int
    folds: int
    device: str
    precision: str
    seconds: float
    start: str
    split: str = ""
    patients: Mapping[str, int] = field(default_factory=dict)
    prevalence: Mapping[str, float] = field(default_factory=dict)
    calibration: str = ""
    stopped: bool = False
    notes: tuple[str, ...] = ()


def make_child(result: RunResult, base: Bundle | None, bundles: Path) -> Bundle:
    """Save what a run made as a new version, and count its look at the hold-out.

    Args:
        result: of the run.
        base: what it started from; None for a start without one.
        bundles: folder of the department's bundles; the ledger of hold-outs lies beside it.

    Returns:
        The new bundle; it is not active.

    Raises:
        InputError: the name cannot be one of a bundle.
        BundleError: a weight is not finite as float16, or what the run says contradicts itself.
        StorageError: the place cannot be written.
    """
    name = require_name(child_name(result.config, base))
    ledger = Ledger.beside(bundles)
    metadata = _metadata(result, base, name, ledger)
    bundle = _made_before(metadata, bundles, result.state) or _saved(metadata, base, bundles, result.state)
    m = bundle.metadata
    ledger.learned(m.weights_sha256, _learned_contents(result), m.run.parent_sha256 if m.run else "")
    for contents in holdouts(result).values():
        ledger.look(contents, TRAINING, model=bundle.key, once=result.run)
    return bundle


def _made_before(metadata: Metadata, bundles: Path, state: Mapping[str, Tensor]) -> Bundle | None:
    """What this very run saved already, where its process died right after: it does not become a second version."""
    assert metadata.run is not None
    weights = weights_sha256(state)
    for bundle in Registry((bundles,), bundles / ACTIVE).scan()[0]:
        m = bundle.metadata
        same = m.run is not None and (m.run.key, m.run.config_sha256) == (metadata.run.key, metadata.run.config_sha256)
        if same and (m.name, m.weights_sha256) == (metadata.name, weights):
            return bundle
    return None


def _saved(metadata: Metadata, base: Bundle | None, bundles: Path, state: Mapping[str, Tensor]) -> Bundle:
    """Under the next free version; another process may take it between the look and the writing."""
    for attempts_left in reversed(range(_ATTEMPTS)):
        version = next_version(metadata.name, bundles, base)
        try:
            return save_bundle(bundles / f"{metadata.name}-{version}", replace(metadata, version=version), state)
        except VersionTakenError:
            if not attempts_left:
                raise
    raise AssertionError("the last attempt returns or raises")


def require_name(name: str) -> str:
    """The name, if it can be one of a bundle.

    Raises:
        InputError: it cannot.
    """
    if not is_name(name):
        raise InputError(
            f"The model name {name[:80]!r} cannot be used: it takes lower case letters, digits and hyphens, 64 at most."
        )
    return name


def child_name(config: RunConfig, base: Bundle | None) -> str:
    """What the new bundle is called: as asked for, else like what it was tuned from."""
    if config.model.name:
        return config.model.name
    return base.metadata.name if base is not None and base.metadata.task == TASK else DEFAULT_NAME


def next_version(name: str, bundles: Path, base: Bundle | None = None) -> str:
    """The next free version: a minor one above all that are or were there under this name, 1.0.0 for a new name.

    Versions count that are damaged, were activated once, or are the parent of something: no number is given twice.
    """
    folders = [bundles] if base is None else [bundles, base.folder.parent]
    taken = taken_versions(name, folders)
    if base is not None and base.metadata.name == name:
        taken |= {version_numbers(base.metadata.version)}
    if not taken:
        return ".".join(map(str, FIRST))
    major, minor, _ = max(taken)
    return f"{major}.{minor + 1}.0"


def environment(device: str, precision: str) -> Environment:
    """What computes here; torch is named where it is loaded."""
    torch = sys.modules.get("torch")
    return Environment(
        program=f"ctviewer {ctviewer.__version__}",
        python=platform.python_version(),
        torch=str(getattr(torch, "__version__", "")),
        system=f"{platform.system()} {platform.machine()}",
        device=device,
        precision=precision,
    )


def holdouts(result: RunResult) -> dict[str, tuple[str, ...]]:
    """Contents of the studies that the figures refer to, by part: one of test, cross-validation and validation, and all
    external sets.
    """
    parts: dict[str, list[str]] = {}
    for case in result.predictions.cases:
        content = case.content or result.report.study_sha256.get(case.study, "")
        parts.setdefault(case.split, []).append(content)
    main = next((part for part in (CROSS_VALIDATION, TEST, VALIDATION) if part in parts), "")
    return {part: tuple(found) for part, found in parts.items() if part == main or part.startswith(EXTERNAL)}


def _metadata(result: RunResult, base: Bundle | None, name: str, ledger: Ledger) -> Metadata:
    """All but the version."""
    told = texts.Told.of(base, result.classes, _learned_from(result))
    return Metadata(
        name=name,
        version=".".join(map(str, FIRST)),
        task=TASK,
        title=result.config.model.title or told.title,
        classes=result.classes,
        negative_class=result.negative_class,
        net=result.net,
        preprocessing=result.preprocessing,
        thresholds=Thresholds(finding_probability=result.threshold),
        input_limits=told.input_limits,
        training_data=_training_data(result),
        licence=told.licence,
        intended_use=texts.INTENDED_USE,
        out_of_scope=told.out_of_scope,
        trained_on=told.trained_on,
        limits=told.limits,
        probabilities=texts.probabilities(result.prevalence, result.config.recipe),
        parent=base.key if base is not None else "",
        metrics=result.metrics,
        recipe=_recipe(result.config),
        run=_run(result, base, ledger),
    )


def _run(result: RunResult, base: Bundle | None, ledger: Ledger) -> TrainingRun:
    found = holdouts(result)
    parent = base.metadata.weights_sha256 if base is not None else ""
    notes = [*result.notes, *([texts.JUDGED_BY_VALIDATION] if VALIDATION in found else [])]
    contents = {content for part in found.values() for content in part}
    if base is not None and (seen := ledger.seen(parent, contents)):
        notes.append(texts.seen_by_parent(seen, len(contents), base.key))
    return TrainingRun(
        key=hashlib.sha256(result.run.encode("utf-8", "surrogatepass")).hexdigest()[:16],
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=result.seconds,
        stopped=result.stopped,
        start=result.start,
        split=result.split or texts.split(result.config, result.folds),
        patients=_patients(result),
        folds=result.folds,
        epochs=result.epochs,
        holdouts=tuple(_holdout(result, part, contents, ledger) for part, contents in found.items()),
        prevalence=dict(result.prevalence),
        calibration=result.calibration,
        curves=result.curves,
        environment=environment(result.device, result.precision),
        config_sha256=result.config.digest(),
        parent_sha256=parent,
        notes=tuple(notes),
    )


def _holdout(result: RunResult, part: str, contents: tuple[str, ...], ledger: Ledger) -> HoldOut:
    patients = len({case.patient for case in result.predictions.cases if case.split == part})
    looks = ledger.looks(contents, without=result.run)
    return HoldOut(part, len(contents), patients, holdout_sha256(contents), looks)


def _training_data(result: RunResult) -> TrainingData:
    """Counts and hashes by part; a cross-validation has one part, besides external sets."""
    counts: dict[str, int] = {}
    for count in result.report.counts:
        inside = result.folds and not count.part.startswith(EXTERNAL)
        key = f"{CROSS_VALIDATION if inside else count.part} / {count.label}"
        counts[key] = counts.get(key, 0) + count.studies
    hashes = dict(result.report.data_sha256)
    if result.folds:
        outside = {part: value for part, value in hashes.items() if part.startswith(EXTERNAL)}
        hashes = {CROSS_VALIDATION: holdout_sha256(result.report.study_sha256.values())} | outside
    return TrainingData(f"{_learned_from(result)}.", counts, hashes)


def _learned_contents(result: RunResult) -> set[str]:
    """Of the studies that weights, epoch or probabilities follow from."""
    split = result.report.split
    if split is None:
        return set()
    inside = (*split.train, *split.validation, *(split.test if result.folds else ()))
    return {result.report.study_sha256.get(study, "") for study in inside}


def _patients(result: RunResult) -> dict[str, int]:
    """By part; of a cross-validation together, besides external sets."""
    if not result.folds:
        return dict(result.patients)
    outside = {part: count for part, count in result.patients.items() if part.startswith(EXTERNAL)}
    inside = sum(count for part, count in result.patients.items() if part not in outside)
    return {CROSS_VALIDATION: inside, **outside} if inside else outside


def _learned_from(result: RunResult) -> str:
    """For instance "40 studies of 38 patients"."""
    split = result.report.split
    if split is None:
        return texts.learned_from(result.report.studies, result.report.patients)
    inside = (*split.train, *split.validation, *split.test) if result.folds else split.train
    known = _patients(result).get(CROSS_VALIDATION if result.folds else TRAIN, 0)
    return texts.learned_from(len(inside), known)


def _recipe(config: RunConfig) -> dict[str, Any]:
    """Settings of the run by name; the net's own stand in the bundle already, what explains them in the program."""
    told = asdict(config.recipe)
    for name in ("title", "explanation"):
        del told[name]
    return {"start": config.model.start, **told, "seed": config.seed}
