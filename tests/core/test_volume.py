"""Volumes: values under the cursor, padding, identity of slices, how a slice is cited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Patient, Series, SliceRef, Study
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import PRESETS, Window

REFS = tuple(SliceRef(Path(f"{n}.dcm"), instance_number=10 + n) for n in range(3))
SERIES = Series("k", "1.2", "CT", Patient(), Study(), REFS, 2, 4, number=3)
ORIGINS = np.array([[0.0, 0, 0], [0, 0, 2], [0, 0, 4]])


def volume(stored=None, **changes) -> Volume:
    """Three slices of 2 x 4 with a rescale of their own each."""
    stored = np.arange(24, dtype=np.int16).reshape(3, 2, 4) if stored is None else stored
    values = {
        "series": SERIES,
        "geometry": Geometry(stored.shape, ORIGINS),
        "stored": stored,
        "slope": np.array([1.0, 2.0, 1.0002]),
        "intercept": np.array([-1024.0, 0.0, -1000.5]),
    }
    return Volume(**(values | changes))


def test_values_through_each_slices_own_rescale():
    v = volume()
    assert v.value_at(0, 0, 0) == -1024
    assert v.value_at(1, 1, 3) == 30
    assert v.value_at(2, 1, 3) == pytest.approx(23 * 1.0002 - 1000.5)
    np.testing.assert_allclose(v.hu(2), v.stored[2] * 1.0002 - 1000.5, atol=1e-3)
    assert v.hu(2).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
def test_the_whole_range_of_stored_values(dtype):
    info = np.iinfo(dtype)
    stored = np.array([info.min, info.max, 0, 1], dtype).repeat(6).reshape(3, 2, 4)
    v = volume(stored, slope=np.ones(3), intercept=np.full(3, -1024.0))
    assert v.signed is (dtype is np.int16)
    assert v.hu(0).min() == info.min - 1024
    assert v.value_at(0, 0, 0) == info.min - 1024


@pytest.mark.parametrize("place", [(-1, 0, 0), (3, 0, 0), (0, -1, 0), (0, 2, 0), (0, 0, -1), (0, 0, 4)])
def test_no_value_outside(place):
    assert volume().value_at(*place) is None


def test_no_value_in_padding_nor_where_a_slice_is_missing():
    v = volume(padding=(5, 7), loaded=np.array([True, False, True]), failed=np.array([False, False, True]))
    assert v.value_at(0, 1, 0) == 4 - 1024
    assert v.value_at(0, 1, 1) is None
    assert v.value_at(0, 1, 3) is None
    assert v.value_at(1, 0, 0) is None
    assert v.value_at(2, 0, 0) is None
    assert v.valid(0).tolist() == [[True] * 4, [True, False, False, False]]
    assert not v.valid(2).any(), "nothing of it may be measured"


def test_without_padding_all_is_valid():
    assert volume().valid(0).all()


def test_loading_fills_in():
    loaded = np.zeros(3, bool)
    v = volume(loaded=loaded)
    assert v.value_at(0, 0, 0) is None
    loaded[0] = True
    assert v.value_at(0, 0, 0) == -1024


def test_defaults_say_loaded_and_not_failed():
    assert volume().loaded.tolist() == [True] * 3
    assert volume().failed.tolist() == [False] * 3


@pytest.mark.parametrize(
    "changes",
    [
        {"stored": np.zeros((3, 2, 4), np.int32)},
        {"stored": np.zeros((3, 2, 4), np.float32)},
        {"stored": np.zeros((2, 4), np.int16)},
        {"geometry": Geometry((3, 2, 5), ORIGINS)},
        {"slope": np.ones(2)},
        {"intercept": np.ones((3, 1))},
    ],
)
def test_volumes_that_contradict_themselves_are_not_built(changes):
    with pytest.raises(ValueError, match=r"must be|differ|need"):
        volume(**changes)


def test_digest_depends_on_pixels_and_position_alone():
    v = volume()
    assert len({v.slice_digest(i) for i in range(3)}) == 3
    same = volume(v.stored.copy(), slope=np.ones(3), series=replace(SERIES, uid="9.9"))
    assert same.slice_digest(1) == v.slice_digest(1)
    changed = v.stored.copy()
    changed[1, 0, 0] += 1
    assert volume(changed).slice_digest(1) != v.slice_digest(1)
    assert volume(changed).slice_digest(0) == v.slice_digest(0)
    moved = Geometry((3, 2, 4), ORIGINS + np.array([0, 0, 0.5]))
    assert volume(geometry=moved).slice_digest(1) != v.slice_digest(1)


def test_digest_survives_rounding_and_a_strided_array():
    v = volume()
    rounded = Geometry((3, 2, 4), ORIGINS + 1e-7)
    assert volume(geometry=rounded).slice_digest(1) == v.slice_digest(1)
    assert volume(geometry=Geometry((3, 2, 4), -ORIGINS * 0)).slice_digest(0) == v.slice_digest(0), "minus zero is zero"
    strided = np.zeros((3, 2, 8), np.int16)[:, :, ::2]
    strided[:] = v.stored
    assert volume(strided).slice_digest(2) == v.slice_digest(2)


def test_digest_without_positions():
    bare = volume(geometry=Geometry((3, 2, 4), None))
    assert bare.slice_digest(0) != volume().slice_digest(0)
    assert len(bare.slice_digest(0)) == 64


def test_citation_by_the_files_own_numbers():
    assert volume().citation(1) == "Se 3 / Im 11"
    assert volume(series=replace(SERIES, number=None)).citation(1) == "Im 11"
    nameless = tuple(replace(ref, instance_number=None) for ref in REFS)
    assert volume(series=replace(SERIES, slices=nameless)).citation(1) == "Se 3 / slice 2"
    head_first = replace(SERIES, slices=nameless, shown_from_last=True)
    assert volume(series=head_first).citation(0) == f"Se 3 / slice {len(nameless)}"  # as the window counts


def test_the_first_window():
    own = Window(1, 2, name="file")
    assert volume(windows=(own, PRESETS[1])).initial_window == own
    assert volume().initial_window == PRESETS[0]
    other = volume(unit="US", slope=np.ones(3), intercept=np.zeros(3)).initial_window
    assert (other.centre, other.width) == (11.5, 7.0)
    padded = volume(unit="US", slope=np.ones(3), intercept=np.zeros(3), padding=(12, 15)).initial_window
    assert (padded.centre, padded.width) == (9.5, 3.0)
    nothing_else = volume(unit="US", slope=np.ones(3), intercept=np.zeros(3), padding=(8, 15)).initial_window
    assert (nothing_else.centre, nothing_else.width) == (11.5, 7.0)
    flat = volume(np.full((3, 2, 4), 5, np.int16), unit="US", slope=np.ones(3), intercept=np.zeros(3)).initial_window
    assert flat.width == 1.0


def test_the_middle():
    assert volume().middle == 1
    assert volume().slice_count == 3
