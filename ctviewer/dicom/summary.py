"""From a scanned series to what there is to know of it, and the range of its values without holding them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import Any

import numpy as np

from ctviewer.core.errors import DecodeError
from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.geometry import Vector
from ctviewer.core.series import Notice, Series
from ctviewer.core.summary import Concern, Extremes, Order, SeriesSummary, SliceMention, extremes, joined
from ctviewer.core.threads import lower_thread_priority
from ctviewer.dicom.pixels import PixelSource, empty
from ctviewer.dicom.stack import Stack, stack_of
from ctviewer.dicom.syntaxes import syntax_name
from ctviewer.dicom.text import clean

_THREADS = 4
_Places = Sequence[tuple[float, str]]  # of each slice: mm along the normal, and in words


def summarise(series: Series) -> SeriesSummary:
    """All that the headers say of a series, with its warnings; reads no file."""
    stack = series.private if isinstance(series.private, Stack) else None
    shared: dict[str, Any] = {
        name: getattr(series, name)
        for name in (
            *("key", "uid", "number", "description", "modality", "readable", "reason", "rows", "columns", "body_part"),
            *("kernel", "manufacturer", "model_name", "kvp", "contrast_agent", "image_type", "is_localizer"),
            *("pixel_spacing", "slice_spacing", "thickness", "use", "use_reason", "questions"),
        )
    }
    places = _places(stack)
    return SeriesSummary(
        **shared,
        slice_count=len(series.slices),
        plane=series.plane.value,
        lossy_slices=sum(one.lossy for one in series.slices),
        compression_ratio=max((one.compression_ratio or 0.0 for one in series.slices), default=0.0) or None,
        warnings=tuple(concern(notice, series, places) for notice in series.notices),
        **({} if stack is None else _of_stack(series, stack, places)),
    )


def concern(notice: Notice, series: Series | None = None, places: _Places | None = None) -> Concern:
    """A notice with its slices by name; without a series, of a folder."""
    slices = () if series is None else tuple(_mention(series, index, places) for index in notice.slices)
    files = () if slices else tuple(_name(path) for path in notice.paths)
    return Concern(notice.code, notice.severity, notice.text, slices, files)


def concerns(series: Series, notices: Sequence[Notice]) -> tuple[Concern, ...]:
    """Notices that came up while the series was loaded."""
    places = _places(series.private if notices and isinstance(series.private, Stack) else None)
    return tuple(concern(notice, series, places) for notice in notices)


def measure(series: Series) -> Iterator[Event]:
    """The range of a series' values, read slice by slice; slices that fail are counted.

    Yields:
        `Progress`, last `Done` with a `core.summary.ValueRange`.

    Raises:
        InputError: the series cannot be shown.
    """
    stack = stack_of(series)
    found: list[Extremes] = []
    failed: dict[int, str] = {}
    total = len(stack.sources)
    reader = _Reader(stack)
    pool = ThreadPoolExecutor(_THREADS, "measure", lower_thread_priority)
    try:
        for index, (ends, error) in enumerate(pool.map(reader.read, range(total))):
            if error:
                failed[index] = error
            elif ends is not None:
                found.append(ends)
            yield Progress("Measuring values", index + 1, total)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    yield Done(joined(found, stack.unit, failed))


class _Reader:
    """Reads one slice at a time into memory of its thread."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._memory = local()

    def read(self, index: int) -> tuple[Extremes | None, str]:
        """Lowest and highest value of a slice, or why it cannot be decoded."""
        stack = self._stack
        out = getattr(self._memory, "out", None)
        if out is None:
            out = self._memory.out = empty(stack.geometry.shape[1:], signed=stack.signed)
        try:
            rescale = stack.sources[index].read(out) or (float(stack.slope[index]), float(stack.intercept[index]))
        except DecodeError as error:
            return None, str(error)
        return extremes(out, stack.padding, *rescale), ""


def _of_stack(series: Series, stack: Stack, places: _Places | None) -> dict[str, Any]:
    geometry = stack.geometry
    sources = [one for one in stack.sources if isinstance(one, PixelSource)]
    syntaxes = Counter(one.syntax for one in sources)
    bits = Counter((one.format.bits_stored, one.format.bits_allocated) for one in sources)
    placed = geometry.origins is not None
    return {
        "row_cosines": _vector(geometry.row_cosines) if placed else None,
        "column_cosines": _vector(geometry.column_cosines) if placed else None,
        "letters": geometry.edge_letters(),
        "order": _order(series, placed),
        "slices": tuple(_mention(series, index, places) for index in geometry.display_order.tolist()),
        "syntaxes": tuple((uid, syntax_name(uid), count) for uid, count in syntaxes.most_common())
        or (("", series.transfer_syntax, len(series.slices)),),
        "bits": tuple((stored, allocated, count) for (stored, allocated), count in bits.most_common()),
        "signed": stack.signed,
        "unit": stack.unit,
        "slopes": (float(stack.slope.min()), float(stack.slope.max())),
        "intercepts": (float(stack.intercept.min()), float(stack.intercept.max())),
        "windows": stack.windows,
        "padding": stack.padding,
        "inverted": stack.inverted,
    }


def _order(series: Series, placed: bool) -> Order:
    if placed:
        return Order.POSITION
    if not series.uid and not series.slices[0].sop_instance_uid:
        return Order.FILE_NAME  # no DICOM: what numbers there are come from the names
    numbers = {one.instance_number for one in series.slices} - {None}
    return Order.IMAGE_NUMBER if len(numbers) == len(series.slices) else Order.FILE_NAME


def _places(stack: Stack | None) -> _Places | None:
    found = None if stack is None else stack.geometry.locations
    if stack is None or found is None:
        return None
    return list(zip(np.round(found, 4).tolist(), stack.geometry.place_texts, strict=True))


def _mention(series: Series, index: int, places: _Places | None) -> SliceMention:
    one = series.slices[index]
    location, text = (None, "") if places is None else places[index]
    location = None if location is None else location + 0.0  # -0.0 is 0.0
    return SliceMention(index, series.citation(index), location, _name(one.path), one.frame, text)


def _name(path: Path) -> str:
    return clean(path.name) or "unnamed"


def _vector(axis: Vector) -> Vector:
    x, y, z = (round(value, 6) + 0.0 for value in axis)
    return x, y, z
