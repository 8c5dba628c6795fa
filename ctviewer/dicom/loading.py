"""Loading the pixels of a series: the slice on screen first, then its neighbours outwards, on all cores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypedDict

import numpy as np

from ctviewer.core.errors import DecodeError, InputError
from ctviewer.core.events import Done, Event
from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Notice, Series, Severity
from ctviewer.core.threads import cores, lower_thread_priority
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import Voi
from ctviewer.dicom.events import SlicesFailed, SlicesLoaded, VolumeReady, VolumeTold
from ctviewer.dicom.memory import require_memory
from ctviewer.dicom.pixels import empty
from ctviewer.dicom.stack import Stack, stack_of
from ctviewer.dicom.storage import keeping
from ctviewer.dicom.text import visible
from ctviewer.dicom.wording import listed, slices

_REPORT_SECONDS = 0.02
_MOST_THREADS = 8


def load(series: Series, first: int | None = None, focus: Callable[[], int] | None = None) -> Iterator[Event]:
    """Load a series into one volume of 16-bit stored values.

    Args:
        series: from `scan`, readable.
        first: volume index to decode before all others; the middle one by default.
        focus: gives the volume index on screen now; slices nearest to it are decoded next. `first` by default.

    Yields:
        `VolumeReady` as soon as one slice is there, `SlicesLoaded` as more follow, `SlicesFailed` if some could not be
        decoded, `VolumeTold` where reading brought something to light, and `Done` with the volume. Closing the
        generator stops and joins its threads.

    Raises:
        InputError: the series cannot be shown (`series.reason` says why), or does not fit into memory.
        DecodeError: no slice at all could be decoded.
    """
    stack = stack_of(series)
    volume = _volume(series, stack)
    loader = _Loader(volume, stack)
    start = min(max(volume.middle if first is None else first, 0), volume.slice_count - 1)
    with keeping():
        loader.load_one_near(start)
        yield VolumeReady(volume)
        yield from loader.load_rest(focus or (lambda: start))
    if loader.errors:
        yield SlicesFailed(_failed_notice(volume, loader.errors))
    if stack.afterwards is not None and (told := stack.afterwards(volume)):
        yield VolumeTold(told)
    yield Done(volume)


def load_volume(series: Series) -> Volume:
    """Load a whole series.

    Raises:
        InputError: the series cannot be shown.
        DecodeError: no slice at all could be decoded.
    """
    volume: Volume | None = None
    for event in load(series):
        if isinstance(event, VolumeReady):
            volume = event.volume
    assert volume is not None  # load yields one or raises
    return volume


def load_middle(series: Series) -> Volume:
    """A volume of one slice, the middle one, without positions: enough for a thumbnail.

    Raises:
        InputError: the series cannot be shown.
        DecodeError: the slice cannot be decoded.
    """
    stack = stack_of(series)
    index = len(stack.sources) // 2
    only = slice(index, index + 1)
    shape = (1, series.rows, series.columns)
    stored = empty(shape, signed=stack.signed)
    rescale = stack.sources[index].read(stored[0])
    slope, intercept = (stack.slope[only], stack.intercept[only]) if rescale is None else map(np.atleast_1d, rescale)
    geometry = Geometry(shape, None, pixel_spacing=series.pixel_spacing)
    return Volume(series, geometry, stored, slope, intercept, **_meaning(stack))


def _volume(series: Series, stack: Stack) -> Volume:
    shape = stack.geometry.shape
    name = f"The series of {visible(str(series.slices[0].path))}"
    require_memory(shape, name)
    try:
        stored = empty(shape, signed=stack.signed)
    except (MemoryError, ValueError) as error:  # a limit of this process's own
        raise InputError(f"{name} needs more memory than this program may use.") from error
    return Volume(
        series,
        stack.geometry,
        stored,
        stack.slope.copy(),
        stack.intercept.copy(),
        loaded=np.zeros(shape[0], bool),
        failed=np.zeros(shape[0], bool),
        **_meaning(stack),
    )


class _Meaning(TypedDict):
    unit: str
    padding: tuple[int, int] | None
    inverted: bool
    windows: tuple[Voi, ...]


def _meaning(stack: Stack) -> _Meaning:
    return {
        "unit": stack.unit,
        "padding": stack.padding,
        "inverted": stack.inverted,
        "windows": stack.windows,
    }


class _Loader:
    """Decodes slices into a volume. Each slice is written by one thread, once."""

    def __init__(self, volume: Volume, stack: Stack) -> None:
        self._volume, self._stack = volume, stack
        self._waiting = np.ones(volume.slice_count, bool)
        self._indices = np.arange(volume.slice_count)
        self.errors: dict[int, str] = {}

    def load_one_near(self, index: int) -> None:
        """Decode the slice nearest to `index` that can be decoded.

        Raises:
            DecodeError: none can.
        """
        while (nearest := self._take(index)) is not None:
            self._finish(nearest, self._decode(nearest))
            if nearest not in self.errors:
                return
        raise DecodeError(next(iter(self.errors.values())))

    def load_rest(self, focus: Callable[[], int]) -> Iterator[Event]:
        """Decode all slices that are left, nearest to `focus()` first."""
        threads = min(cores(), _MOST_THREADS) + 1  # one reads while the others wait for their decoder processes
        pool = ThreadPoolExecutor(threads, "decode", lower_thread_priority)
        results: SimpleQueue[Future[tuple[int, str]]] = SimpleQueue()
        running, fresh, told = 0, [], time.monotonic()
        try:
            while True:
                while running < 2 * threads and (index := self._take(focus())) is not None:
                    pool.submit(self._work, index).add_done_callback(results.put)
                    running += 1
                if not running:
                    break
                index, error = results.get().result()
                running -= 1
                self._finish(index, error)
                if not error:
                    fresh.append(index)
                if fresh and time.monotonic() - told > _REPORT_SECONDS:
                    yield SlicesLoaded(tuple(fresh))
                    fresh, told = [], time.monotonic()
            if fresh:
                yield SlicesLoaded(tuple(fresh))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _take(self, wanted: int) -> int | None:
        """The waiting slice nearest to `wanted`, None when none is left."""
        left = self._indices[self._waiting]
        if not left.size:
            return None
        nearest = int(left[np.argmin(np.abs(left - wanted))])
        self._waiting[nearest] = False
        return nearest

    def _work(self, index: int) -> tuple[int, str]:
        return index, self._decode(index)

    def _decode(self, index: int) -> str:
        """Decode one slice in place; the reason if that failed, else an empty string."""
        try:
            rescale = self._stack.sources[index].read(self._volume.stored[index])
        except DecodeError as error:
            return str(error)
        if rescale is not None:
            self._volume.slope[index], self._volume.intercept[index] = rescale
        if overlays := self._stack.overlays.get(index):
            self._volume.overlays[index] = overlays.read()
        return ""

    def _finish(self, index: int, error: str) -> None:
        if error:
            self.errors[index] = error
            self._volume.stored[index] = self._stack.filler(index)
            self._volume.failed[index] = True
        self._volume.loaded[index] = True


def _failed_notice(volume: Volume, errors: dict[int, str]) -> Notice:
    indices = tuple(sorted(errors))
    cited = listed([volume.citation(i) for i in indices])
    text = f"{slices(len(indices))} could not be decoded and left empty: {cited}. {errors[indices[0]]}"
    paths = tuple(volume.series.slices[i].path for i in indices)
    return Notice("failed-slices", Severity.DANGER, text, indices, paths)
