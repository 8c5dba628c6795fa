"""Arrays on disk: what comes back is what was written, or nothing at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core.errors import StorageError
from ctviewer.training.engine.arrays import describe, read_array, write_array

ROWS = np.arange(60, dtype=np.uint16).reshape(5, 3, 4)


def written(path: Path) -> bytes:
    write_array(path, "key", [ROWS[:2], ROWS[2:]], {"content": "abc"})
    return path.read_bytes()


def test_pieces_come_back_as_one_array_mapped_and_read_only(tmp_path):
    written(tmp_path / "a")
    values = read_array(tmp_path / "a", "key")
    np.testing.assert_array_equal(values, ROWS)
    assert isinstance(values, np.memmap) and values.dtype == np.uint16
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 0
    described = describe(tmp_path / "a", "key")
    assert described.shape == (5, 3, 4) and described.info == {"content": "abc"}


def test_another_key_or_no_file_is_none(tmp_path):
    written(tmp_path / "a")
    assert read_array(tmp_path / "a", "other") is None
    assert read_array(tmp_path / "b", "key") is None
    assert describe(tmp_path / "a", "other") is None


def test_a_file_cut_at_any_byte_is_none(tmp_path):
    whole = written(tmp_path / "a")
    for end in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:end])
        assert read_array(tmp_path / "cut", "key") is None, end
        assert describe(tmp_path / "cut", "key") is None, end


def test_a_file_with_any_byte_changed_is_none(tmp_path):
    whole = written(tmp_path / "a")
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        (tmp_path / "bad").write_bytes(damaged)
        assert read_array(tmp_path / "bad", "key") is None, at


def test_checked_bytes_are_not_read_again(tmp_path):
    whole = bytearray(written(tmp_path / "a"))
    whole[0] ^= 1
    (tmp_path / "a").write_bytes(whole)
    assert read_array(tmp_path / "a", "key", checked=True)[0, 0, 0] == 1


def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path):
    before = written(tmp_path / "a")

    def parts():
        yield ROWS
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="could not be written: No space left on device"):
        write_array(tmp_path / "a", "new", parts(), {})
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == before


def test_a_place_that_is_no_folder_is_told_in_one_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"could not be written: .*\.$"):
        write_array(tmp_path / "file" / "a", "key", [ROWS], {})


@pytest.mark.skipif(os.name != "posix", reason="limits of a process exist on POSIX alone")
def test_a_full_disk_is_told_in_one_sentence(tmp_path):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))  # the nearest thing to a full disk that a test may make
    try:
        with pytest.raises(StorageError, match=r"a could not be written: .*\.$"):
            write_array(tmp_path / "a", "key", [np.zeros((1 << 10, 128), np.uint8)] * 4, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
