"""The user's folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ctviewer.app import folders
from ctviewer.core.errors import StorageError

ALL = (folders.data_folder, folders.cache_folder, folders.config_folder, folders.log_folder)


@pytest.mark.parametrize("function", ALL)
def test_below_ctviewer_home(function, monkeypatch, tmp_path):
    monkeypatch.setenv("CTVIEWER_HOME", str(tmp_path / "portable"))
    folder = function()
    assert folder.is_dir()
    assert folder.parent == tmp_path / "portable"
    assert os.name != "posix" or folder.stat().st_mode & 0o777 == 0o700


def test_four_different_folders(monkeypatch):
    assert len({function() for function in ALL}) == 4
    monkeypatch.delenv("CTVIEWER_HOME")
    assert len({function() for function in ALL}) == 4


@pytest.mark.skipif(os.name != "posix", reason="XDG folders are a custom of Unix")
def test_without_home_the_systems_places(monkeypatch, tmp_path):
    monkeypatch.delenv("CTVIEWER_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert folders.data_folder() == tmp_path / "data" / "ctviewer"


@pytest.mark.skipif(os.name != "posix", reason="modes are a thing of Unix")
def test_an_open_folder_is_closed(monkeypatch, tmp_path):
    monkeypatch.setenv("CTVIEWER_HOME", str(tmp_path))
    (tmp_path / "data").mkdir(mode=0o755)
    assert folders.data_folder().stat().st_mode & 0o777 == 0o700


def test_a_file_in_the_way(monkeypatch, tmp_path):
    monkeypatch.setenv("CTVIEWER_HOME", str(tmp_path))
    Path(tmp_path / "data").write_text("x")
    with pytest.raises(StorageError, match=r"The folder .*data cannot be used: "):
        folders.data_folder()


def test_relative_home_does_not_depend_on_where_one_is_later(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CTVIEWER_HOME", "portable")
    assert folders.log_folder() == tmp_path / "portable" / "log"
