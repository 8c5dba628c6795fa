"""What the benchmarks share: timing, peak memory, a synthetic series, and the rows that are printed."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from ctviewer.core.geometry import Geometry
from ctviewer.dicom import SeriesAttributes, write_ct_series

SLICES, SIDE = 300, 512


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: what was measured.
        value: a number.
        unit: "s", "ms", "x" (a ratio within this run), "slices/s", ...
        aim: what it should be, where there is an aim ("< 0.3").
    """

    what: str
    value: float
    unit: str
    aim: str = ""


def seconds(function: Callable[[], object], runs: int = 3) -> float:
    """Best of `runs` after a warm-up: the page cache is warm, as it is for whoever is compared."""
    function()
    return min(_time(function) for _ in range(runs))


def in_turn(*functions: Callable[[], object], rounds: int = 3) -> list[float]:
    """Seconds of each, the best of some rounds after a warm-up: what else the machine does then hits all of them alike."""
    for function in functions:
        function()
    times = [[_time(function) for function in functions] for _ in range(rounds)]
    return [min(column) for column in zip(*times, strict=True)]


def milliseconds(function: Callable[[int], object], runs: int = 200) -> tuple[float, float]:
    """Median and 95th percentile of single calls `function(i)`, after ten calls to warm up."""
    for i in range(10):
        function(i)
    times = sorted(_time(lambda i=i: function(i)) * 1000 for i in range(runs))
    return statistics.median(times), times[int(0.95 * (len(times) - 1))]


def _time(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def peak_memory_mb(imports: str, work: str, *arguments: str) -> float:
    """How far a fresh process's resident memory rises at most while `work` runs, imports left out (Linux only).

    The processes that it starts count too, with the highest that each of them ever had.
    """
    code = f"""
import os, sys
{imports}
def status(key, pid="self"):
    return next(int(l.split()[1]) for l in open(f"/proc/{{pid}}/status") if l.startswith(key)) / 1024
def children():
    tasks = "/proc/self/task"
    return [pid for task in os.listdir(tasks) for pid in open(f"{{tasks}}/{{task}}/children").read().split()]
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
{work}
print(status("VmHWM") - before + sum(status("VmHWM", pid) for pid in children()))
"""
    output = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    return float(output.stdout)


def make_series(folder: Path, slices: int = SLICES, compress: str | None = None) -> int:
    """Write a noisy ellipse of a body as a CT series; returns its size as int16 in bytes."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    body = np.where((x / 0.8) ** 2 + (y / 0.6) ** 2 < 1, 1040, 24).astype(np.int16)
    lungs = ((np.abs(x) - 0.4) / 0.25) ** 2 + (y / 0.4) ** 2 < 1
    body[lungs] = 180
    stored = np.empty((slices, SIDE, SIDE), np.int16)
    for one in stored:
        one[:] = body + random.integers(-40, 40, body.shape, np.int16)
    origins = np.stack([np.full(slices, -180.0), np.full(slices, -180.0), np.arange(slices) * 1.25], 1)
    geometry = Geometry(stored.shape, origins, pixel_spacing=(0.7, 0.7))
    write_ct_series(folder, stored, geometry=geometry, attributes=SeriesAttributes(intercept=-1024), compress=compress)
    return stored.nbytes


def make_many(folder: Path, slices: int, series: int = 1) -> None:
    """Write very many small slices, in so many series: what counts is the number of files."""
    origins, spacing = np.zeros((1, 3)), (1.0, 1.0)
    image = np.random.default_rng(0).integers(0, 2000, (1, 16, 16)).astype(np.int16)
    geometry = Geometry(image.shape, origins, pixel_spacing=spacing)
    (template,) = write_ct_series(
        folder / "first", image, geometry=geometry, attributes=SeriesAttributes(intercept=-1024)
    )
    dataset = pydicom.dcmread(template)
    template.unlink()
    uid = dataset.SeriesInstanceUID
    for number in range(slices):
        part = number * series // slices
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{uid[:40]}.{number + 1}"
        dataset.SeriesInstanceUID, dataset.SeriesNumber = f"{uid[:40]}.9.{part + 1}", part + 1
        dataset.InstanceNumber, dataset.ImagePositionPatient = number + 1, [0, 0, -0.5 * number]
        dataset.save_as(folder / f"{number:05d}.dcm")


def make_study(work: Path, slices: int) -> Path:
    """A generated chest of 512 x 512 pixels, of the sample study's kind, as a DICOM folder."""
    from dataclasses import replace

    from ctviewer.core.events import Done
    from ctviewer.datasets.sample import SAMPLE_SPEC, sample_study

    events = sample_study(work / "study", replace(SAMPLE_SPEC, slices=slices))
    return next(event.value for event in events if isinstance(event, Done))


def table(rows: Sequence[tuple[str, Row]]) -> str:
    """The rows as aligned text."""
    cells = [(bench, row.what, f"{row.value:.4g}", row.unit, row.aim) for bench, row in rows]
    cells.insert(0, ("bench", "what", "value", "unit", "aim"))
    widths = [max(len(line[i]) for line in cells) for i in range(5)]
    lines = []
    for bench, what, value, unit, aim in cells:
        line = f"{bench:{widths[0]}}  {what:{widths[1]}}  {value:>{widths[2]}} {unit:{widths[3]}}  {aim}"
        lines.append(line.rstrip())
    lines.insert(1, "-" * (sum(widths) + 7))
    return "\n".join(lines)


def as_json(rows: Sequence[tuple[str, Row]]) -> str:
    """The rows for a machine."""
    return json.dumps([{"bench": bench, **vars(row)} for bench, row in rows], indent=2)
