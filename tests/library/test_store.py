from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core.findings import AnalysisResult, Verdict
from ctviewer.core.interpretation import Interpretation
from ctviewer.core.reading import ReadAnalysis, Reading
from ctviewer.core.serialise import to_dict
from ctviewer.core.windowing import VoiFunction, Window
from ctviewer.library import WorkStore

Digests = Callable[..., tuple[str, ...]]


def reopened(store: WorkStore) -> WorkStore:
    store.close()
    return WorkStore(store.path.parents[1])


def test_everything_of_a_reading_comes_back(
    store: WorkStore, reading: Reading, result: AnalysisResult, digests: Digests
) -> None:
    window = Window(-600.5, 1500, VoiFunction.SIGMOID, "Lung")
    first = replace(
        reading,
        question="Fieber, Husten? \N{MICROSCOPE}",
        comment="Милчные <b>&</b> 山田\nsecond line",
        key_images=(digests(5)[3], digests(5)[1]),
        window=window,
        last_slice=digests(5)[2],
    )
    first = first.with_result(result).with_verdict(1, Verdict.REJECTED)
    store.save_reading(first)
    with reopened(store) as again:
        found = again.load_reading(reading.series_key, digests(5))
    assert found is not None and found.latest is not None
    assert (found.question, found.comment, found.window) == (first.question, first.comment, window)
    assert (found.key_slices, found.slice_index(found.last_slice)) == ((3, 1), 2)
    assert (found.series_uid, found.study_uid, found.slice_digests) == ("1.2.3", "1.2", digests(5))
    assert to_dict(found.latest.result) == to_dict(result)
    assert found.latest.verdict(1) is Verdict.REJECTED and found.latest.verdict(2) is Verdict.PENDING
    mask = found.latest.result.lesions[0].instances[0].mask
    assert np.array_equal(mask.array(), np.eye(8, dtype=bool))


def test_all_versions_are_kept_newest_first(
    store: WorkStore, reading: Reading, result: AnalysisResult, later: AnalysisResult, digests: Digests
) -> None:
    reading = reading.with_result(result).with_verdict(1, Verdict.ACCEPTED)
    store.save_reading(reading)
    reading = reading.with_result(later).with_verdict(1, Verdict.REJECTED)
    store.save_reading(reading)
    store.save_reading(reading)  # saving the same again adds nothing
    found = store.load_reading(reading.series_key, digests(5))
    assert found is not None
    assert [a.result.provenance.finished[11:13] for a in found.analyses] == ["04", "03"]
    assert [a.verdict(1) for a in found.analyses] == [Verdict.REJECTED, Verdict.ACCEPTED]


def test_a_verdict_taken_back_is_gone(
    store: WorkStore, reading: Reading, result: AnalysisResult, digests: Digests
) -> None:
    analysed = reading.with_result(result)
    store.save_reading(analysed.with_verdict(1, Verdict.ACCEPTED))
    store.save_reading(analysed)
    found = store.load_reading(reading.series_key, digests(5))
    assert found is not None and found.latest is not None
    assert found.latest.verdicts == {}


def test_an_unknown_series_has_no_reading(store: WorkStore, digests: Digests) -> None:
    assert store.load_reading("1.2.3#1", digests(5)) is None
    assert store.load_view("1.2.3#1") is None


def test_changed_pixels_get_no_old_findings(
    store: WorkStore, reading: Reading, result: AnalysisResult, digests: Digests, told: list[str]
) -> None:
    same, other = digests(5), digests(5, "other")
    marked = replace(reading, comment="seen", key_images=(same[0], same[4]), last_slice=same[4])
    store.save_reading(marked.with_result(result))
    one_changed = (*same[:4], other[4])
    found = store.load_reading(reading.series_key, one_changed)
    assert found is not None
    assert (found.comment, found.analyses, found.key_images, found.last_slice) == ("seen", (), (same[0],), "")
    assert "changed since it was read" in told[0]
    store.save_reading(replace(found, comment="on the new pixels"))
    old = store.load_reading(reading.series_key, same)
    assert old is not None and old.latest is not None
    assert old.comment == "seen"


def test_another_series_under_the_same_uid_gets_nothing(store: WorkStore, reading: Reading, digests: Digests) -> None:
    store.save_reading(replace(reading, comment="another patient's"))
    assert store.load_reading(reading.series_key, digests(5, "other")) is None


def test_a_completed_transfer_keeps_the_words(store: WorkStore, reading: Reading, digests: Digests) -> None:
    store.save_reading(replace(reading, comment="so far"))
    found = store.load_reading(reading.series_key, digests(9))
    assert found is not None and found.comment == "so far"


