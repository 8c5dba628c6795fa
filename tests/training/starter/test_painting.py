"""Painting infection out: nothing is left of it, nothing else is changed, and what is painted looks like lung."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from ctviewer.training.starter.chests import INFECTION, LUNG
from ctviewer.training.starter.painting import decoyed, paint, painted_out

SEAM = 8  # pixels around what is painted that blending reaches


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_nothing_of_the_infection_is_left(chest_of, rng) -> None:
    chest = chest_of()
    clean = painted_out(chest, rng)
    infected = chest.labels == INFECTION
    assert infected.sum() > 200 and set(np.unique(clean.labels)) == {0, LUNG}
    np.testing.assert_array_equal(clean.labels > 0, chest.labels > 0)
    assert abs(float(np.median(clean.hu[infected])) - float(np.median(clean.hu[chest.labels == LUNG]))) < 15
    inner = ndimage.binary_erosion(infected, np.ones((1, 3, 3)), iterations=2)
    assert float(np.percentile(clean.hu[inner], 90)) < -700, "not even in the middle of the lesion"


def test_it_is_noisy_as_lung_is(chest_of, rng) -> None:
    chest = chest_of()
    clean = painted_out(chest, rng)
    inner = ndimage.binary_erosion(chest.labels == INFECTION, np.ones((1, 3, 3)), iterations=2)
    spread = float(np.subtract(*np.percentile(clean.hu[inner], [75, 25])))
    usual = float(np.subtract(*np.percentile(chest.hu[chest.labels == LUNG], [75, 25])))
    assert 0.6 < spread / usual < 1.5, "a smooth patch would be told by its smoothness"


def test_all_else_stays(chest_of, rng) -> None:
    chest = chest_of()
    before = chest.hu.copy(), chest.labels.copy()
    clean = painted_out(chest, rng)
    reached = np.stack(
        [ndimage.binary_dilation(m, iterations=SEAM) if m.any() else m for m in chest.labels == INFECTION]
    )
    kept = ~reached | (chest.labels == 0)
    np.testing.assert_array_equal(clean.hu[kept], chest.hu[kept])
    np.testing.assert_array_equal(clean.hu[~chest.infected], chest.hu[~chest.infected])
    np.testing.assert_array_equal(chest.hu, before[0], err_msg="the chest itself is not painted")
    np.testing.assert_array_equal(chest.labels, before[1])
    assert (clean.patient, clean.kind) == (chest.patient, chest.kind) and clean.name != chest.name
    assert clean.hu.dtype == np.int16 and clean.labels.dtype == np.uint8


def test_each_slice_is_painted_with_its_own_lung(chest_of, rng) -> None:
    chest, dense = chest_of(), chest_of(level=-700.0)
    mixed = replace(chest, hu=np.concatenate([chest.hu[1:2], dense.hu[1:2]]), labels=chest.labels[[1, 1]])
    clean = painted_out(mixed, rng)
    levels = [float(np.median(clean.hu[i][chest.labels[1] == INFECTION])) for i in (0, 1)]
    assert abs(levels[0] + 850) < 20 and abs(levels[1] + 700) < 20


def test_it_has_the_level_of_its_neighbourhood(chest_of, rng) -> None:
    chest = chest_of()
    slope = np.linspace(-60, 60, chest.hu.shape[1])[None, :, None]  # denser towards the back, as lungs lie
    chest = replace(chest, hu=(chest.hu + slope).astype(np.int16))
    clean = painted_out(chest, rng)
    inner = ndimage.binary_erosion(chest.labels == INFECTION, np.ones((1, 3, 3)))
    expected = (-850 + np.broadcast_to(slope, chest.hu.shape))[inner]
    assert abs(float(np.mean(clean.hu[inner] - expected))) < 20


def test_a_lung_without_healthy_parts_becomes_plausible(rng) -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[16:48, 8:56] = INFECTION
    hu = np.where(labels > 0, -100, 40).astype(np.int16)
    painted = paint(hu, labels, labels == INFECTION, rng)
    inner = painted[20:44, 12:52]
    assert -900 < inner.mean() < -780 and 5 < inner.std() < 80
    np.testing.assert_array_equal(painted[labels == 0], 40)


def test_nothing_to_paint(chest_of, rng) -> None:
    chest = chest_of(infected=False)
    np.testing.assert_array_equal(painted_out(chest, rng).hu, chest.hu)
    no_lungs = replace(chest, labels=np.zeros_like(chest.labels))
    for made in (painted_out(no_lungs, rng), decoyed(no_lungs, rng)):
        np.testing.assert_array_equal(made.hu, chest.hu)


def test_decoys_leave_infection_and_labels_as_they_are(chest_of, rng) -> None:
    chest = chest_of(slices=6)
    made = decoyed(chest, rng)
    np.testing.assert_array_equal(made.labels, chest.labels)
    assert made.patient == chest.patient
    kept = chest.labels != LUNG
    assert int(np.abs(made.hu[kept].astype(int) - chest.hu[kept]).max()) <= 2, "seams of decoys keep off lesions"
    changed = (made.hu != chest.hu).any(axis=(1, 2))
    assert changed.sum() >= 3
    lung = chest.labels == LUNG
    assert abs(float(np.median(made.hu[lung])) - float(np.median(chest.hu[lung]))) < 5, "healthy lung for healthy lung"


@pytest.mark.parametrize("make", [painted_out, decoyed])
def test_one_seed_one_picture(chest_of, make) -> None:
    one, same, other = (make(chest_of(slices=6), np.random.default_rng(seed)).hu for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
