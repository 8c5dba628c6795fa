"""Results of runs as the engine hands them over: tiny weights, six studies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ctviewer.models.bundle import Bundle, save_bundle
from ctviewer.models.metadata import InputLimits, Metadata, Metric, Preprocessing, Thresholds, TrainingData
from ctviewer.models.training_run import CurvePoint
from ctviewer.training.config import DataConfig, ModelConfig, RunConfig
from ctviewer.training.predictions import Prediction, Predictions, patient_digest
from ctviewer.training.preflight.report import Count, PreflightReport
from ctviewer.training.splits import Split
from ctviewer.training.versions import RunResult

P = Preprocessing(-600.0, 1500.0, 64, 56, (0.5,), (0.25,))
CLASSES = ("none", "some")


def content(study: str) -> str:
    return hashlib.sha256(study.encode()).hexdigest()


def predictions(studies: tuple[str, ...], part: str = "test", model: str = "new 1.0.0") -> Predictions:
    cases = tuple(
        Prediction(one, patient_digest(f"p{one}"), (CLASSES[i % 2],), (0.5, float(i % 2)), part, 9, (), content(one))
        for i, one in enumerate(studies)
    )
    return Predictions(model, CLASSES, "none", True, 0.4, cases)


def result(name: str = "", *, run: str = "20261122-0900-lung", **changes: Any) -> RunResult:
    split = Split(("a", "b"), ("c",), ("d", "e"))
    counts = tuple(
        Count(part, label, 1, 1) for part in split.parts for label in CLASSES if (part, label) != ("val", "some")
    )
    report = PreflightReport(
        studies=5,
        patients=5,
        findings=(),
        split=split,
        counts=counts,
        data_sha256={part: content(part) for part in split.parts},
        study_sha256={study: content(study) for study in "abcde"},
    )
    made = RunResult(
        run=run,
        config=RunConfig(DataConfig("/data/Doe^John"), ModelConfig(name=name)),
        report=report,
        state={"w": torch.zeros(2)},
        net={"encoder": "resnet18", "aggregator": "attention", "head": "binary"},
        classes=CLASSES,
        negative_class="none",
        preprocessing=P,
        threshold=0.4,
        predictions=predictions(("d", "e")),
        metrics=(Metric("AUC-ROC, some", 0.8, 0.7, 0.9, 2, "patients", "test"),),
        curves=tuple(CurvePoint(0, i, 1 / i, 1.1 / i if i < 4 else None, i == 3) for i in range(1, 5)),
        epochs=3,
        folds=0,
        device="CPU",
        precision="float32",
        seconds=61.0,
        start="base",
        patients={"train": 2, "val": 1, "test": 2},
    )
    return replace(made, **changes)


@pytest.fixture
def make_result() -> Callable[..., RunResult]:
    """`make_result(name="", run=..., **changes)`."""
    return result


@pytest.fixture
def make_predictions() -> Callable[..., Predictions]:
    """`make_predictions(studies, part="test", model=...)`."""
    return predictions


@pytest.fixture
def content_of() -> Callable[[str], str]:
    """Digest of what a study shows."""
    return content


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """A department's folder, empty."""
    return tmp_path / "data" / "bundles"


@pytest.fixture
def base(tmp_path: Path) -> Bundle:
    """What comes with the program, in a folder of its own."""
    limits = InputLimits(
        ("CT",), ("axial",), True, (12, 900), (0.5, 10.0), (200.0, 600.0), (-1100.0, -700.0), (-100.0, 150.0)
    )
    metadata = Metadata(
        name="starter",
        version="0.1.0",
        task="study_classifier",
        title="Starter",
        classes=CLASSES,
        net={"encoder": "resnet18"},
        preprocessing=P,
        thresholds=Thresholds(),
        input_limits=limits,
        training_data=TrainingData("phantoms", {}, {}),
        licence="Apache-2.0",
        intended_use="Tests.",
        out_of_scope="All else.",
        trained_on="trained on phantoms only",
        limits="It has never seen a patient.",
        negative_class="none",
    )
    return save_bundle(tmp_path / "shipped" / "starter-0.1.0", metadata, {"w": torch.ones(2)})
