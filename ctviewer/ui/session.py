"""What is open and where the reader is: the one owner of volume, slice and window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QObject, Signal

from ctviewer.core.series import Catalog, Series
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import PRESETS, Voi


class Session(QObject):
    """State of one reading position. Widgets listen; presenters change it.

    Slices are volume indices everywhere; *positions* are places in the order shown (0 is shown first, the head in an
    axial series). Only the strip and the words "slice 63/148" speak of positions.
    """

    catalog_changed = Signal(object)  # Catalog | None
    series_changed = Signal(object)  # Series | None: chosen, perhaps not loaded yet
    volume_changed = Signal(object)  # Volume | None
    slices_loaded = Signal(object)  # tuple of volume indices
    slice_changed = Signal(int)  # volume index
    window_changed = Signal(object)  # Voi: a window, or a table of the file

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.catalog: Catalog | None = None
        self.series: Series | None = None
        self.volume: Volume | None = None
        self.index = 0
        self.window: Voi = PRESETS[0]
        self._order = np.zeros(0, np.intp)
        self._positions = np.zeros(0, np.intp)

    def set_catalog(self, catalog: Catalog | None) -> None:
        """Replace what the last scan found."""
        self.catalog = catalog
        self.catalog_changed.emit(catalog)

    def set_series(self, series: Series | None) -> None:
        """Choose a series; its volume follows when its first slice is decoded."""
        self.series = series
        self.series_changed.emit(series)

    def set_volume(self, volume: Volume | None, index: int | None = None, window: Voi | None = None) -> None:
        """Show a volume, at its middle slice and first window unless told otherwise."""
        self.volume = volume
        count = volume.slice_count if volume else 0
        self._order = volume.geometry.display_order if volume else np.zeros(0, np.intp)
        self._positions = np.empty(count, np.intp)
        self._positions[self._order] = np.arange(count)
        if volume:
            self.index = volume.middle if index is None or not 0 <= index < count else index
            self.window = window or volume.initial_window
        self.volume_changed.emit(volume)
        if volume:
            self.window_changed.emit(self.window)
            self.slice_changed.emit(self.index)

    def announce_loaded(self, indices: Sequence[int]) -> None:
        """Tell the widgets that these slices are decoded."""
        self.slices_loaded.emit(tuple(indices))

    @property
    def slice_count(self) -> int:
        """Slices of the open volume, 0 without one."""
        return self.volume.slice_count if self.volume else 0

    @property
    def position(self) -> int:
        """Display position of the current slice."""
        return int(self._positions[self.index]) if self.volume else 0

    @property
    def display_order(self) -> np.ndarray:
        """`[slices]` volume index at each display position."""
        return self._order

    def position_of(self, index: int) -> int:
        """Display position of a volume index."""
        return int(self._positions[index])

    def index_at(self, position: int) -> int:
        """Volume index at a display position, clamped to the stack."""
        return int(self._order[min(max(position, 0), len(self._order) - 1)])

    def go_to(self, index: int) -> None:
        """Show a slice by volume index; out of range is clamped."""
        if self.volume is None:
            return
        index = min(max(int(index), 0), self.slice_count - 1)
        if index != self.index:
            self.index = index
            self.slice_changed.emit(index)

    def go_to_position(self, position: int) -> None:
        """Show the slice at a display position."""
        if self.volume is not None:
            self.go_to(self.index_at(position))

    def step(self, slices: int) -> None:
        """Move by display positions: positive towards the end shown last."""
        self.go_to_position(self.position + slices)

    def set_window(self, window: Voi) -> None:
        """Change window width and level. Scrolling never does."""
        if window != self.window:
            self.window = window
            self.window_changed.emit(window)