@pytest.mark.parametrize("key", ["1.2.3", "1.2.3#0a1b2c3d", "1.2.3#1@0a1b2c3d"])
def test_a_series_that_was_split_since_finds_its_reading_by_its_pixels(
    store: WorkStore, reading: Reading, result: AnalysisResult, digests: Digests, key: str
) -> None:
    store.save_reading(replace(reading, comment="seen", analyses=(ReadAnalysis(result),)))
    found = store.load_reading(key, digests(5))
    assert found is not None and (found.series_key, found.comment, len(found.analyses)) == (key, "seen", 1)
    assert store.load_reading(key, digests(5, "other pixels")) is None
    assert store.load_reading("1.2.4", digests(5)) is None, "of another series"


def test_the_view_is_known_before_the_pixels(store: WorkStore, reading: Reading, digests: Digests) -> None:
    store.save_reading(replace(reading, window=Window(40, 400), last_slice=digests(5)[3]))
    view = store.load_view(reading.series_key)
    assert view is not None
    assert (view.window, view.last_slice) == (Window(40, 400), 3)


def test_recent_folders_newest_first_each_once(store: WorkStore) -> None:
    odd = Path("/data/caf\udce9")  # bytes that are no UTF-8
    for path, title in ((Path("/data/a"), "A"), (odd, "B"), (Path("/data/a"), "A again")):
        store.remember_folder(path, title)
    assert [(r.path, r.title) for r in store.recent_folders()] == [(Path("/data/a"), "A again"), (odd, "B")]
    for number in range(30):
        store.remember_folder(Path(f"/data/{number}"), "")
    assert len(store.recent_folders()) == 20
    assert store.recent_folders()[0].path == Path("/data/29")
    store.forget_folders()
    assert store.recent_folders() == ()


def test_broken_text_is_saved_all_the_same(store: WorkStore, reading: Reading, digests: Digests) -> None:
    store.save_reading(replace(reading, comment="half \ud83d pair"))
    found = store.load_reading(reading.series_key, digests(5))
    assert found is not None and found.comment == "half ? pair"


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_only_the_user_can_read_the_files(store: WorkStore, reading: Reading) -> None:
    store.save_reading(reading)
    files = sorted(store.path.parent.iterdir())
    assert [f.name for f in files] == ["work.sqlite3", "work.sqlite3-shm", "work.sqlite3-wal"]
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


def test_wide_open_modes_are_narrowed(tmp_path: Path) -> None:
    WorkStore(tmp_path).close()
    folder = tmp_path / "library"
    folder.chmod(0o755)
    (folder / "work.sqlite3").chmod(0o644)
    WorkStore(tmp_path).close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "work.sqlite3").stat().st_mode) == 0o600


def test_two_windows_share_the_store(store: WorkStore, reading: Reading, digests: Digests) -> None:
    with WorkStore(store.path.parents[1]) as other:
        store.save_reading(replace(reading, comment="first"))
        found = other.load_reading(reading.series_key, digests(5))
        assert found is not None and found.comment == "first"
        other.save_reading(replace(reading, comment="second"))
        found = store.load_reading(reading.series_key, digests(5))
        assert found is not None and found.comment == "second"


def test_a_store_belongs_to_its_thread(store: WorkStore, reading: Reading) -> None:
    raised: list[sqlite3.Error] = []

    def use() -> None:
        try:
            store.save_reading(reading)
        except sqlite3.Error as error:
            raised.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert "thread" in str(raised[0])  # a mistake in the program, so no sentence for the reader


def test_a_saved_analysis_that_cannot_be_read_costs_itself_alone(
    store: WorkStore, reading: Reading, result: AnalysisResult, later: AnalysisResult, digests: Digests, told: list[str]
) -> None:
    store.save_reading(reading.with_result(result).with_result(later))
    store._db.execute("UPDATE analysis SET result = x'00' WHERE finished LIKE '%T03%'")
    found = store.load_reading(reading.series_key, digests(5))
    assert found is not None
    assert [a.result.provenance.finished for a in found.analyses] == [later.provenance.finished]
    assert told == ["1 saved analyses of this series cannot be read by this version."]


def test_a_statement_is_kept_by_series_and_replaced_by_a_later_one(store: WorkStore) -> None:
    assert store.load_statement("nifti:1") is None
    first = Interpretation("HU", 1.0, -1024.0, (0.7, 0.8), 1.25, "head-first", "2026-11-22")
    store.save_statement("nifti:1", first)
    assert store.load_statement("nifti:1") == first
    assert store.load_statement("nifti:2") is None
    store.save_statement("nifti:1", Interpretation(unit=""))
    assert store.load_statement("nifti:1") == Interpretation(unit="")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"unit": "Bq", "pixel_spacing": null}', '{"pixel_spacing": [1]}'])
def test_a_statement_that_cannot_be_read_is_none(store: WorkStore, text: str) -> None:
    store.save_statement("nifti:1", Interpretation("HU"))
    store._db.execute("UPDATE statement SET stated = ?", (text,))
    assert store.load_statement("nifti:1") is None
