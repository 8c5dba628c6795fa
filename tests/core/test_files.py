"""Writing: the old file or the new one, never half of one; never into an opened folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ctviewer.core.errors import StorageError
from ctviewer.core.files import atomic_path, reason, refuse_inside, write_bytes


def test_writes_and_replaces(tmp_path):
    target = tmp_path / "deep" / "er" / "a.bin"
    write_bytes(target, b"old")
    write_bytes(target, b"new")
    assert target.read_bytes() == b"new"
    assert [p.name for p in target.parent.iterdir()] == ["a.bin"]


@pytest.mark.skipif(os.name != "posix", reason="modes are a thing of Unix")
def test_the_new_file_is_private(tmp_path):
    write_bytes(tmp_path / "a", b"x")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_alone(tmp_path, error):
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def write_half():
        with atomic_path(target) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_is_told_in_a_sentence(tmp_path):
    target = tmp_path / "report.pdf"
    target.write_bytes(b"old")

    def write_until_full():
        with atomic_path(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/some/path")

    with pytest.raises(StorageError) as raised:
        write_until_full()
    assert str(raised.value) == f"{target} could not be written: No space left on device."
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.pdf"]


def test_a_writer_that_removes_its_file_is_told(tmp_path):
    def write_nothing():
        with atomic_path(tmp_path / "a") as temporary:
            temporary.unlink()

    with pytest.raises(StorageError):
        write_nothing()
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_replaces_its_file_is_fine(tmp_path):
    with atomic_path(tmp_path / "a") as temporary:
        temporary.unlink()
        temporary.write_bytes(b"anew")
    assert (tmp_path / "a").read_bytes() == b"anew"


def test_the_parent_is_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="could not be written"):
        write_bytes(tmp_path / "file" / "a", b"x")


def test_the_target_is_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(StorageError, match="could not be written"):
        write_bytes(tmp_path / "a", b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_long_name(tmp_path):
    target = tmp_path / ("n" * 250)
    write_bytes(target, b"x")
    assert target.read_bytes() == b"x"


def test_reason_has_no_path():
    assert reason(OSError(errno.EACCES, "Permission denied", "/home/doe")) == "Permission denied"
    assert reason(OSError("odd")) == "OSError"


@pytest.fixture
def opened(tmp_path) -> Path:
    """An opened folder with one file and a sub-folder."""
    folder = tmp_path / "opened"
    (folder / "sub").mkdir(parents=True)
    (folder / "IM1").write_bytes(b"x")
    return folder


@pytest.mark.parametrize("inside", [".", "out", "sub", "sub/out/deep", "IM1", "../opened/out", "sub/../out"])
def test_refuses_inside(opened, inside):
    with pytest.raises(StorageError, match="lies inside the opened folder"):
        refuse_inside(opened / inside, opened)


@pytest.mark.parametrize("outside", ["..", "../out", "../opened2", "../opened-report/out", "sub/../../out"])
def test_allows_outside(opened, outside):
    refuse_inside(opened / outside, opened)


def test_an_opened_file_means_its_folder(opened):
    with pytest.raises(StorageError):
        refuse_inside(opened / "out", opened / "IM1")
    refuse_inside(opened.parent / "out", opened / "IM1")


def test_links_do_not_lead_inside(opened, tmp_path):
    way_in = tmp_path / "way in"
    way_in.symlink_to(opened / "sub")
    with pytest.raises(StorageError):
        refuse_inside(way_in / "out", opened)
    other_name = tmp_path / "other name"
    other_name.symlink_to(opened)
    with pytest.raises(StorageError):
        refuse_inside(opened / "out", other_name)
    way_out = opened / "way out"
    way_out.symlink_to(tmp_path / "elsewhere")
    refuse_inside(way_out / "out", opened)


def test_relative_paths(opened, monkeypatch):
    monkeypatch.chdir(opened)
    with pytest.raises(StorageError):
        refuse_inside(Path("out"), Path())
    with pytest.raises(StorageError):
        refuse_inside(Path("out"), opened)
    refuse_inside(Path("../out"), Path())


def test_links_in_a_circle(opened, tmp_path):
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")

    def write_there():  # until Python 3.13 the check refuses, from then on the system does
        refuse_inside(tmp_path / "one" / "out", opened)
        write_bytes(tmp_path / "one" / "out", b"x")

    with pytest.raises(StorageError):
        write_there()


def test_another_spelling_of_the_same_folder(opened, monkeypatch):
    """As on a file system without upper and lower case, where resolving keeps the spelling."""
    shouted = opened.parent / "OPENED"
    shouted.mkdir()
    monkeypatch.setattr(Path, "samefile", lambda self, other: str(self).lower() == str(other).lower())
    with pytest.raises(StorageError, match="lies inside"):
        refuse_inside(shouted / "out", opened)
