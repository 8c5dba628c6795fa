"""What a finished run knows: the engine fills it, a bundle is made of it. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ctviewer.core.calibration import Calibration
from ctviewer.models.metadata import Metric, Preprocessing
from ctviewer.models.training_run import CurvePoint
from ctviewer.training.config import RunConfig
from ctviewer.training.predictions import Predictions
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.slice_predictions import SlicePredictions
from ctviewer.training.splits import EXTERNAL, TEST, VALIDATION, Split

if TYPE_CHECKING:
    from torch import Tensor

CROSS_VALIDATION = "cross-validation"


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
        threshold: finding probability from which a study counts as positive; of a one-shot model the score from which an
            outline is shown.
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
        calibrated_on: on whom it was fitted; None where nothing was.
        stopped: whether the user ended it early.
        notes: sentences that a reader of the card should know.
        lesion_classes, image_classes: of a one-shot model, as in `Metadata`.
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
    predictions: Predictions | SlicePredictions
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
    calibrated_on: Calibration | None = None
    stopped: bool = False
    notes: tuple[str, ...] = ()
    lesion_classes: tuple[str, ...] = ()
    image_classes: tuple[str, ...] = ()


def holdouts(result: RunResult) -> dict[str, tuple[str, ...]]:
    """Contents of the studies that the figures refer to, by part: one of test, cross-validation and validation, and all
    external sets.
    """
    parts: dict[str, list[str]] = {}
    for one in result.predictions.subjects:
        content = one.content or result.report.study_sha256.get(one.study, "")
        parts.setdefault(one.split, []).append(content)
    main = next((part for part in (CROSS_VALIDATION, TEST, VALIDATION) if part in parts), "")
    return {part: tuple(found) for part, found in parts.items() if part == main or part.startswith(EXTERNAL)}


def learned_contents(result: RunResult) -> set[str]:
    """Of the studies that weights, epoch or probabilities follow from."""
    split = result.report.split
    if split is None:
        return set()
    return {result.report.study_sha256.get(study, "") for study in _learned(result, split)}


def learned_images(result: RunResult) -> set[str]:
    """Of their single slices, where they are labelled ones: what is outlined anew stays the image that it was."""
    split = result.report.split
    scans = () if split is None else _learned(result, split)
    return {one for scan in scans for one in result.report.images.get(scan, ())}


def _learned(result: RunResult, split: Split) -> tuple[str, ...]:
    return (*split.train, *split.validation, *(split.test if result.folds else ()))
