"""A CT volume in memory: 16-bit stored values once, with what turns them into Hounsfield units."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Series
from ctviewer.core.windowing import PRESETS, Window


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
        windows: the file's own windows, of the middle slice, in file order.
        loaded: `[slices]` bool.
        failed: `[slices]` bool: could not be decoded; its stored values are the padding or zero.
    """

    series: Series
    geometry: Geometry
    stored: NDArray[np.int16] | NDArray[np.uint16]
    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]
    unit: str = "HU"
    padding: tuple[int, int] | None = None
    inverted: bool = False
    windows: tuple[Window, ...] = ()
    loaded: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    failed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))

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
    def initial_window(self) -> Window:
        """The middle slice's first window, else the lung preset for HU, else its value range, padding left out."""
        if self.windows:
            return self.windows[0]
        if self.unit == "HU":
            return PRESETS[0]
        values = self.hu(self.middle)
        valid = self.valid(self.middle)
        values = values[valid] if valid.any() else values
        low, high = float(values.min()), float(values.max())
        return Window((low + high) / 2, max(1.0, high - low))

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
        """`[rows, columns]`: what is not padding."""
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
