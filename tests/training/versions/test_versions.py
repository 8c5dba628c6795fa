"""A finished run becomes a child: its number, its card, and what two processes at once get."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ctviewer.models.bundle import Bundle, load_bundle
from ctviewer.training.versions import RunResult, make_child

Make = Callable[..., RunResult]


def test_a_child_takes_the_next_minor_version_of_its_base(base: Bundle, bundles: Path, make_result: Make) -> None:
    first = make_child(make_result(), base, bundles)
    second = make_child(make_result(), base, bundles)
    assert [first.key, second.key] == ["starter 0.2.0", "starter 0.3.0"]
    assert first.metadata.parent == "starter 0.1.0"
    assert load_bundle(first.folder) == first


def test_a_new_name_begins_at_one(base: Bundle, bundles: Path, make_result: Make) -> None:
    assert make_child(make_result("lung"), base, bundles).key == "lung 1.0.0"
    assert make_child(make_result("lung"), base, bundles).key == "lung 1.1.0"
    assert make_child(make_result(), None, bundles).key == "study-classifier 1.0.0"
