"""The metadata of a version, filled from the run that made it."""

from __future__ import annotations

import hashlib
import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import ctviewer
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import ONE_SHOT, Metadata, Thresholds, TrainingData
from ctviewer.models.training_run import Environment, HoldOut, TrainingRun
from ctviewer.training import version_texts as texts
from ctviewer.training.config import RunConfig
from ctviewer.training.ledger import Ledger, holdout_sha256
from ctviewer.training.predictions import Predictions
from ctviewer.training.run_result import CROSS_VALIDATION, RunResult, holdouts, learned_contents
from ctviewer.training.splits import EXTERNAL, TRAIN, VALIDATION


def version_metadata(result: RunResult, base: Bundle | None, name: str, ledger: Ledger) -> Metadata:
    """All that the card says; the version is yet to be found.

    Args:
        result: of the run.
        base: what it started from; None for a start without one.
        name: of the bundle.
        ledger: of hold-outs.
    """
    task, recipe = result.config.task, result.config.recipe
    if one_shot := task == ONE_SHOT:
        knows = texts.knows_slices(result.classes, result.image_classes)
        probabilities = texts.slice_probabilities(result.image_classes, recipe)
    else:
        knows = texts.knows(result.classes)
        probabilities = texts.probabilities(result.calibration, recipe)
    told = texts.Told.of(base, task, knows, _learned_from(result))
    return Metadata(
        name=name,
        version="1.0.0",
        task=task,
        title=result.config.model.title or told.title,
        classes=result.classes,
        negative_class=result.negative_class,
        lesion_classes=result.lesion_classes,
        image_classes=result.image_classes,
        net=result.net,
        preprocessing=result.preprocessing,
        thresholds=Thresholds(**{"detection_score" if one_shot else "finding_probability": result.threshold}),
        input_limits=told.input_limits,
        training_data=_training_data(result),
        licence=told.licence,
        restriction=told.restriction,
        intended_use=texts.INTENDED_USE,
        out_of_scope=told.out_of_scope,
        trained_on=told.trained_on,
        limits=told.limits,
        probabilities=probabilities,
        calibration=result.calibrated_on,
        parent=base.key if base is not None else "",
        metrics=result.metrics,
        recipe=_recipe(result.config),
        run=_run(result, base, ledger),
    )


def _run(result: RunResult, base: Bundle | None, ledger: Ledger) -> TrainingRun:
    found, task = holdouts(result), result.config.task
    parent = base.metadata.weights_sha256 if base is not None else ""
    notes = [*result.notes, *([texts.judged_by_validation(task)] if VALIDATION in found else [])]
    judged, report = [one for one in result.predictions.subjects if one.split in found], result.report
    known = [
        (one.content or report.study_sha256.get(one.study, ""), *report.images.get(one.study, ())) for one in judged
    ]
    if base is not None and (seen := ledger.seen_any(parent, known)):
        notes.append(texts.seen_by_parent(seen, len(judged), base.key, texts.UNITS[task]))
    if isinstance(result.predictions, Predictions):
        of_parts = [result.predictions.of(part) for part in found]
        shares = (texts.other_shares(result.prevalence, one, "this bundle") for one in of_parts)
        notes += [text for text in shares if text]
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
        environment=_environment(result.device, result.precision),
        config_sha256=result.config.digest(),
        parent_sha256=parent,
        notes=tuple(notes),
    )


def _holdout(result: RunResult, part: str, contents: tuple[str, ...], ledger: Ledger) -> HoldOut:
    patients = len({one.patient for one in result.predictions.subjects if one.split == part})
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
        hashes = {CROSS_VALIDATION: holdout_sha256(learned_contents(result))} | outside
    return TrainingData(f"{_learned_from(result)}.", counts, hashes)


def _environment(device: str, precision: str) -> Environment:
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


def _patients(result: RunResult) -> dict[str, int]:
    """By part; of a cross-validation together, besides external sets."""
    if not result.folds:
        return dict(result.patients)
    outside = {part: count for part, count in result.patients.items() if part.startswith(EXTERNAL)}
    inside = sum(count for part, count in result.patients.items() if part not in outside)
    return {CROSS_VALIDATION: inside, **outside} if inside else outside


def _learned_from(result: RunResult) -> str:
    """For instance "40 studies of 38 patients"."""
    split, unit = result.report.split, texts.UNITS[result.config.task]
    if split is None:
        return texts.learned_from(result.report.studies, result.report.patients, unit)
    inside = (*split.train, *split.validation, *split.test) if result.folds else split.train
    known = _patients(result).get(CROSS_VALIDATION if result.folds else TRAIN, 0)
    return texts.learned_from(len(inside), known, unit)


def _recipe(config: RunConfig) -> dict[str, Any]:
    """Settings of the run by name; the net's own stand in the bundle already, what explains them in the program."""
    told = asdict(config.recipe)
    for name in ("title", "explanation"):
        del told[name]
    return {"start": config.model.start, **told, "seed": config.seed}
