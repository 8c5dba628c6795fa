"""What must never lose work: damage, full and read-only disks, newer schemas, a process killed at any moment."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ctviewer.core.errors import StorageError
from ctviewer.core.findings import AnalysisResult
from ctviewer.core.reading import Reading
from ctviewer.library import WorkStore, schema

Digests = Callable[..., tuple[str, ...]]


def written(folder: Path, reading: Reading) -> Path:
    with WorkStore(folder) as store:
        store.save_reading(reading)
    return store.path


@pytest.mark.parametrize("damage", ["garbage", "header", "pages"])
def test_a_damaged_store_is_moved_aside(tmp_path: Path, reading: Reading, told: list[str], damage: str) -> None:
    path = written(tmp_path, replace(reading, comment="x" * 50_000))
    sound = path.read_bytes()
    ruined = {
        "garbage": b"not a database at all" * 400,
        "header": b"\0" * 100 + sound[100:],
        "pages": sound[:4096] + b"\xa5" * (len(sound) - 4096),
    }[damage]
    path.write_bytes(ruined)
    with WorkStore(tmp_path, told.append) as store:
        store.save_reading(reading)
        assert store.load_reading(reading.series_key, reading.slice_digests) is not None
    (old,) = path.parent.glob("work-damaged-*.sqlite3")
    assert old.read_bytes() == ruined
    assert len(told) == 1 and str(old) in told[0]


def test_two_damages_within_one_second_keep_both_files(tmp_path: Path, told: list[str]) -> None:
    path = tmp_path / "library" / "work.sqlite3"
    for content in (b"first " * 999, b"second" * 999):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        WorkStore(tmp_path, told.append).close()
    olds = [p.read_bytes()[:6] for p in path.parent.glob("work-damaged-*.sqlite3")]
    assert sorted(olds) == [b"first ", b"second"]


def test_damage_while_open_starts_a_new_store_and_saves(tmp_path: Path, reading: Reading, told: list[str]) -> None:
    path = written(tmp_path, replace(reading, comment="y" * 50_000))
    with WorkStore(tmp_path, told.append) as store:
        data = bytearray(path.read_bytes())
        data[4096:] = b"\xa5" * (len(data) - 4096)
        path.write_bytes(data)
        store._db.execute("PRAGMA shrink_memory")  # forget the sound pages in memory
        store.save_reading(replace(reading, comment="typed after the damage"))
        found = store.load_reading(reading.series_key, reading.slice_digests)
    assert found is not None and found.comment == "typed after the damage"
    assert len(told) == 1 and "kept as" in told[0]


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path, reading: Reading) -> None:
    path = written(tmp_path, reading)
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"newer version of the program \(schema 99") as caught:
        WorkStore(tmp_path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_a_full_disk_keeps_the_old_state_and_can_be_retried(
    tmp_path: Path, reading: Reading, result: AnalysisResult
) -> None:
    big = replace(reading, comment="z" * 2_000_000).with_result(result)
    with WorkStore(tmp_path) as store:
        store.save_reading(replace(reading, comment="before"))
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StorageError, match="the disk is full"):
            store.save_reading(big)
        found = store.load_reading(reading.series_key, reading.slice_digests)
        assert found is not None and (found.comment, found.analyses) == ("before", ())
        store._db.execute("PRAGMA max_page_count = 1000000")
        store.save_reading(big)
        found = store.load_reading(reading.series_key, reading.slice_digests)
        assert found is not None and found.comment == big.comment and found.latest is not None


def test_a_read_only_store_is_told_in_one_sentence(tmp_path: Path, reading: Reading) -> None:
    with WorkStore(tmp_path) as store:
        store.save_reading(reading)
        store._db.execute("PRAGMA query_only = ON")
        with pytest.raises(StorageError, match=r"could not be saved .* the place is read-only"):
            store.save_reading(replace(reading, comment="no"))


def test_a_place_that_cannot_hold_a_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"work\.sqlite3 cannot be opened: Not a directory"):
        WorkStore(tmp_path / "file")


def test_an_old_store_is_brought_up_to_date(tmp_path: Path, reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, replace(reading, comment="kept"))
    steps = [*schema._MIGRATIONS, lambda db: db.execute("ALTER TABLE reading ADD COLUMN status TEXT")]
    monkeypatch.setattr(schema, "_MIGRATIONS", steps)
    with WorkStore(tmp_path) as store:
        found = store.load_reading(reading.series_key, reading.slice_digests)
        assert found is not None and found.comment == "kept"
        assert store._db.execute("SELECT status FROM reading").fetchall() == [(None,)]
        assert schema.version(store._db) == len(steps)
    assert path.exists()


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, reading)
    known = len(schema._MIGRATIONS)

    def half(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (x)")
        db.execute("CREATE TABLE reading (x)")  # there is one

    with monkeypatch.context() as patch:
        patch.setattr(schema, "_MIGRATIONS", [*schema._MIGRATIONS, half])
        with pytest.raises(StorageError, match="cannot be used"):
            WorkStore(tmp_path)
    with WorkStore(tmp_path) as store:
        assert schema.version(store._db) == known
        assert store._db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from ctviewer.core.reading import Reading
from ctviewer.library import WorkStore

store = WorkStore(Path(sys.argv[1]))
reading = Reading("1.2.3", "1.2.3", tuple("abcde"))
for n in range(1, 1_000_000):
    key_images = tuple("abcde"[: n % 5])
    store.save_reading(replace(reading, comment=f"{n} " * 400, question=str(n), key_images=key_images))
    print(n, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("saves", [1, 7, 40])
def test_a_killed_process_loses_nothing_it_had_saved(tmp_path: Path, saves: int) -> None:
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        for _ in range(saves):
            child.stdout.readline()
        child.kill()
        rest = child.stdout.read().split()
    child.wait()
    last = int(rest[-1]) if rest and rest[-1] else saves
    told: list[str] = []
    with WorkStore(tmp_path, told.append) as store:
        found = store.load_reading("1.2.3", tuple("abcde"))
    assert found is not None and told == []
    n = int(found.question)
    assert last <= n <= last + 1  # the one after the last told may have been committed just before the kill
    assert found.comment == f"{n} " * 400 and len(found.key_images) == n % 5  # one whole state, not a mixture
