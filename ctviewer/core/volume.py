"""A CT volume in memory: 16-bit stored values once, with what turns them into Hounsfield units."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.geometry import Geometry
from ctviewer.core.overlays import OverlayPlane
from ctviewer.core.series import Series
from ctviewer.core.windowing import Voi, VoiFunction, Window, preset_for

_OUTLIERS = (0.5, 99.5)  # percentiles between which values are shown where nothing says how
_LOOK_AT = 1 << 16  # pixels are enough for them


@dataclass(frozen=True, eq=False)
class Volume:
    """Stored values of one series. Slice index runs along the right-handed normal (see `Geometry`).

    While a load is under way the loader fills `stored[i]` and then sets `loaded[i]`; after that nobody writes slice i.

    Attributes:
        series: where it comes from.
        geometry: where it lies; `geometry.shape` equals `stored.shape`.
        stored: `[slices, rows, columns]` int16 or uint16, as in the file (modality LUTs already applied).
        slope, intercept: `[slices]` float64, rescale per slice.
        unit: "HU", or the file's own unit.
        padding: stored values from..to (inclusive) that are padding, None where there is none.
        inverted: MONOCHROME1.
        windows: the file's own windows, then its tables, of the middle slice, in file order.
        overlays: overlay planes by slice, for those that have some; filled before `loaded` is set.
        loaded: `[slices]` bool.
        failed: `[slices]` bool: could not be decoded; its stored values stand for nothing (padding, or air).
    """

    series: Series
    geometry: Geometry
    stored: NDArray[np.int16] | NDArray[np.uint16]
    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]
    unit: str = "HU"
    padding: tuple[int, int] | None = None
    inverted: bool = False
    windows: tuple[Voi, ...] = ()
    overlays: dict[int, tuple[OverlayPlane, ...]] = field(default_factory=dict)
    loaded: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    failed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    _ranges: dict[int, Window] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        n = self.stored.shape[0]
        if self.stored.dtype not in (np.dtype(np.int16), np.dtype(np.uint16)) or self.stored.ndim != 3:
            raise ValueError("stored values must be [slices, rows, columns] of 16-bit integers")
        if tuple(self.geometry.shape) != tuple(self.stored.shape):
            raise ValueError("geometry and stored values differ in shape")
        if self.slope.shape != (n,) or self.intercept.shape != (n,):
            raise ValueError("slope and intercept need one value per slice")
        if self.loaded.shape != (n,):
            object.__setattr__(self, "loaded", np.ones(n, bool))
        if self.failed.shape != (n,):
            object.__setattr__(self, "failed", np.zeros(n, bool))

    @property
    def slice_count(self) -> int:
        """Number of slices."""
        return int(self.stored.shape[0])

    @property
    def signed(self) -> bool:
        """Whether the stored values are int16."""
        return self.stored.dtype == np.int16

    @property
    def middle(self) -> int:
        """Volume index of the slice shown first."""
        return self.slice_count // 2

    @property
    def initial_window(self) -> Voi:
        """What is shown first, and not changed by scrolling.

        The middle slice's first window or table; without any the preset for the body part for HU, else the range of
        values of the middle slice, or of the nearest one that is loaded.
        """
        if self.windows:
            return self.windows[0]
        if self.unit == "HU":
            return preset_for(self.series.body_part)
        ready = np.flatnonzero(self.loaded & ~self.failed)
        if not ready.size:
            return Window(0.5, 1.0, VoiFunction.LINEAR_EXACT)
        index = int(ready[np.argmin(np.abs(ready - self.middle))])
        if index not in self._ranges:
            self._ranges[index] = self._range_window(index)
        return self._ranges[index]

    def _range_window(self, index: int) -> Window:
        """From black to white over nearly all values of a slice, padding left out."""
        step = max(1, int(np.sqrt(self.stored[index].size / _LOOK_AT)))
        stored, valid = self.stored[index, ::step, ::step], self.valid(index)[::step, ::step]
        low, high = np.percentile(stored[valid] if valid.any() else stored, _OUTLIERS, method="nearest")
        ends = np.array([float(low), float(high)]) * float(self.slope[index]) + float(self.intercept[index])
        width = float(abs(ends[1] - ends[0])) or max(1.0, abs(float(self.slope[index])))
        return Window(float(ends.mean()), width, VoiFunction.LINEAR_EXACT)

    def hu(self, index: int) -> NDArray[np.float32]:
        """One slice `[rows, columns]` in the volume's unit (HU for CT): stored * slope + intercept, padding included."""
        return np.asarray(self.stored[index] * np.float32(self.slope[index]) + np.float32(self.intercept[index]))

    def value_at(self, index: int, row: int, column: int) -> float | None:
        """Value of one voxel in the volume's unit; None outside, for padding, or while the slice is not loaded."""
        n, rows, columns = self.stored.shape
        if not (0 <= index < n and 0 <= row < rows and 0 <= column < columns and self.loaded[index]):
            return None
        stored = int(self.stored[index, row, column])
        if self.failed[index] or (self.padding is not None and self.padding[0] <= stored <= self.padding[1]):
            return None
        return stored * float(self.slope[index]) + float(self.intercept[index])

    def valid(self, index: int) -> NDArray[np.bool_]:
        """`[rows, columns]`: what is not padding; nothing of a slice that could not be decoded."""
        if self.failed[index]:
            return np.zeros(self.stored.shape[1:], bool)
        if self.padding is None:
            return np.ones(self.stored.shape[1:], bool)
        low, high = self.padding
        return np.asarray((self.stored[index] < low) | (self.stored[index] > high))

    def slice_digest(self, index: int) -> str:
        """SHA-256 of one slice's stored values and position: the key of what is saved about it (hex)."""
        digest = hashlib.sha256(np.ascontiguousarray(self.stored[index]).data)
        if self.geometry.origins is not None:
            digest.update((np.round(self.geometry.origins[index], 4) + 0.0).tobytes())  # -0.0 is 0.0
        return digest.hexdigest()

    def citation(self, index: int) -> str:
        """How lists, reports and messages name a slice; see `Series.citation`."""
        return self.series.citation(index)
