"""Volumes that stay in memory, so that going back to a series is instant: within a budget, least recently used goes first."""

from __future__ import annotations

from dataclasses import dataclass

from ctviewer.core.series import Notice, Series
from ctviewer.core.volume import Volume


@dataclass(frozen=True, eq=False)
class Kept:
    """A complete volume.

    Attributes:
        volume: all its slices are loaded, or failed.
        notices: what came up while it was loaded.
    """

    volume: Volume
    notices: tuple[Notice, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of its stored values."""
        return int(self.volume.stored.nbytes)


def size_of(series: Series) -> int:
    """Bytes that a series will take as a volume."""
    return 2 * len(series.slices) * series.rows * series.columns


class VolumeCache:
    """Complete volumes by series key, the one used last at the end. Belongs to one thread.

    The budget is for all volumes in memory together. The volume that is open counts, and is never dropped by it.

    Args:
        budget: bytes; 0 keeps the open one alone.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._kept: dict[str, Kept] = {}
        self._open = ""

    @property
    def budget(self) -> int:
        """Bytes."""
        return self._budget

    @property
    def used(self) -> int:
        """Bytes of all volumes that are kept."""
        return sum(kept.size for kept in self._kept.values())

    @property
    def kept(self) -> tuple[Kept, ...]:
        """What is kept, used last comes first."""
        return tuple(reversed(self._kept.values()))

    def set_budget(self, budget: int) -> None:
        """Change the budget; what no longer fits goes at once."""
        self._budget = budget
        self._shrink(0)

    def open(self, series: Series) -> Kept | None:
        """A series is about to be shown: its volume where it is kept, else None, and then room was made for it."""
        self._open = series.key
        found = self._kept.pop(series.key, None)
        if found is None or found.volume.series is not series:  # the folder was scanned anew: its files may be others
            self._shrink(size_of(series))
            return None
        self._kept[series.key] = found
        return found

    def holds(self, volume: Volume) -> bool:
        """Whether this very volume is kept."""
        return any(kept.volume is volume for kept in self._kept.values())

    def fits(self, volume: Volume, series: Series) -> bool:
        """Whether a volume that is not kept may stay on screen while a series is loaded."""
        return self.used + int(volume.stored.nbytes) + size_of(series) <= self._budget

    def give_back(self, size: int) -> None:
        """Drop at least so many bytes, or all but the open one: the machine is short of memory, whatever the budget."""
        self._shrink(self._budget - self.used + size)

    def put(self, kept: Kept) -> None:
        """Keep a volume that has loaded; it is the one used last."""
        key = kept.volume.series.key
        self._kept.pop(key, None)
        self._kept[key] = kept
        self._shrink(0)

    def clear(self) -> None:
        """Drop all of them: another folder is open."""
        self._kept.clear()
        self._open = ""

    def _shrink(self, more: int) -> None:
        """Drop what was not used for longest until the rest and `more` bytes fit."""
        for key in list(self._kept):
            if self.used + more <= self._budget:
                return
            if key != self._open:
                del self._kept[key]
