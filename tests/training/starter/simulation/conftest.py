"""Clean chests of a size that suits, and chests with haze and consolidation to take lesions from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ctviewer.training.starter.chests import INFECTION, SCANNED, Chest
from ctviewer.training.starter.simulate import Material, material


@pytest.fixture(scope="session")
def clean_of(chest_of):
    """`clean_of(seed, slices=20, **)`: lungs, and nothing in them."""

    def clean(seed: int, slices: int = 20, **options: object) -> Chest:
        return chest_of(seed, slices, infected=False, **options)

    return clean


@pytest.fixture(scope="session")
def donor_of(chest_of):
    """`donor_of(seed, **)`: consolidation on every second slice that shows a lesion, ground glass on the others."""

    def donor(seed: int, **options: object) -> Chest:
        chest = chest_of(seed, 12, **options)
        rng, hu = np.random.default_rng(seed), chest.hu.copy()
        for i in range(len(hu)):
            ill = chest.labels[i] == INFECTION
            hu[i, ill] = (20 if i % 2 else -560) + rng.normal(0, 60, int(ill.sum()))
        return replace(chest, name=f"donor {seed}", hu=hu)

    return donor


@pytest.fixture(scope="session")
def source(clean_of, donor_of) -> Material:
    """Two recovered patients, each painted out and as donor, and a scanned chest."""
    clean = [clean_of(1, patient="a"), clean_of(2, patient="b"), clean_of(3, patient="s", kind=SCANNED)]
    donors = [donor_of(11, patient="a"), donor_of(12, patient="b")]
    return material(clean, donors, {chest.name: 8.0 for chest in clean} | {donor.name: 4.0 for donor in donors})
