"""Importing torch beside a running window without stopping it.

Measured on two cores with torch 2.11 (CUDA build): a plain `import torch, torchvision` on a worker thread stops a 5 ms timer
of the window's thread for 200 to 240 ms while the system maps 900 MB of shared libraries (Python's import keeps its lock
then), and for 120 to 160 ms each time Python's cyclic collector walks all that the imports have made. So the libraries are
mapped beforehand by a foreign call, which gives the lock away, and the collector rests during the imports. The longest gap
is 50 ms then; with other programs keeping both cores busy, 45 to 75 ms where the plain import takes 415 ms.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from ctviewer.core.events import Event, Progress

LOADING = "Loading the models"

# In the order in which torch itself loads them; what a build does not have is passed over.
_LIBRARIES = ("global_deps", "cpu", "cuda", "", "python")
# Slow parts first and apart, so that a cancelled job ends between them.
_MODULES = (
    "torch",
    "torchvision.ops",
    "torchvision.models.detection",
    "ctviewer.inference.classify",
    "ctviewer.inference.detect",
)
_collector = threading.Lock()


def preloading() -> Iterator[Event]:
    """Import all that an analysis needs, in steps; a few seconds the first time, nothing after it.

    Call it on a worker thread. It may be closed at any yield, and run by two threads at once.

    Yields:
        `Progress` per step, none where all is there already.
    """
    missing = [name for name in _MODULES if name not in sys.modules]
    if not missing:
        return
    steps = len(missing) + 1
    yield Progress(LOADING, 0, steps)
    if "torch" not in sys.modules:
        # Threads of OpenMP that wait shall sleep, not spin: on two cores beside a window and another program an analysis
        # took 11 s instead of 17, and much longer beside a second one. Read when the library is mapped.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        map_libraries()
    for done, name in enumerate(missing, start=1):
        yield Progress(LOADING, done, steps)
        with resting_collector():
            importlib.import_module(name)
    yield Progress(LOADING, steps, steps)


def preload_torch() -> None:
    """The same in one go."""
    for _ in preloading():
        pass


def map_libraries() -> list[Path]:
    """Map torch's libraries into the process without holding Python's lock; on Linux, elsewhere nothing.

    A library that cannot be mapped is left to the import itself, which says why.

    Returns:
        The libraries mapped.
    """
    spec = importlib.util.find_spec("torch")
    if not sys.platform.startswith("linux") or spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent / "lib"
    names = [f"libtorch_{name}.so" if name else "libtorch.so" for name in _LIBRARIES]
    dlopen = ctypes.CDLL(None).dlopen  # called as a foreign function, unlike ctypes.CDLL(path): the lock is released
    dlopen.restype = ctypes.c_void_p
    dlopen.argtypes = [ctypes.c_char_p, ctypes.c_int]
    present = [folder / name for name in names if (folder / name).is_file()]
    return [path for path in present if dlopen(os.fsencode(path), os.RTLD_NOW | os.RTLD_LOCAL)]


@contextlib.contextmanager
def resting_collector() -> Iterator[None]:
    """Keep Python's cyclic collector from walking a million new objects while the window waits.

    What exists at the end (modules, classes, functions: they stay anyway) is set aside for good, so that no later
    collection walks it either.
    """
    with _collector:
        was_on = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            gc.freeze()
            if was_on:
                gc.enable()
