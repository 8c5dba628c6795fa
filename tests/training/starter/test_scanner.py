"""Other scanners and positions: labels go where pixels go, healthy lung stays lung, one seed gives one slice."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from ctviewer.training.starter.chests import INFECTION, LUNG
from ctviewer.training.starter.scanner import AIR_HU, Draw, Scanner, draw, scanned, thick

SIDE = 96
AS_IT_IS = Draw(np.eye(2, 3, dtype=np.float32), 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0)


@pytest.fixture
def slice_of(chest_of):
    chest = chest_of()
    return chest.hu[1], chest.labels[1]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_no_variation_changes_nothing(slice_of, rng) -> None:
    hu, labels = slice_of
    values, moved = scanned(hu, labels, AS_IT_IS, rng)
    np.testing.assert_allclose(values, hu, atol=0.05)
    np.testing.assert_array_equal(moved, labels)
    assert values.dtype == np.float32 and moved.dtype == np.uint8


@pytest.mark.parametrize(("mirrored", "axis"), [((1.0, 0.0), 1), ((0.0, 1.0), 0)])
def test_mirrored_left_for_right_and_front_for_back(slice_of, rng, mirrored, axis) -> None:
    hu, labels = slice_of
    still = Scanner(0.0, (1.0, 1.0), 0.0, mirrored)
    values, moved = scanned(hu, labels, replace(AS_IT_IS, theta=draw(still, rng, SIDE).theta), rng)
    np.testing.assert_allclose(values, np.flip(hu, axis), atol=0.05)
    np.testing.assert_array_equal(moved, np.flip(labels, axis))


@pytest.mark.parametrize("seed", range(8))
def test_labels_go_where_pixels_go(slice_of, seed) -> None:
    _, labels = slice_of
    coded = (labels.astype(np.int16) * 400 - 1000).astype(np.int16)  # each label has an HU of its own
    rng = np.random.default_rng(seed)
    values, moved = scanned(coded, labels, replace(AS_IT_IS, theta=draw(Scanner(), rng, SIDE).theta), rng)
    told = np.rint((values + 1000) / 400)
    for label in (LUNG, INFECTION):
        inner = ndimage.binary_erosion(moved == label, np.ones((3, 3)), iterations=2)
        assert (told[inner] == label).all()
    assert (told == moved).mean() > 0.96 and (moved == LUNG).sum() > 500


def test_a_larger_field_of_view_shows_all_smaller(slice_of, rng) -> None:
    hu, labels = slice_of
    theta = np.array([[1.25, 0, 0], [0, 1.25, 0]], np.float32)
    values, moved = scanned(hu, labels, replace(AS_IT_IS, theta=theta, offset=7.0), rng)
    assert (moved > 0).sum() * 1.25**2 == pytest.approx((labels > 0).sum(), rel=0.03)
    assert (values[0] == AIR_HU).all() and (moved[0] == 0).all(), "around the old field is air"


def test_breath_and_shade_are_of_the_lung_alone(slice_of, rng) -> None:
    _, labels = slice_of
    quiet = np.where(labels == LUNG, -850, np.where(labels == INFECTION, -250, 40)).astype(np.int16)
    values, _ = scanned(quiet, labels, replace(AS_IT_IS, inspiration=50.0, dependent=100.0), rng)
    added = values - quiet
    assert np.abs(added[labels == INFECTION]).max() < 0.1
    assert np.abs(added[labels == 0]).max() < 0.1
    inner = ndimage.binary_erosion(labels >= LUNG, iterations=4) & (labels == LUNG)
    rows = np.flatnonzero((labels >= LUNG).any(axis=1))
    by_row = [float(added[row][inner[row]].mean()) for row in rows if inner[row].any()]
    assert by_row[0] == pytest.approx(50, abs=1) and max(by_row) == by_row[-1] > 100
    assert all(b >= a - 1 for a, b in pairwise(by_row)), "more towards the back"


def test_healthy_lung_never_becomes_as_dense_as_ground_glass() -> None:
    labels = np.full((64, 64), LUNG, np.uint8)
    hu = np.full((64, 64), -850, np.int16)
    rng = np.random.default_rng(0)
    scanner = Scanner(noise=(1e-3, 2e-3), zoom=(0.75, 1.0), shift=0.0, degrees=0.0)
    for _ in range(60):
        values, _ = scanned(hu, labels, draw(scanner, rng, 64), rng)
        assert float(np.median(values)) < -700


@pytest.mark.parametrize("grain", [0.0, 0.8])
def test_noise_is_as_strong_as_drawn(rng, grain) -> None:
    flat, empty = np.full((128, 128), 40, np.int16), np.zeros((128, 128), np.uint8)
    values, _ = scanned(flat, empty, replace(AS_IT_IS, noise=25.0, grain=grain), rng)
    assert values.std() == pytest.approx(25, rel=0.05) and values.mean() == pytest.approx(40, abs=2)
    neighbours = np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]
    assert (neighbours > 0.4) == (grain > 0)


def test_kernels_soften_and_sharpen_edges(slice_of, rng) -> None:
    _, labels = slice_of
    clean = np.where(labels > 0, -850, 40).astype(np.int16)

    def steepest(drawn: Draw) -> float:
        return float(np.abs(np.diff(scanned(clean, labels, drawn, rng)[0], axis=1)).max())

    usual = steepest(AS_IT_IS)
    assert steepest(replace(AS_IT_IS, blur=1.0)) < 0.6 * usual
    assert steepest(replace(AS_IT_IS, sharp=0.9)) > 1.3 * usual
    assert steepest(replace(AS_IT_IS, side=48)) < 0.8 * usual


def test_draws_stay_in_their_ranges() -> None:
    scanner, rng = Scanner(), np.random.default_rng(1)
    drawn = [draw(scanner, rng, 256) for _ in range(400)]
    size = [float(np.sqrt(abs(np.linalg.det(d.theta[:, :2])))) for d in drawn]
    assert scanner.zoom[0] - 1e-6 <= min(size) < 0.8 and 1.25 < max(size) <= scanner.zoom[1] + 1e-6
    assert {bool(np.linalg.det(d.theta[:, :2]) < 0) for d in drawn} == {True, False}
    assert max(np.abs(d.theta[:, 2]).max() for d in drawn) <= 2 * scanner.shift
    assert all(scanner.noise[0] <= d.noise <= scanner.noise[1] for d in drawn)
    assert all(0 <= d.dependent <= scanner.dependent[0] for d in drawn)
    assert 0.3 < np.mean([d.dependent > 0 for d in drawn]) < 0.5
    assert all(d.side == 0 or 128 <= d.side <= 230 for d in drawn) and 0.1 < np.mean([d.side > 0 for d in drawn]) < 0.2
    assert not any(d.blur and d.sharp for d in drawn), "no kernel does both"


def test_one_seed_one_slice(slice_of) -> None:
    hu, labels = slice_of
    before = hu.copy(), labels.copy()

    def made(seed: int):
        rng = np.random.default_rng(seed)
        return scanned(hu, labels, draw(Scanner(), rng, SIDE), rng)

    (one, map_one), (same, map_same), (other, _) = made(1), made(1), made(2)
    np.testing.assert_array_equal(one, same)
    np.testing.assert_array_equal(map_one, map_same)
    assert (one != other).any() and np.isfinite(one).all()
    np.testing.assert_array_equal(hu, before[0])
    np.testing.assert_array_equal(labels, before[1])


@pytest.mark.parametrize(("index", "slices", "part"), [(3, 3, (2, 5)), (0, 4, (0, 4)), (6, 4, (3, 7)), (3, 2, (2, 4))])
def test_thick_slices_are_means_of_neighbours(rng, index, slices, part) -> None:
    hu = rng.integers(-1000, 400, (7, 8, 8)).astype(np.int16)
    labels = rng.integers(0, 3, (7, 8, 8)).astype(np.uint8)
    mean, voted = thick(hu, labels, index, slices)
    chosen = range(*part)
    for row in range(8):
        for column in range(8):
            assert abs(mean[row, column] - sum(int(hu[i, row, column]) for i in chosen) / slices) <= 0.5
            votes = [sum(labels[i, row, column] == value for i in chosen) for value in range(3)]
            assert voted[row, column] == votes.index(max(votes)), "doubt goes to the lower label"
    assert mean.dtype == np.int16 and voted.dtype == np.uint8


def test_a_short_chest_is_averaged_as_far_as_it_goes(rng) -> None:
    hu = rng.integers(-1000, 400, (2, 4, 4)).astype(np.int16)
    mean, _ = thick(hu, np.zeros((2, 4, 4), np.uint8), 1, 4)
    np.testing.assert_allclose(mean, hu.mean(axis=0), atol=0.5)
