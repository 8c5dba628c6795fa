"""What scanning and loading yield beside `core.events`."""

from __future__ import annotations

from dataclasses import dataclass

from ctviewer.core.events import Event
from ctviewer.core.series import Notice, Series
from ctviewer.core.volume import Volume


@dataclass(frozen=True)
class SeriesFound(Event):
    """A series is known in full; the catalog that ends the scan holds it too."""

    series: Series


@dataclass(frozen=True)
class VolumeReady(Event):
    """The volume exists and its first wanted slice is decoded; the others follow in place."""

    volume: Volume


@dataclass(frozen=True)
class SlicesLoaded(Event):
    """These volume indices are decoded now and will not be written again."""

    indices: tuple[int, ...]


@dataclass(frozen=True)
class VolumeTold(Event):
    """What reading the slices brought to light; the series itself cannot hold it, it was made before."""

    notices: tuple[Notice, ...]


@dataclass(frozen=True)
class SlicesFailed(Event):
    """Slices that could not be decoded; `notice.slices` are their volume indices."""

    notice: Notice
