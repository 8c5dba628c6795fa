"""From Hounsfield units to the net's input."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from ctviewer.core.volume import Volume
from ctviewer.models.metadata import Preprocessing
from ctviewer.models.preprocess import net_input, study_order

P = Preprocessing(-600.0, 1500.0, 32, 32, (0.0,), (1.0,))


@pytest.fixture
def stored() -> np.ndarray:
    rng = np.random.default_rng(0)
    smooth = rng.normal(0, 300, (4, 8, 8)).repeat(8, axis=1).repeat(8, axis=2)
    return (smooth - 500).astype(np.int16)


def test_window_maps_linearly_and_clips(volume_of: Callable[..., Volume]) -> None:
    values = np.array([-3000, -1024, -1350, -600, 150, 151, 3000], np.int16)
    volume = volume_of(np.broadcast_to(values[:, None, None], (7, 32, 32)).copy())
    seen = net_input(volume, range(7), P)[:, 0, 16, 16]
    floor = (-1024 + 1350) / 1500
    np.testing.assert_allclose(seen, [floor, floor, floor, 0.5, 1.0, 1.0, 1.0], atol=1e-6)


ORIENTATIONS = [
    ((1.0, 0, 0), (0, 1.0, 0), lambda a: a),
    ((-1.0, 0, 0), (0, 1.0, 0), lambda a: a[:, :, ::-1]),
    ((1.0, 0, 0), (0, -1.0, 0), lambda a: a[:, ::-1]),
    ((-1.0, 0, 0), (0, -1.0, 0), lambda a: a[:, ::-1, ::-1]),
    ((0, 1.0, 0), (1.0, 0, 0), lambda a: a.swapaxes(1, 2)),
    ((0, -1.0, 0), (1.0, 0, 0), lambda a: a.swapaxes(1, 2)[:, :, ::-1]),
]


@pytest.mark.parametrize(("along_row", "along_column", "store"), ORIENTATIONS)
def test_every_orientation_of_a_patient_gives_the_same_input(
    volume_of: Callable[..., Volume],
    stored: np.ndarray,
    along_row: tuple[float, ...],
    along_column: tuple[float, ...],
    store: Callable[[np.ndarray], np.ndarray],
) -> None:
    upright = volume_of(stored)
    turned = volume_of(np.ascontiguousarray(store(stored)), along_row, along_column)
    flipped = np.cross(along_row, along_column)[2] < 0  # then the stack runs from head to feet
    order = range(3, -1, -1)
    expected = net_input(upright, order, P)
    torch.testing.assert_close(net_input(turned, order, P), expected)
    assert study_order(turned).tolist() == ([0, 1, 2, 3] if flipped else [3, 2, 1, 0])


def test_study_order_leaves_out_what_could_not_be_decoded(volume_of: Callable[..., Volume], stored: np.ndarray) -> None:
    volume = volume_of(stored, failed=np.array([False, True, False, False]))
    assert study_order(volume).tolist() == [3, 2, 0]


def test_padding_becomes_the_floor(volume_of: Callable[..., Volume], stored: np.ndarray) -> None:
    stored[:, :16] = 2000  # a file's padding may have any value
    padded = net_input(volume_of(stored, padding=(2000, 2000)), [0], P)
    plain = stored.copy()
    plain[:, :16] = -1024
    torch.testing.assert_close(padded, net_input(volume_of(plain), [0], P))


def test_a_matrix_that_is_not_square_keeps_its_aspect(volume_of: Callable[..., Volume]) -> None:
    stored = np.full((1, 32, 64), 0, np.int16)
    seen = net_input(volume_of(stored), [0], P)[0, 0]
    floor = (-1024 + 1350) / 1500
    np.testing.assert_allclose(seen[:7], floor, atol=1e-5)
    np.testing.assert_allclose(seen[-7:], floor, atol=1e-5)
    np.testing.assert_allclose(seen[9:23], 0.9, atol=1e-5)


def test_crop_statistics_and_channels(volume_of: Callable[..., Volume], stored: np.ndarray) -> None:
    volume = volume_of(stored)
    whole = net_input(volume, [1, 2], P)
    p = dataclasses.replace(P, crop=28, mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 4.0))
    seen = net_input(volume, [1, 2], p)
    assert seen.shape == (2, 3, 28, 28) and seen.dtype == torch.float32
    for c in range(3):
        torch.testing.assert_close(seen[:, c], (whole[:, 0, 2:30, 2:30] - p.mean[c]) / p.std[c])


def test_no_slices_give_an_empty_batch(volume_of: Callable[..., Volume], stored: np.ndarray) -> None:
    assert net_input(volume_of(stored), [], P).shape == (0, 1, 32, 32)


def test_the_volume_is_not_written(volume_of: Callable[..., Volume], stored: np.ndarray) -> None:
    volume = volume_of(stored.copy())
    net_input(volume, range(4), P)
    np.testing.assert_array_equal(volume.stored, stored)
