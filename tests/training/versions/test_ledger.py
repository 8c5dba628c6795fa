"""How often a hold-out was looked at: once a run, across renamed and slightly changed sets, after crashes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ctviewer.core.errors import StorageError
from ctviewer.training.ledger import COMPARISON, EVALUATION, TRAINING, Ledger, holdout_sha256

Digest = Callable[[str], str]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.beside(tmp_path / "bundles")


@pytest.fixture
def set_of(content_of: Digest) -> Callable[[str], list[str]]:
    return lambda names: [content_of(name) for name in names]


def test_looks_are_counted_by_kind(ledger: Ledger, set_of: Callable[[str], list[str]]) -> None:
    assert ledger.looks(set_of("abcd")) == {}
    ledger.look(set_of("abcd"), EVALUATION, model="m 1.0.0")
    ledger.look(set_of("dcba"), EVALUATION, model="m 1.0.0")
    ledger.look(set_of("abcd"), TRAINING, model="m 1.1.0", once="run")
    ledger.look(set_of("abcd"), TRAINING, model="m 1.1.0", once="run")
    ledger.look(set_of("abcd"), COMPARISON, model="m 1.1.0", once="run")
    assert ledger.looks(set_of("abcd")) == {"training": 1, "evaluation": 2, "comparison": 1}
    assert ledger.looks(set_of("abcd"), without="run") == {"evaluation": 2}


def test_a_set_with_half_of_the_studies_in_common_is_the_same_one(
    ledger: Ledger, set_of: Callable[[str], list[str]]
) -> None:
    ledger.look(set_of("abcd"), EVALUATION, model="m 1.0.0")
    assert ledger.looks(set_of("ab")) == ledger.looks(set_of("abcdefgh")) == {"evaluation": 1}
    assert ledger.looks(set_of("abxy")) == {"evaluation": 1}
    assert ledger.looks(set_of("axyz")) == {}


def test_nothing_is_counted_where_contents_are_not_known(
    ledger: Ledger, tmp_path: Path, set_of: Callable[[str], list[str]]
) -> None:
    ledger.look([*set_of("ab"), ""], EVALUATION, model="m 1.0.0")
    ledger.look([], EVALUATION, model="m 1.0.0")
    assert not (tmp_path / "holdouts").exists() and ledger.looks([]) == {}
    assert holdout_sha256([]) == holdout_sha256([""]) == ""


def test_damage_loses_no_look(ledger: Ledger, tmp_path: Path, set_of: Callable[[str], list[str]]) -> None:
    ledger.look(set_of("abcd"), EVALUATION, model="m 1.0.0")
    for path in (tmp_path / "holdouts").rglob("*.json"):
        path.write_bytes(b"\xff[")
    (tmp_path / "holdouts" / ".abc.part").write_bytes(b"")
    (tmp_path / "holdouts" / "notes.txt").write_text("x")
    assert ledger.looks(set_of("abcd")) == {"evaluation": 1}
    assert ledger.looks(set_of("abc")) == {}  # what it shares with others is not known any more


def test_processes_at_once_lose_no_look(ledger: Ledger, tmp_path: Path, set_of: Callable[[str], list[str]]) -> None:
    code = (
        "import sys; from pathlib import Path; from ctviewer.training.ledger import Ledger;"
        "ledger = Ledger(Path(sys.argv[1]));"
        "[ledger.look(sys.argv[2:], 'evaluation', model='m 1.0.0') for _ in range(20)]"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "holdouts"), *set_of("ab")]
    for process in [subprocess.Popen(arguments) for _ in range(2)]:
        assert process.wait(60) == 0
    assert ledger.looks(set_of("ab")) == {"evaluation": 40}


def test_a_place_that_cannot_be_used_is_told(tmp_path: Path, set_of: Callable[[str], list[str]]) -> None:
    (tmp_path / "holdouts").write_text("")
    ledger = Ledger(tmp_path / "holdouts")
    with pytest.raises(StorageError, match="could not be written"):
        ledger.look(set_of("ab"), EVALUATION, model="m 1.0.0")
    with pytest.raises(StorageError, match="could not be read"):
        ledger.looks(set_of("ab"))


def test_what_was_learned_from_is_known_over_generations(
    ledger: Ledger, tmp_path: Path, set_of: Callable[[str], list[str]]
) -> None:
    parent, child = "a" * 64, "b" * 64
    ledger.learned(parent, [*set_of("ab"), ""], "f" * 64)  # the grandparent came from elsewhere
    ledger.learned(child, set_of("cd"), parent)
    assert ledger.seen(child, set_of("bcxy")) == 2 and ledger.seen(parent, set_of("bcxy")) == 1
    assert ledger.seen("", set_of("a")) == ledger.seen("../../x", set_of("a")) == 0
    ledger.learned(parent, set_of("a"), child)  # a circle ends
    assert ledger.seen(child, set_of("ac")) == 2
    (tmp_path / "holdouts" / "learned" / f"{parent}.json").write_text('{"studies": 5, "parent": 3}')
    assert ledger.seen(child, set_of("ac")) == 1
