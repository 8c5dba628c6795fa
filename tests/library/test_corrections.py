"""What the reader changed and drew survives restarts, crashes and newer analyses; older stores get the new tables."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core import editing
from ctviewer.core.findings import Verdict
from ctviewer.core.reading import Reading
from ctviewer.library import WorkStore, schema


def stroke(top: int, left: int) -> np.ndarray:
    mask = np.zeros((16, 16), bool)
    mask[top : top + 3, left : left + 3] = True
    return mask


@pytest.fixture
def edited(reading: Reading, result) -> Reading:
    reading = replace(reading.with_result(result), image_size=(16, 16))
    made = editing.paint(reading, 1, 1, stroke(10, 10)).reading
    made = editing.relabel(made, 1, "consolidation").reading
    made = editing.draw(made, "own", 3, stroke(2, 8), "2026-11-22T10:00:00+00:00").reading
    return editing.review(made, [0, 1], on=True).reading


def test_everything_comes_back_after_a_restart(store, edited, digests, tmp_path):
    store.save_reading(edited)
    store.close()
    with WorkStore(tmp_path) as again:
        found = again.load_reading(edited.series_key, digests(5))
    assert (found.marks, found.image_size) == (edited.marks, (16, 16))
    assert found.latest.corrections == edited.latest.corrections and found.latest.verdict(1) is Verdict.ACCEPTED


def test_what_was_taken_back_is_gone(store, edited, digests, result):
    store.save_reading(edited)
    clean = edited.with_said(replace(edited.said(), verdicts={}, corrections={}, marks=Reading("", "", ()).marks))
    store.save_reading(clean)
    found = store.load_reading(edited.series_key, digests(5))
    assert found.latest.corrections == {} and found.marks.is_empty


def test_a_new_analysis_leaves_marks_and_the_old_corrections_alone(store, edited, digests, later):
    store.save_reading(edited.with_result(later))
    found = store.load_reading(edited.series_key, digests(5))
    assert found.marks == edited.marks
    assert found.analyses[0].corrections == {} and found.analyses[1].corrections == edited.latest.corrections


def test_what_was_drawn_stays_on_unchanged_slices(store, edited, digests, told):
    store.save_reading(edited)
    changed = (*digests(5)[:4], digests(5, "other")[4])
    found = store.load_reading(edited.series_key, changed)
    assert found.latest is None and [one.label for one in found.marks.drawn] == ["own"] and told
    store.save_reading(found)
    assert store.load_reading(edited.series_key, digests(5)).latest.corrections == edited.latest.corrections


def test_a_store_of_the_version_before_opens_with_its_readings(store, reading, result, digests, tmp_path):
    store.save_reading(reading.with_result(result).with_verdict(1, Verdict.REJECTED))
    store.close()
    with sqlite3.connect(store.path) as db:
        for table in ("correction", "mark"):
            db.execute(f"DROP TABLE {table}")
        db.execute("ALTER TABLE reading DROP COLUMN image_size")
        db.execute("PRAGMA user_version = 3")
    db.close()
    with WorkStore(tmp_path) as again:
        found = again.load_reading(reading.series_key, digests(5))
        assert found.latest.verdict(1) is Verdict.REJECTED and found.marks.is_empty
        again.save_reading(editing.draw(found, "own", 3, stroke(2, 8), "").reading)
        assert again.load_reading(reading.series_key, digests(5)).marks.given == 1
    with sqlite3.connect(store.path) as db:
        assert schema.version(db) >= 4
    db.close()


def test_damaged_corrections_leave_their_analysis_out_and_say_so(store, edited, digests, told, tmp_path):
    store.save_reading(edited)
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE correction SET changed = x'00'")
    db.close()
    found = store.load_reading(edited.series_key, digests(5))
    assert found.analyses == () and "1 saved analyses" in told[0]


def test_a_process_that_is_killed_after_a_stroke_has_it_on_disk(tmp_path: Path):
    """The save returns when the stroke is on the disk: what ends the process then takes nothing back."""
    program = """
        import os, sys
        from pathlib import Path
        import numpy as np
        from ctviewer.core import editing
        from ctviewer.core.reading import Reading
        from ctviewer.library import WorkStore
        store = WorkStore(Path(sys.argv[1]))
        mask = np.zeros((8, 8), bool); mask[2:4, 2:4] = True
        store.save_reading(editing.draw(Reading("k", "k", ("a", "b")), "own", 1, mask, "").reading)
        os._exit(9)
    """
    child = subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(tmp_path)], check=False)
    assert child.returncode == 9
    with WorkStore(tmp_path) as store:
        assert store.load_reading("k", ("a", "b")).marks.find(-1).outlines["b"].area == 4
