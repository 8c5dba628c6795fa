"""The real window: folder chosen to first image, whole series, a slice step with overlays, gaps while an analysis runs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from harness import Row, make_many, make_series, make_study, milliseconds
from PySide6.QtCore import QEventLoop, Qt, QTimer

PATIENCE_S = 900


def wait(condition: Callable[[], bool]) -> float:
    """Run a real event loop until a condition holds, looked at every 2 ms; seconds it took."""
    loop, poll = QEventLoop(), QTimer()
    start = time.perf_counter()

    def look() -> None:
        if condition() or time.perf_counter() - start > PATIENCE_S:
            loop.quit()

    poll.setTimerType(Qt.TimerType.PreciseTimer)
    poll.timeout.connect(look)
    poll.start(2)
    loop.exec()
    poll.stop()
    if not condition():
        raise TimeoutError("the window did not get there")
    return time.perf_counter() - start


class Gaps:
    """The longest time between two ticks of a 5 ms timer: what a reader feels as a stutter."""

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._tick)
        self.gaps: list[float] = []
        self._last = time.perf_counter()
        self._timer.start()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.gaps.append(now - self._last)
        self._last = now

    def stop(self) -> float:
        self._timer.stop()
        return max(self.gaps)


class Memory:
    """Resident memory of this process in MB, as the system counts it: no thread of ours looks on and disturbs the gaps."""

    @staticmethod
    def now() -> float:
        return Memory._status("VmRSS")

    @staticmethod
    def start() -> None:
        Path("/proc/self/clear_refs").write_text("5")

    @staticmethod
    def peak() -> float:
        """Highest since `start`."""
        return Memory._status("VmHWM")

    @staticmethod
    def _status(key: str) -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024 / 1e6


def run(work: Path) -> Iterator[Row]:
    """All of it in one window, as a reader would go through it."""
    from ctviewer.app.gui import make_application, make_window
    from ctviewer.core.garbage import spare_what_is_there

    app = make_application()
    window = make_window(app)
    window._idle.stop()  # torch comes with the analysis here, not before it: the worst case
    window.resize(1280, 900)
    window.show()
    wait(window.isVisible)
    spare_what_is_there()  # as `run_gui` does
    yield from opening(window, work)
    yield from many_files(window, work)
    yield from analysing(window, make_study(work, 120))
    window.close()
    app.processEvents()


def opening(window: Any, work: Path) -> Iterator[Row]:
    """Folder chosen to first image and to all slices: 300 uncompressed slices, a warm page cache."""
    folder = work / "series"
    size = make_series(folder, 300)
    first, whole = [], []
    before = Memory.now()
    for _ in range(3):
        window.session.set_volume(None)
        window.session.set_series(None)
        start = time.perf_counter()
        window.open_path(folder)
        wait(lambda: window.session.volume is not None and window.session.volume.loaded[window.session.index])
        window.parts.view.repaint()
        first.append(time.perf_counter() - start)
        wait(lambda: window.opening.complete)
        whole.append(time.perf_counter() - start)
        wait(lambda: window.reading.reading is not None)
    yield Row("folder chosen to first image, 300 slices", min(first), "s", "< 0.3")
    yield Row("whole series of 300 slices", min(whole), "s")
    yield Row("memory for it / size as int16", (Memory.now() - before) * 1e6 / size, "x")


def many_files(window: Any, work: Path) -> Iterator[Row]:
    """10,000 small files, as one series and as 500: the longest gap of the event loop, and how soon a scan is cancelled."""
    for series, name in ((1, "one series"), (500, "500 series")):
        folder = work / f"many{series}"
        make_many(folder, 10_000, series)
        window.open_path(folder)
        wait(lambda: window.opening.is_scanning)
        gaps = Gaps()
        start = time.perf_counter()
        wait(lambda: not window.opening.is_scanning)
        scanned = time.perf_counter() - start
        wait(lambda: window.opening.complete and window.reading.reading is not None)
        yield Row(f"10,000 files in {name}: scanned", scanned, "s")
        wait(lambda: not window._jobs.active)
        yield Row(
            f"10,000 files in {name}: longest gap of the event loop until all is there",
            gaps.stop() * 1000,
            "ms",
            "< 100",
        )
    view, session = window.parts.view, window.session

    def step(i: int) -> None:
        session.go_to_position(i * 37 % session.slice_count)
        view.repaint()
        window.parts.strip.repaint()

    window.open_path(work / "many1")
    wait(lambda: window.opening.is_scanning)
    wait(lambda: not window.opening.is_scanning and window.opening.complete)
    yield Row("slice step to painted, 10,000 slices, p95", milliseconds(step, 240)[1], "ms", "< 16")
    window.open_path(work / "many500")
    wait(lambda: window.opening.is_scanning)
    until = time.perf_counter() + 0.3
    wait(lambda: time.perf_counter() > until)
    start = time.perf_counter()
    window.opening.cancel_scan()
    answered = time.perf_counter() - start
    wait(lambda: not any(thread.name == "scan" for thread in threading.enumerate()))
    yield Row("cancel of a scan to the window's answer", answered * 1000, "ms", "< 16")
    yield Row("cancel of a scan to its thread's end", (time.perf_counter() - start) * 1000, "ms", "< 200")


def analysing(window: Any, folder: Path) -> Iterator[Row]:
    """From the click on Analyse to its end, torch's import and the building of the nets included."""
    window.open_path(folder)
    wait(lambda: window.reading.reading is not None and window.session.slice_count == 120)
    volume, before = window.session.volume, Memory.now()
    weights = sum(p.stat().st_size for p in Path("resources/bundles").glob("*/*.safetensors")) * 2 / 1e6  # as float32
    Memory.start()
    gaps = Gaps()
    window.actions_["analyse"].trigger()
    seconds = wait(lambda: not window.analysing.busy)
    gap, peak = gaps.stop(), Memory.peak()
    if window.analysing.state.result is None:
        raise RuntimeError(window.analysing.state.text or "no result")
    yield Row("analysis of 120 slices, first time", seconds, "s")
    yield Row("longest gap of the event loop meanwhile", gap * 1000, "ms", "< 100")
    ordered = sorted(gaps.gaps)
    yield Row("99.9th percentile of the gaps", ordered[int(0.999 * (len(ordered) - 1))] * 1000, "ms")
    series = volume.stored.nbytes / 1e6
    yield Row("peak memory", peak, "MB")
    yield Row("torch, nets and analysis on top of the open series", peak - before, "MB")
    yield Row("peak memory of the analysis / series as int16", peak / series, "x")
    yield Row("series as int16", series, "MB")
    yield Row("weights as float32", weights, "MB")

    view, session = window.parts.view, window.session

    def step(i: int) -> None:
        session.go_to_position(i % session.slice_count)
        view.repaint()
        window.parts.strip.repaint()

    median, p95 = milliseconds(step, 240)
    yield Row("slice step to painted, with overlays, median", median, "ms")
    yield Row("slice step to painted, with overlays, p95", p95, "ms", "< 16")
