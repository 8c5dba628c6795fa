"""Small chests in HU: two lungs in a body in air, noisy, with vessels; the middle slices may show infection."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ctviewer.training.starter.chests import INFECTION, LUNG, RECOVERED, Chest

SIDE = 96
LUNG_HU, WALL_HU, LESION_HU = -850.0, 40.0, -250.0


def lungs(side: int = SIDE) -> NDArray[np.bool_]:
    """`[side, side]`."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    return np.logical_or.reduce([((x - at) / 0.15) ** 2 + (y / 0.26) ** 2 < 1 for at in (-0.19, 0.19)])


def made_chest(
    seed: int = 0,
    slices: int = 4,
    infected: bool = True,
    patient: str = "",
    kind: str = RECOVERED,
    level: float = LUNG_HU,
) -> Chest:
    """Slices differ in noise, vessels and the place of the lesion; the first and the last show none."""
    rng, lung = np.random.default_rng(seed), lungs()
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    hu = np.full((slices, SIDE, SIDE), -1000.0)
    hu[:, (x / 0.45) ** 2 + (y / 0.36) ** 2 < 1] = WALL_HU
    hu[:, lung] = level
    labels = np.zeros((slices, SIDE, SIDE), np.uint8)
    labels[:, lung] = LUNG
    for i in range(slices):
        for row, column in rng.integers(20, SIDE - 20, (25, 2)):
            hu[i, row, column] = 0.0 if lung[row, column] else hu[i, row, column]
        if infected and 0 < i < slices - 1:
            row, column = rng.integers(40, 56), rng.choice([26, 68])
            lesion = ((y * SIDE + 48 - row) ** 2 + (x * SIDE + 48 - column) ** 2 < 49) & lung
            hu[i, lesion], labels[i, lesion] = LESION_HU, INFECTION
    hu += rng.normal(0, 20, hu.shape)
    name = f"{kind} {seed}"
    return Chest(name, patient or f"patient {seed}", kind, hu.round().astype(np.int16), labels)


@pytest.fixture(scope="session")
def chest_of():
    """`chest_of(seed=0, slices=4, infected=True, patient="", kind=RECOVERED, level=-850)`."""
    return made_chest
