from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core.volume import Volume

SIZES = (0.7, 0.8, 2.5)  # mm along i, j, k
TURN = np.array([[0.9752, -0.1392, 0.1719], [0.1582, 0.9823, -0.1], [-0.1549, 0.1247, 0.98]])
ORIENTATIONS = [
    (axes, signs) for axes in itertools.permutations(range(3)) for signs in itertools.product((1, -1), repeat=3)
]


def directions(axes: tuple[int, ...], signs: tuple[int, ...], oblique: bool) -> np.ndarray:
    """`[3, 3]`: column n is the direction of the file's axis n, orthonormal."""
    matrix = np.zeros((3, 3))
    for axis, (place, sign) in enumerate(zip(axes, signs, strict=True)):
        matrix[place, axis] = sign
    if oblique:
        turn, _ = np.linalg.qr(TURN)
        matrix = turn @ matrix
    return matrix


@pytest.fixture
def all_directions() -> list[np.ndarray]:
    """All 48 ways round that a volume can be stored, each upright and oblique."""
    return [directions(axes, signs, oblique) for axes, signs in ORIENTATIONS for oblique in (False, True)]


@pytest.fixture
def assert_same_places() -> Callable[[Volume, Callable[[np.ndarray], float]], None]:
    """Each voxel's value must be what the other program has at the same place in the patient.

    Args of what it gives: the volume, and a function from LPS mm to the value there, by the other program.
    """

    def check(volume: Volume, value_at: Callable[[np.ndarray], float]) -> None:
        geometry = volume.geometry
        assert geometry.locations is not None and (np.diff(geometry.locations) > 0).all()
        slices, rows, columns = volume.stored.shape
        for index in itertools.product(range(slices), range(0, rows, 2), range(0, columns, 2)):
            place = geometry.point(*index)
            assert place is not None
            assert volume.hu(index[0])[index[1], index[2]] == value_at(place)

    return check


@pytest.fixture
def values() -> np.ndarray:
    """`[i, j, k]` of 6 x 7 x 5 distinct whole numbers, negative ones among them."""
    return np.random.default_rng(4).permutation(6 * 7 * 5).reshape(6, 7, 5) - 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "opened"
    place.mkdir()
    return place
