from __future__ import annotations

import gc
import weakref

import pytest

from ctviewer.core.garbage import young_only


def full_collections() -> int:
    return gc.get_stats()[2]["collections"]


def make_many() -> list[list[int]]:
    return [[] for _ in range(300_000)]


def test_no_full_collection_while_many_objects_are_made():
    with young_only():
        before = full_collections()
        kept = make_many()
        assert full_collections() == before and len(kept) == 300_000


def test_cycles_are_still_found_while_young():
    class Node:
        pass

    with young_only():
        node = Node()
        node.itself = node
        gone = weakref.ref(node)
        del node
        make_many()
        assert gone() is None


def test_the_thresholds_come_back_with_the_last_one_out():
    before = gc.get_threshold()
    with young_only():
        with young_only():
            pass
        assert gc.get_threshold()[:2] == before[:2] and gc.get_threshold() != before
    assert gc.get_threshold() == before
    with pytest.raises(RuntimeError), young_only():
        raise RuntimeError
    assert gc.get_threshold() == before
