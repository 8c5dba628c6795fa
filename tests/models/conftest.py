"""Small bundles and volumes for the tests of `models`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Patient as SeriesPatient
from ctviewer.core.series import Series, SliceRef
from ctviewer.core.series import Study as SeriesStudy
from ctviewer.core.volume import Volume
from ctviewer.models.metadata import InputLimits, Metadata, Metric, Preprocessing, Thresholds, TrainingData
from ctviewer.models.training_run import Environment, TrainingRun


def series(shape: tuple[int, int, int]) -> Series:
    refs = tuple(SliceRef(Path(f"{i}.dcm")) for i in range(shape[0]))
    return Series("k", "1.2", "CT", SeriesPatient(), SeriesStudy(), refs, shape[1], shape[2])


def make_volume(
    stored: np.ndarray,
    row_cosines: tuple[float, float, float] = (1.0, 0.0, 0.0),
    column_cosines: tuple[float, float, float] = (0.0, 1.0, 0.0),
    **more: object,
) -> Volume:
    n = len(stored)
    normal = np.cross(row_cosines, column_cosines)
    geometry = Geometry(stored.shape, np.arange(n)[:, None] * 2.0 * normal, row_cosines, column_cosines, (0.7, 0.7))
    return Volume(series(stored.shape), geometry, stored, np.ones(n), np.zeros(n), **more)  # type: ignore[arg-type]


@pytest.fixture
def volume_of() -> Callable[..., Volume]:
    """Stored HU `[n, rows, columns]` int16, and direction cosines, to a volume of 2 mm slices."""
    return make_volume


@pytest.fixture
def metadata() -> Metadata:
    """Of a tiny study classifier that can be built."""
    return Metadata(
        name="tiny-classifier",
        version="1.2.3",
        task="study_classifier",
        title="Tiny classifier",
        classes=("none", "some"),
        negative_class="none",
        net={
            "encoder": "resnet18",
            "encoder_options": {"width": 16},
            "aggregator": "lstm_attention",
            "aggregator_options": {"scale": "sqrt"},
        },
        preprocessing=Preprocessing(-600.0, 1500.0, 64, 56, (0.5,), (0.25,)),
        thresholds=Thresholds(0.4),
        input_limits=InputLimits(
            ("CT",), ("axial",), True, (8, 900), (0.5, 10.0), (200.0, 600.0), (-1100.0, -700.0), (-100.0, 150.0)
        ),
        training_data=TrainingData("Two toy studies.", {"train / none": 1}, {"train": "0" * 64}),
        licence="Apache-2.0",
        intended_use="Tests.",
        out_of_scope="All else.",
        trained_on="trained on nothing",
        limits="It knows nothing.",
        metrics=(
            Metric("AUC-ROC", 0.9, 0.8, 0.95, 12, "patients", "phantom"),
            Metric("Dice", 0.5, None, None, 1, "patients", "phantom"),
        ),
    )


@pytest.fixture
def run() -> TrainingRun:
    """Of three epochs, without figures."""
    return TrainingRun(
        "0" * 16, "2026-11-22T09:00:00+00:00", 60.0, False, "base", "by patient", {}, 0, 3, (), {}, "", (),
        Environment("ctviewer 0", "3.11", "2", "Linux", "CPU", "float32"), "0" * 64,
    )  # fmt: skip
