"""What loading a series needs: the `private` part of a `Series`, whatever kind of file it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Notice, Series
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import Voi
from ctviewer.dicom import tags
from ctviewer.dicom.ordering import geometry_of
from ctviewer.dicom.overlays import OverlaySource, overlay_sources
from ctviewer.dicom.pixels import NoSource, PixelSource, SliceSource
from ctviewer.dicom.record import Slice
from ctviewer.dicom.values import is_inverted, modality_lut, padding_of, unit_of, windows_of


@dataclass(frozen=True, eq=False)
class Stack:
    """Sources of the slices of one series and the meaning of their values, in volume order.

    Attributes:
        signed: whether the stored values are int16 in memory, else uint16.
        slope, intercept: `[slices]`.
        unit, padding, inverted, windows: as in `core.volume.Volume`.
        overlays: where the overlay planes of a slice come from, for those that have some.
        afterwards: what reading the slices brought to light, asked for once all are loaded; None where there is nothing.
    """

    geometry: Geometry
    sources: tuple[SliceSource, ...]
    signed: bool
    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]
    unit: str
    padding: tuple[int, int] | None
    inverted: bool
    windows: tuple[Voi, ...]
    overlays: Mapping[int, OverlaySource] = field(default_factory=dict)
    afterwards: Callable[[Volume], tuple[Notice, ...]] | None = None

    @classmethod
    def from_slices(cls, stack: Sequence[Slice]) -> Stack:
        """Build it from slices in volume order."""
        luts = [modality_lut(one) if one.header.has(tags.MODALITY_LUT_SEQUENCE) else None for one in stack]
        tables = [None if lut is None else lut[0] for lut in luts]
        middle = len(stack) // 2
        units = {_unit(one, lut) for one, lut in zip(stack, luts, strict=True)}
        mapped = any(table is not None for table in tables)
        rescales = [
            (1.0, 0.0) if table is not None else one.rescale or (1.0, 0.0)
            for one, table in zip(stack, tables, strict=True)
        ]
        sources = tuple(_source(one, table) for one, table in zip(stack, tables, strict=True))
        return cls(
            geometry=geometry_of(stack),
            sources=sources,
            signed=any(one.signed for one in stack) and not mapped,
            slope=np.array([pair[0] for pair in rescales]),
            intercept=np.array([pair[1] for pair in rescales]),
            unit=units.pop() if len(units) == 1 else "",
            padding=None if mapped else padding_of(stack)[0],  # after the table the padding value is any other value
            inverted=is_inverted(stack[middle]),
            windows=windows_of(stack[middle]),
            overlays=overlay_sources(stack, sources),
        )

    def filler(self, index: int) -> int:
        """The stored value that stands for nothing: padding, else air, else 0."""
        if self.padding is not None:
            return self.padding[0]
        if self.unit != "HU":
            return 0
        limits = np.iinfo(np.int16 if self.signed else np.uint16)
        air = round((-1000.0 - self.intercept[index]) / self.slope[index])
        return int(min(max(air, limits.min), limits.max))


def _unit(one: Slice, lut: tuple[object, str] | None) -> str:
    if lut is not None:
        return lut[1]
    return "" if one.header.has(tags.MODALITY_LUT_SEQUENCE) else unit_of(one)  # a table that cannot be read: unknown


def stack_of(series: Series) -> Stack:
    """What loading a series needs.

    Raises:
        InputError: the series cannot be shown; the text says why.
    """
    if not series.readable or not isinstance(series.private, Stack):
        raise InputError(series.reason or "This series cannot be opened.")
    return series.private


def _source(one: Slice, table: tuple[int, NDArray[np.uint16]] | None) -> PixelSource | NoSource:
    if one.pixels is None or one.pixel_format is None:
        return NoSource(one.path)
    return PixelSource(one.path, one.header.syntax, one.pixels, one.pixel_format, table)
