from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
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
from ctviewer.core.masks import BoxMask
from ctviewer.core.reading import Reading
from ctviewer.library import WorkStore


@pytest.fixture
def digests() -> Callable[..., tuple[str, ...]]:
    """`digests(5, "scan")`: digests of five slices; another word gives other pixels."""

    def make(count: int, word: str = "scan") -> tuple[str, ...]:
        return tuple(hashlib.sha256(f"{word}{i}".encode()).hexdigest() for i in range(count))

    return make


@pytest.fixture
def result(digests: Callable[..., tuple[str, ...]]) -> AnalysisResult:
    model = ModelInfo("study", "1.0.0", "study_classifier", "ab" * 32, ("normal", "other"), "phantoms", "none", "MIT")
    mask = BoxMask.from_array(np.eye(8, dtype=bool))
    assert mask is not None
    weights = np.array([0.1, 0.5, 0.2, 0.2, np.nan])
    return AnalysisResult(
        series_key="1.2.3#1",
        series_uid="1.2.3",
        slice_digests=digests(5),
        suitability=Suitability((Check("slice spacing", "ok", "2 mm."),)),
        classification=StudyClassification(model, (0.2, 0.8), "normal", 0.5, SliceScore.ATTENTION, weights),
        lesions=(Lesion(1, "GGO", 0.9, (Instance(1, "GGO", 0.9, mask),), 1.5, 12.0, -500.0, "left"),),
        lesion_area=np.array([0.0, 3.0, 0.0, 0.0, np.nan]),
        area_unit="mm2",
        provenance=Provenance((model,), "cpu", "float32", "ctviewer 0.1.0", "2026-11-22T03:00:00+00:00", 1.25),
    )


@pytest.fixture
def later(result: AnalysisResult) -> AnalysisResult:
    """The same series analysed once more."""
    return replace(result, provenance=replace(result.provenance, finished="2026-11-22T04:00:00+00:00"))


@pytest.fixture
def reading(digests: Callable[..., tuple[str, ...]]) -> Reading:
    return Reading("1.2.3#1", "1.2.3", digests(5), study_uid="1.2")


@pytest.fixture
def told() -> list[str]:
    """What the stores of this test told the reader."""
    return []


@pytest.fixture
def store(tmp_path: Path, told: list[str]) -> Iterator[WorkStore]:
    with WorkStore(tmp_path, told.append) as opened:
        yield opened
