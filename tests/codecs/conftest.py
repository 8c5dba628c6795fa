from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ctviewer.codecs import PixelFormat
from ctviewer.codecs.processes import DecoderProcesses

CRASHING_WORKER = """
# A decoder process with decoders that go wrong, each in its way, chosen by the first byte of the data.
import ctypes, os, sys, time
import numpy as np
from ctviewer import codecs
from ctviewer.codecs import worker
from ctviewer.codecs.base import CodecError, Decoded

frames = 0


def decode(data, pixel_format):
    global frames
    frames += 1
    what = data[:1]
    if what == b"s":
        ctypes.string_at(0)
    if what == b"a":
        os.abort()
    if what == b"h":
        ctypes.PyDLL(None).usleep(60_000_000)  # native code that holds the lock of the interpreter
    if what == b"m":
        np.zeros(1 << 36, np.uint8)
    if what == b"2" and frames > 1:
        os.abort()
    if what == b"p":
        os.write(1, b"printed by a library")
        os.write(2, b"warned by a library")
    if what == b"r":
        raise CodecError("refused")
    if what == b"w":
        return Decoded(np.zeros((3, 3), np.uint16), 16)
    return Decoded(np.full((pixel_format.rows, pixel_format.columns), data[0], np.uint16), 16)


codecs._DECODERS["wrong"] = decode
worker.main()
"""


@pytest.fixture
def frame() -> PixelFormat:
    return PixelFormat(40, 50, 16, 12, 11, False)


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Callable[..., DecoderProcesses]]:
    """Decoder processes of the test's own; their decoder "wrong" goes wrong as the first byte of the data says."""
    script = tmp_path / "crashing_worker.py"
    script.write_text(CRASHING_WORKER)
    made: list[DecoderProcesses] = []

    def make(count: int = 1, command: list[str] | None = None, seconds: float = 5.0) -> DecoderProcesses:
        made.append(DecoderProcesses(count, command or [sys.executable, "-S", "-P", str(script)], seconds))
        return made[-1]

    yield make
    for one in made:
        one.shut_down()


@pytest.fixture
def image() -> Callable[..., np.ndarray]:
    """A noisy ramp of 12 bits that uses the whole range."""

    def make(shape: tuple[int, int] = (40, 50), bits: int = 12, seed: int = 0) -> np.ndarray:
        y, x = np.mgrid[: shape[0], : shape[1]]
        noise = np.random.default_rng(seed).normal(0, 9, shape)
        return np.clip((x * 31 + y * 17) + noise, 0, (1 << bits) - 1).astype(np.uint16)

    return make
