"""What is taken from real lesions."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.training.starter.chests import INFECTION
from ctviewer.training.starter.simulation.host import LEFT, RIGHT
from ctviewer.training.starter.simulation.library import Texture, library_of


def test_outlines_are_those_drawn(donor_of) -> None:
    donor = donor_of(11)
    found = library_of([donor], {donor.name: 4.0}).outlines
    ill = donor.labels == INFECTION
    assert found and sum(int(one.mask.sum()) for one in found) == ill.sum()
    middle = donor.labels.shape[2] / 2
    lefts = sum(int(one.mask.sum()) for one in found if one.side == LEFT)
    assert lefts == ill[:, :, int(middle) :].sum()
    assert {one.side for one in found} <= {RIGHT, LEFT} and {one.patient for one in found} == {donor.patient}


def test_textures_have_the_level_and_the_spread_of_the_lesion(donor_of) -> None:
    donor = donor_of(11)
    library = library_of([donor], {donor.name: 4.0})
    assert library.haze and library.dense
    assert np.mean([t.level for t in library.haze]) == pytest.approx(-560, abs=15)
    assert np.mean([t.level for t in library.dense]) == pytest.approx(20, abs=15)
    for one in library.haze:
        filled = one.fill((3, 40, 40), 5.0, np.random.default_rng(0))
        assert filled.std() == pytest.approx(float(np.std(one.values)), rel=0.1)
        assert abs(float(filled.mean())) < 0.5 * filled.std()


def test_grain_keeps_its_covariance() -> None:
    rng = np.random.default_rng(0)
    coarse = np.repeat(np.repeat(rng.normal(0, 50, (8, 8)), 4, axis=0), 4, axis=1)
    spot = ((coarse - coarse.mean()) / 32).astype(np.float32)
    texture = Texture("a", spot, np.quantile(coarse, np.linspace(0.005, 0.995, 100)).astype(np.float32), -500.0, False)
    filled = texture.fill((1, 200, 200), 5.0, rng)[0]

    def alike(image: np.ndarray, lag: int) -> float:
        return float(np.corrcoef(image[:, lag:].ravel(), image[:, :-lag].ravel())[0, 1])

    for lag in (1, 2, 6):  # of blocks of four pixels: 0.75, 0.5, about 0
        assert alike(filled, lag) == pytest.approx(max(0.0, 1 - lag / 4), abs=0.2)


def test_grain_is_alike_on_neighbouring_slices_by_their_distance(donor_of) -> None:
    donor = donor_of(11)
    one = library_of([donor], {donor.name: 4.0}).haze[0]

    def alike(spacing: float) -> float:
        filled = one.fill((2, 60, 60), spacing, np.random.default_rng(1))
        return float(np.corrcoef(filled[0].ravel(), filled[1].ravel())[0, 1])

    assert alike(0.3) > 0.8 > 0.6 > alike(3.0) > alike(30.0) - 0.05
    assert abs(alike(30.0)) < 0.15


def test_no_more_than_some_of_a_patient(donor_of) -> None:
    donors = [donor_of(seed, patient=f"p{seed}") for seed in (11, 12)]
    library = library_of(donors, {d.name: 4.0 for d in donors})
    for pool in (library.outlines, library.haze, library.dense):
        assert {one.patient for one in pool} == {"p11", "p12"}
        assert max(sum(one.patient == d.patient for one in pool) for d in donors) <= 60
