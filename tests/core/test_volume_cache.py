"""Least recently used goes first, within a budget; what goes is really released."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Notice, Patient, Series, Severity, SliceRef, Study
from ctviewer.core.volume import Volume
from ctviewer.core.volume_cache import Kept, VolumeCache, size_of

SHAPE = (4, 8, 8)
SIZE = 2 * 4 * 8 * 8


def series(key: str) -> Series:
    slices = tuple(SliceRef(Path(f"{i}.dcm")) for i in range(SHAPE[0]))
    return Series(key, key, "CT", Patient(), Study(), slices, SHAPE[1], SHAPE[2])


def kept(one: Series, *notices: Notice) -> Kept:
    ones = np.ones(SHAPE[0])
    return Kept(Volume(one, Geometry(SHAPE, None), np.zeros(SHAPE, np.int16), ones, ones), notices)


@pytest.fixture
def all_series():
    return {key: series(key) for key in "abcd"}


def visit(cache, one):
    """What the window does: open, and where nothing is kept load and keep."""
    found = cache.open(one)
    if found is None:
        found = kept(one)
        cache.put(found)
    return found


def keys(cache):
    return "".join(one.volume.series.key for one in cache.kept)


def test_size_is_known_before_loading(all_series):
    assert size_of(all_series["a"]) == SIZE == kept(all_series["a"]).size


def test_least_recently_used_goes_first(all_series):
    cache = VolumeCache(3 * SIZE)
    for key in "abc":
        visit(cache, all_series[key])
    assert keys(cache) == "cba" and cache.used == 3 * SIZE
    first = visit(cache, all_series["a"])
    assert keys(cache) == "acb" and visit(cache, all_series["a"]) is first, "the same volume, not loaded again"
    visit(cache, all_series["d"])
    assert keys(cache) == "dac", "b was not used for longest"


def test_room_is_made_before_loading(all_series):
    cache = VolumeCache(2 * SIZE)
    gone = weakref.ref(visit(cache, all_series["a"]).volume)
    visit(cache, all_series["b"])
    assert cache.open(all_series["c"]) is None
    gc.collect()
    assert gone() is None and keys(cache) == "b" and cache.used + size_of(all_series["c"]) <= cache.budget


@pytest.mark.parametrize("budget", [0, 1, SIZE - 1, SIZE, 2 * SIZE - 1])
def test_the_open_one_stays_whatever_the_budget(all_series, budget):
    cache = VolumeCache(budget)
    visit(cache, all_series["a"])
    assert keys(cache) == "a"
    shown = visit(cache, all_series["b"]).volume
    assert keys(cache) == "b" and cache.holds(shown)
    assert cache.fits(shown, all_series["c"]) == (budget >= 3 * SIZE)


def test_a_smaller_budget_acts_at_once(all_series):
    cache = VolumeCache(4 * SIZE)
    gone = [weakref.ref(visit(cache, all_series[key]).volume) for key in "abc"]
    cache.set_budget(0)
    gc.collect()
    assert [ref() is None for ref in gone] == [True, True, False] and keys(cache) == "c"


def test_a_machine_short_of_memory_gets_back_what_it_needs(all_series):
    cache = VolumeCache(9 * SIZE)
    for key in "abc":
        visit(cache, all_series[key])
    cache.give_back(SIZE + 1)
    assert keys(cache) == "c" and cache.budget == 9 * SIZE
    cache.give_back(SIZE)
    assert keys(cache) == "c", "the open one stays"


def test_a_series_scanned_anew_is_not_the_kept_one(all_series):
    cache = VolumeCache(9 * SIZE)
    old = weakref.ref(visit(cache, all_series["a"]).volume)
    assert cache.open(series("a")) is None
    gc.collect()
    assert old() is None and cache.used == 0


def test_another_folder_empties_it(all_series):
    cache = VolumeCache(9 * SIZE)
    for key in "ab":
        visit(cache, all_series[key])
    cache.clear()
    assert cache.kept == () and cache.used == 0


def test_notices_come_back_with_the_volume(all_series):
    cache = VolumeCache(9 * SIZE)
    told = Notice("failed-slices", Severity.DANGER, "1 slice could not be decoded.", (2,))
    cache.open(all_series["a"])
    cache.put(kept(all_series["a"], told))
    visit(cache, all_series["b"])
    assert cache.open(all_series["a"]).notices == (told,)
