import gc
import subprocess
import sys
import types

import pytest

from ctviewer.core.events import Progress
from ctviewer.inference import preload_torch, preloading
from ctviewer.inference.torch_preload import LOADING, map_libraries, resting_collector

FRESH = """
import gc, sys
import ctviewer.inference
assert "torch" not in sys.modules, "the package imports torch"
from ctviewer.inference.torch_preload import map_libraries, preloading
mapped = map_libraries()
if sys.platform.startswith("linux"):
    assert [p.name for p in mapped][:2] == ["libtorch_global_deps.so", "libtorch_cpu.so"], mapped
assert "torch" not in sys.modules
steps = list(preloading())
assert [(s.done, s.total) for s in steps] == [(i, len(steps) - 1) for i in range(len(steps))], steps
import torch
assert torch.ones(3).sum() == 3 and gc.isenabled() and gc.get_freeze_count() > 100_000
assert "ctviewer.inference.detect" in sys.modules
assert list(preloading()) == []
"""


def test_in_a_fresh_process_it_imports_everything_in_steps():
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


def test_a_second_time_it_does_nothing():
    preload_torch()
    assert list(preloading()) == []


def test_a_missing_module_is_imported_in_its_step(monkeypatch):
    monkeypatch.delitem(sys.modules, "ctviewer.inference.detect")
    steps = preloading()
    assert next(steps) == Progress(LOADING, 0, 2)
    assert next(steps) == Progress(LOADING, 1, 2) and "ctviewer.inference.detect" not in sys.modules
    assert next(steps) == Progress(LOADING, 2, 2) and "ctviewer.inference.detect" in sys.modules


def test_the_collector_rests_and_comes_back():
    with resting_collector():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), resting_collector():
        raise ImportError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with resting_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_elsewhere_nothing_is_mapped(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    assert map_libraries() == []


def test_a_build_without_cuda_or_with_damaged_libraries_is_left_to_the_import(monkeypatch, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libtorch_cpu.so").write_bytes(b"not a library")
    spec = types.SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    assert map_libraries() == []
