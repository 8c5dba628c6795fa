"""Toy studies: a bright disc in a grey square stands for a lesion, 64 px, a few slices. And predictions made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Patient, Series, SliceRef, Study
from ctviewer.core.volume import Volume
from ctviewer.training.predictions import Prediction, Predictions
from ctviewer.training.starter.phantoms.prepared import GROUND_GLASS, LUNG

SIZE = 64


class ToySource:
    """Meets `StudySource`. Odd studies are sick: a disc of 0 HU on the middle third of their slices, in air of -850."""

    def __init__(self, prefix: str, count: int, slices: int = 9, labelled: bool = True) -> None:
        self._ids = tuple(f"{prefix}{i}" for i in range(count))
        self._slices, self._labelled = slices, labelled

    def ids(self) -> tuple[str, ...]:
        return self._ids

    def patient(self, study: str) -> str:
        return f"patient of {study}"

    def label(self, study: str) -> str:
        return "sick" if int(study[-1]) % 2 else "well"

    def load(self, study: str) -> tuple[Volume, NDArray[np.uint8] | None]:
        rng = np.random.default_rng([ord(c) for c in study])
        n = self._slices
        hu = np.full((n, SIZE, SIZE), 40.0) + rng.normal(0, 20, (n, SIZE, SIZE))
        labels = np.zeros((n, SIZE, SIZE), np.uint8)
        labels[:, 12:52, 12:52] = LUNG
        if self.label(study) == "sick":
            row, column = rng.integers(22, 42, 2)
            y, x = np.ogrid[:SIZE, :SIZE]
            labels[n // 3 : 2 * n // 3, (y - row) ** 2 + (x - column) ** 2 < 81] = GROUND_GLASS
        hu[labels == LUNG] -= 890
        hu[labels == GROUND_GLASS] -= 40
        geometry = Geometry(hu.shape, np.arange(n)[:, None] * np.array([[0.0, 0.0, 8.0]]), pixel_spacing=(5.0, 5.0))
        series = Series(
            study, study, "CT", Patient(), Study(), tuple(SliceRef(Path(f"{i}")) for i in range(n)), SIZE, SIZE
        )
        volume = Volume(series, geometry, hu.astype(np.int16), np.ones(n), np.zeros(n))
        return volume, labels if self._labelled else None


@pytest.fixture
def toy() -> type[ToySource]:
    """`toy(prefix, count, slices=9, labelled=True)`."""
    return ToySource


CLASSES = ("clear", "infection", "other")


def made_up(
    studies=60,
    classes=CLASSES,
    negative="clear",
    exclusive=True,
    seed=0,
    skill=1.2,
    threshold=0.5,
    rounded=None,
    share=4,
):
    """Every `share`-th study is of the same patient as the one before."""
    rng = np.random.default_rng(seed)
    cases = []
    patient = 0
    for i in range(studies):
        patient += i % share != 0 or i == 0
        logits = rng.normal(0, 1, len(classes))
        true = [int(rng.integers(len(classes)))]
        if not exclusive:
            true = [k for k in range(len(classes)) if rng.random() < 0.4] or true
        logits[true] += skill
        if rounded is not None:
            logits = np.round(logits, rounded)
        attention = rng.dirichlet(np.ones(20))
        cases.append(
            Prediction(
                f"s{i}", f"p{patient}", tuple(classes[k] for k in true), tuple(map(float, logits)), "test", 20,
                tuple(map(float, attention)), f"{i:064x}",
            )
        )  # fmt: skip
    return Predictions("tiny 1.0.0", tuple(classes), negative, exclusive, threshold, tuple(cases))


@pytest.fixture(scope="session")
def predictions_of():
    """`predictions_of(studies=60, classes=..., negative="clear", exclusive=True, seed=0, skill=1.2, ...)`."""
    return made_up
