"""Slices with rectangles as lesions and as marks, made up at random, and what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ctviewer.core.masks import BoxMask
from ctviewer.training.slice_cases import Mark, MarkedSlice, lesions_of
from ctviewer.training.slice_predictions import SlicePrediction, SlicePredictions

SIZE = 64
CLASSES = ("background", "lung", "ggo", "consolidation")
LESIONS = ("ggo", "consolidation")


@dataclass(frozen=True, eq=False)
class Drawn:
    """A slice as it was drawn, for plain loops over pixels."""

    scan: str
    patient: str
    truths: list[tuple[int, np.ndarray]]
    marks: list[tuple[int, float, np.ndarray]]
    complete: bool
    unmarked: tuple[int, ...] = ()


def rectangle(row: int, column: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[row : row + height, column : column + width] = True
    return mask


def packed(mask: np.ndarray) -> BoxMask:
    found = BoxMask.from_array(mask)
    assert found is not None
    return found


def _slice(rng: np.random.Generator, scan: str, patient: str, complete: bool) -> Drawn:
    """Up to four rectangles that do not touch, one in each quarter, and marks near them or anywhere."""
    truths, marks = [], []
    for top, left in ((2, 2), (2, 34), (34, 2), (34, 34)):
        label, side = int(rng.integers(2, 4)), int(rng.integers(8, 20))
        if rng.random() < 0.6:
            truths.append((label, rectangle(top, left, side, side)))
        for _ in range(int(rng.integers(0, 3))):
            row, column = np.clip(np.add((top, left), rng.integers(-3, 4, 2)), 0, SIZE - 6)
            of = label if rng.random() < 0.8 else 5 - label
            mask = rectangle(int(row), int(column), side + int(rng.integers(-4, 4)), side)
            marks.append((of, float(round(rng.random(), 3)), mask))
    return Drawn(scan, patient, truths, marks, complete)


def predictions_of(slices: list[Drawn], neighbours: bool = False, threshold: float = 0.5) -> SlicePredictions:
    """What is kept of drawn slices."""
    cases = []
    for scan in dict.fromkeys(one.scan for one in slices):
        those = [one for one in slices if one.scan == scan]
        marked = []
        for place, one in enumerate(those):
            labels = np.zeros((SIZE, SIZE), np.uint8)
            for label, mask in one.truths:
                labels[mask] = label
            marks = tuple(Mark(label, score, packed(mask)) for label, score, mask in one.marks)
            marked.append(MarkedSlice(labels, one.complete, marks, place, one.unmarked))
        kept = lesions_of(marked, CLASSES, LESIONS, neighbours=neighbours)
        for number, (one, found) in enumerate(zip(those, kept, strict=True)):
            cases.append(SlicePrediction(scan, str(number), one.patient, "test", lesions=found))
    return SlicePredictions("made up 1.0.0", CLASSES, LESIONS, (), "", threshold, tuple(cases))


@pytest.fixture(scope="session")
def draw():
    """`draw(seed, patients=6, slices=4, complete=1.0)`: slices of patients, some not marked completely."""

    def make(seed: int, patients: int = 6, slices: int = 4, complete: float = 1.0) -> list[Drawn]:
        rng = np.random.default_rng(seed)
        return [
            _slice(rng, f"scan{p}", f"patient{p}", bool(rng.random() < complete))
            for p in range(patients)
            for _ in range(slices)
        ]

    return make


@pytest.fixture(scope="session")
def kept():
    """`kept(drawn, neighbours=False, threshold=.5)`."""
    return predictions_of


@pytest.fixture(scope="session")
def box():
    """`box(row, column, height, width)`: a mask."""
    return rectangle


@pytest.fixture(scope="session")
def drawn_slice():
    """`drawn_slice(truths, marks, scan="s", patient="p", complete=True, unmarked=())`."""

    def make(truths, marks, scan="s", patient="p", complete=True, unmarked=()) -> Drawn:
        return Drawn(scan, patient, truths, marks, complete, unmarked)

    return make
