from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core.findings import (
    AnalysisResult,
    Check,
    Instance,
    Lesion,
    ModelInfo,
    Provenance,
    SliceScore,
    StudyClassification,
    Suitability,
)
from ctviewer.core.geometry import Geometry, Plane
from ctviewer.core.masks import BoxMask
from ctviewer.core.reading import Reading
from ctviewer.core.series import Patient, Series, SliceRef, Study
from ctviewer.core.volume import Volume

SLICES, SIZE = 24, 128


def phantom(slices: int = SLICES, size: int = SIZE, spacing: float = 2.6) -> Volume:
    """A body with two lungs, a spine and a bright patch in the left lung; table positions fall with the file order."""
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[0:size, 0:size] / size - 0.5
    hu = np.full((slices, size, size), -1000.0)
    hu[:, (rows / 0.34) ** 2 + (columns / 0.45) ** 2 < 1] = 40
    for x in (-0.19, 0.19):
        hu[:, (rows / 0.24) ** 2 + ((columns - x) / 0.15) ** 2 < 1] = -820
    hu[:, (rows - 0.24) ** 2 + columns**2 < 0.05**2] = 700
    middle = slices // 2
    hu[middle - 2 : middle + 3, (rows**2 + (columns - 0.2) ** 2) < 0.05**2] = -300
    hu += rng.normal(0, 25, hu.shape)
    origins = np.zeros((slices, 3))
    origins[:, :2] = -size * spacing / 2
    origins[:, 2] = -300 + 5.0 * np.arange(slices)
    refs = tuple(
        SliceRef(Path(f"{i}.dcm"), instance_number=slices - i, position=tuple(origins[i])) for i in range(slices)
    )
    series = Series(
        key="1.2.3",
        uid="1.2.3",
        modality="CT",
        patient=Patient("Müller^Jürgen", "PAT-0042", "19600117", "M"),
        study=Study("1.2", "20261120", "134501", "ACC-77", "CT chest without contrast", "Weber^Anna^^Dr."),
        slices=refs,
        rows=size,
        columns=size,
        description="Lung 5.0 I50f",
        number=3,
        kernel="I50f",
        manufacturer="Phantom Works",
        model_name="One",
        plane=Plane.AXIAL,
        pixel_spacing=(spacing, spacing),
        slice_spacing=5.0,
        thickness=5.0,
        lossy=True,
    )
    return Volume(
        series=series,
        geometry=Geometry((slices, size, size), origins, pixel_spacing=(spacing, spacing)),
        stored=np.rint(hu).astype(np.int16),
        slope=np.ones(slices),
        intercept=np.zeros(slices),
    )


def lesion(number: int, size: int, slices: tuple[int, ...], label: str = "consolidation") -> Lesion:
    """A disc in the left lung."""
    rows, columns = np.mgrid[0:size, 0:size] / size - 0.5
    mask = BoxMask.from_array((rows - 0.02 * (number % 5)) ** 2 + (columns - 0.2) ** 2 < 0.05**2)
    assert mask is not None
    instances = tuple(Instance(i, label, 0.9, mask) for i in slices)
    return Lesion(number, label, 0.9 - 0.01 * number, instances, 4.25, 23.4, -311.0, "left")


@pytest.fixture(scope="session")
def volume() -> Volume:
    return phantom()


@pytest.fixture
def classifier() -> ModelInfo:
    return ModelInfo(
        "phantom-study",
        "1.0.0",
        "study_classifier",
        "0123456789abcdef" * 4,
        ("no finding", "pneumonia-like", "COVID-like"),
        "trained on phantoms only",
        "Made for demonstration. It has never seen a patient.",
        "Apache-2.0",
    )


@pytest.fixture
def detector(classifier: ModelInfo) -> ModelInfo:
    return replace(
        classifier,
        name="phantom-lesions",
        task="one_shot",
        sha256="fedcba9876543210" * 4,
        classes=("ground glass", "consolidation"),
    )


@pytest.fixture
def make_result(classifier: ModelInfo, detector: ModelInfo) -> Callable[..., AnalysisResult]:
    """`make_result(volume, lesions=2)`: attention that rises in the middle, and discs as lesions."""

    def make(volume: Volume, lesions: int = 2, flat: bool = False, abstains: bool = False) -> AnalysisResult:
        n = volume.slice_count
        place = np.arange(n)
        weights = np.ones(n) if flat else 0.2 + 6 * np.exp(-(((place - n // 2) / 1.6) ** 2))
        found = tuple(
            lesion(k, volume.stored.shape[1], (n // 2 - 1, n // 2, n // 2 + 1)) for k in range(1, lesions + 1)
        )
        area = np.zeros(n)
        for one in found:
            for instance in one.instances:
                area[instance.slice_index] += instance.mask.area * 2.6**2
        area[:2] = np.nan
        probabilities = (0.97, 0.02, 0.01) if flat else (0.04, 0.15, 0.81)
        check = Check(
            "slice spacing", "abstain" if abstains else "warn", "The slices are 5 mm apart; 3 mm is the limit."
        )
        told = StudyClassification(
            classifier, probabilities, "no finding", 0.5, SliceScore.ATTENTION, weights / weights.sum()
        )
        return AnalysisResult(
            series_key=volume.series.key,
            series_uid=volume.series.uid,
            slice_digests=tuple(volume.slice_digest(i) for i in range(n)),
            suitability=Suitability((check,)),
            classification=None if abstains else told,
            lesions=found,
            lesion_area=area,
            area_unit="mm2",
            provenance=Provenance(
                (classifier, detector),
                "cpu",
                "float32",
                "ctviewer 0.1.0",
                "2026-11-22T03:00:00+00:00",
                12.5,
                (("slices looked at", "22"), ("threads", "2")),
            ),
        )

    return make


@pytest.fixture
def reading(volume: Volume) -> Reading:
    return Reading.of(volume.series, tuple(volume.slice_digest(i) for i in range(volume.slice_count)))
