"""Volumes that one file, or one file per slice, holds as a plain array: what NIfTI and MetaImage have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.series import Notice, Severity
from ctviewer.core.volume import Volume
from ctviewer.dicom.formats.inflate import Inflated
from ctviewer.dicom.formats.placement import Placement
from ctviewer.dicom.formats.rounding import PADDING, is_wide, to_stored
from ctviewer.dicom.naming import named
from ctviewer.dicom.pixels import Stored, fill
from ctviewer.dicom.storage import open_file
from ctviewer.dicom.wording import slices


@dataclass(frozen=True, eq=False)
class Rounded:
    """What was found while slices of a floating point or wide integer image were read; one per series.

    Attributes:
        errors: volume index and the largest error of slices that had to be rounded.
        empty: volume index and number of voxels that are no number.
    """

    errors: dict[int, float] = field(default_factory=dict)
    empty: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GridSource:
    """One slice of an array on disk.

    Attributes:
        path: the file with the values.
        offset: of the slice's first byte, in the inflated data where there are such.
        dtype: as stored, with its byte order.
        placement: how a plane of the file becomes a slice.
        index: volume index, for what is told of the slice.
        scale: slope and intercept by which the file scales its values.
        inflated: the inflated data; None where the file is not compressed.
        rounded: where to note what rounding did.
    """

    path: Path
    offset: int
    dtype: np.dtype[Any]
    placement: Placement
    index: int
    scale: tuple[float, float]
    inflated: Inflated | None
    rounded: Rounded

    def read(self, out: Stored) -> tuple[float, float] | None:
        """Read the slice into `out`; see `SliceSource.read`.

        Raises:
            DecodeError: the data are damaged or cut off.
        """
        place = self.placement
        plain = not (place.transposed or place.flipped_rows or place.flipped_columns)
        if plain and self.dtype == out.dtype:  # straight into place: no copy
            self._fill(out.data.cast("B"))
            return None
        shape = out.shape[::-1] if place.transposed else out.shape
        plane = np.empty(shape, self.dtype)
        self._fill(plane.data.cast("B"))
        slice_ = place.turned(plane)
        if not is_wide(self.dtype):
            out[...] = slice_
            return None
        return self._rounded(slice_, out.view(np.int16))

    def _rounded(self, values: NDArray[Any], out: NDArray[np.int16]) -> tuple[float, float]:
        slope, intercept, error = to_stored(values, out)
        if error:
            self.rounded.errors[self.index] = error * abs(self.scale[0])
        if self.dtype.kind == "f" and (empty := int((out == PADDING).sum())):
            self.rounded.empty[self.index] = empty
        return slope * self.scale[0], intercept * self.scale[0] + self.scale[1]

    def _fill(self, target: memoryview) -> None:
        with named(self.path):
            if self.inflated is not None:
                self.inflated.read_into(self.offset, target)
                return
            with open_file(self.path) as (file, _):
                file.seek(self.offset)
                fill(file, target)


def after_loading(rounded: Rounded) -> Callable[[Volume], tuple[Notice, ...]]:
    """What there is to tell of rounding and of voxels without a number, once all slices were read."""

    def tell(volume: Volume) -> tuple[Notice, ...]:
        return tuple(_notices(rounded, volume))

    return tell


def _notices(rounded: Rounded, volume: Volume) -> Iterator[Notice]:
    if rounded.errors:
        indices = sorted(rounded.errors)
        step = max(abs(float(volume.slope[i])) for i in indices)
        text = (
            f"The file holds values with more digits than 16 bits can keep: {_slices(indices, volume)} rounded to steps of "
            f"{step:.3g} at most, so a value is off by up to {max(rounded.errors.values()):.3g}."
        )
        yield Notice("values-rounded", Severity.INFO, text, _named(indices, volume))
    if rounded.empty:
        indices = sorted(rounded.empty)
        total = sum(rounded.empty.values())
        text = f"{total:,} {'voxel' if total == 1 else 'voxels'} in {_slices(indices, volume)} hold no number (NaN, infinite "
        text += "or above 1e12) and are left out of all measurements."
        yield Notice("not-a-number", Severity.WARNING, text, _named(indices, volume))


def _slices(indices: Sequence[int], volume: Volume) -> str:
    if len(indices) == volume.slice_count:
        return "all slices"
    return slices(len(indices))


def _named(indices: Sequence[int], volume: Volume) -> tuple[int, ...]:
    return () if len(indices) == volume.slice_count else tuple(indices)
