from __future__ import annotations

import psutil
import pytest

from ctviewer.core.errors import InputError
from ctviewer.dicom import memory

MB = 1 << 20


@pytest.fixture
def group(tmp_path, monkeypatch):
    """A control group with a limit of 100 MB, 70 in use, 20 of them cached files."""
    monkeypatch.setattr(memory, "_CONTROL_GROUP", tmp_path)

    def make(limit: str = str(100 * MB), version: int = 2) -> None:
        if version == 2:
            (tmp_path / "memory.max").write_text(f"{limit}\n")
            (tmp_path / "memory.current").write_text(f"{70 * MB}\n")
            (tmp_path / "memory.stat").write_text(f"anon {50 * MB}\ninactive_file {20 * MB}\n")
        else:
            (tmp_path / "memory").mkdir()
            (tmp_path / "memory" / "memory.limit_in_bytes").write_text(limit)
            (tmp_path / "memory" / "memory.usage_in_bytes").write_text(str(70 * MB))
            (tmp_path / "memory" / "memory.stat").write_text(f"inactive_file 0\ntotal_inactive_file {20 * MB}\n")

    return make


@pytest.mark.parametrize("version", [1, 2])
def test_the_limit_of_a_container_counts(group, version):
    group(version=version)
    assert memory.free_memory() == 50 * MB


def test_without_a_limit_the_machine_counts(group):
    group("max")
    assert memory.free_memory() > 50 * MB
    assert abs(memory.free_memory() - psutil.virtual_memory().available) < 1000 * MB


def test_what_does_not_fit_is_refused_before_it_is_loaded(group):
    group()
    memory.require_memory((25, MB), "The series of /x/IM1")  # exactly what is left
    with pytest.raises(InputError, match=r"^The series of /x/IM1 needs 0\.1 GB of memory, and 0\.1 GB are free\.$"):
        memory.require_memory((26, MB), "The series of /x/IM1")
