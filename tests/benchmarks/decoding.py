"""Compressed series beside SimpleITK, and what it costs that decoders run in processes of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pydicom
from harness import Row, in_turn, make_series, seconds
from loading import first_image, series_of
from peers import simpleitk
from pydicom.encaps import generate_frames

from ctviewer import codecs
from ctviewer.codecs import PixelFormat, processes
from ctviewer.core.threads import cores
from ctviewer.dicom import load_volume

_SLICES = 60
_FORMAT = PixelFormat(512, 512, 16, 16, 15, True)
_KINDS = {  # written as, and how many times SimpleITK
    "JPEG Lossless": ("jpeg_lossless", 1.8),
    "JPEG-LS": ("jpeg_ls", 1.8),
    "RLE": (None, 1.8),
    "JPEG 2000": ("jpeg_2000", 1.2),
}


def run(work: Path) -> Iterator[Row]:
    """Each syntax: whole series beside SimpleITK, then the bare decoding in threads and in processes."""
    yield from _start()
    for name, (kind, aim) in _KINDS.items():
        folder = work / name
        make_series(folder, _SLICES, kind)
        if kind is None:
            _compress_rle(folder)
        yield from _series(name, folder, aim)
        yield from _isolation(name, folder)
    yield Row(
        "folder to first image, JPEG Lossless", seconds(lambda: first_image(work / "JPEG Lossless")), "s", "< 0.15"
    )


def _series(name: str, folder: Path, aim: float) -> Iterator[Row]:
    expected = simpleitk(folder)
    volume = load_volume(series_of(folder))
    if not all(np.array_equal(volume.hu(i), expected[i]) for i in range(_SLICES)):
        raise RuntimeError(f"{name}: values differ from SimpleITK's")
    ours, theirs = in_turn(lambda: load_volume(series_of(folder)), lambda: simpleitk(folder))
    yield Row(f"{name}, {_SLICES} slices", _SLICES / ours, "slices/s")
    yield Row(f"{name}: SimpleITK's series reader / ours", theirs / ours, "x", f">= {aim}")


def _isolation(name: str, folder: Path) -> Iterator[Row]:
    datasets = [pydicom.dcmread(file) for file in folder.iterdir()]
    syntax = str(datasets[0].file_meta.TransferSyntaxUID)
    frames = [next(generate_frames(one.PixelData, number_of_frames=1)) for one in datasets]
    out = np.empty((_SLICES, 512, 512), np.int16)

    def here(i: int) -> None:
        out[i] = codecs.decode(syntax, frames[i], _FORMAT).view(np.int16)

    def apart(i: int) -> None:
        processes.decode(syntax, frames[i], _FORMAT, out[i])

    with ThreadPoolExecutor(cores() + 1) as many, ThreadPoolExecutor(cores()) as few:
        apart_s, here_s = in_turn(
            lambda: list(many.map(apart, range(_SLICES))), lambda: list(few.map(here, range(_SLICES)))
        )
    yield Row(f"{name}: decoding in processes / in threads, time", apart_s / here_s, "x")
    yield Row(f"{name}: cost of a process of its own", (apart_s - here_s) / _SLICES * 1000, "ms/slice")


def _start() -> Iterator[Row]:
    """From nothing to a decoded frame, and what a process takes."""
    image = np.zeros((512, 512), np.uint16)
    import imagecodecs

    data = imagecodecs.jpegls_encode(image)
    start = time.perf_counter()
    processes.warm_up()
    yield Row("starting decoder processes: the caller waits", (time.perf_counter() - start) * 1000, "ms")
    processes.decode("1.2.840.10008.1.2.4.80", data, _FORMAT)
    yield Row("starting decoder processes: first frame decoded", time.perf_counter() - start, "s")
    time.sleep(1)
    children = [child.memory_full_info() for child in psutil.Process().children()]
    rss = max(one.rss for one in children)
    yield Row("resident memory of a decoder process", rss / 1e6, "MB")
    if hasattr(children[0], "pss"):
        yield Row("its share of it (PSS)", max(one.pss for one in children) / 1e6, "MB")


def _compress_rle(folder: Path) -> None:
    for file in folder.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
        dataset.save_as(file)
