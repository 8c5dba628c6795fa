"""Where training gets its studies from. `datasets` implements the protocol; `app` or a script joins the two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.slices import LabelledSlices
from ctviewer.core.volume import Volume


class StudySource(Protocol):
    """Labelled studies. Label maps: 0 background, 1 lung, 2 ground glass, 3 consolidation."""

    def ids(self) -> Sequence[str]:
        """Identifiers of the studies, in a fixed order."""
        ...

    def patient(self, study: str) -> str:
        """Whose study it is: what splits and bootstraps keep together."""
        ...

    def label(self, study: str) -> str:
        """The class of the study."""
        ...

    def load(self, study: str) -> tuple[Volume, NDArray[np.uint8] | None]:
        """The volume in HU, and labels `[slices, rows, columns]` where the source has them."""
        ...


class LabelledSource(StudySource, Protocol):
    """Studies with what a table of labels says of them."""

    def classes(self, study: str) -> Sequence[str]:
        """The classes of the study: one, or several where the task is multi-label; `label` joins them."""
        ...

    def split(self, study: str) -> str:
        """The part that the table gives the study: "train", "train-only", "val", "test", "external:NAME", or ""."""
        ...


class SliceSource(Protocol):
    """Scans whose slices are labelled: by lesions, by an image class, or both. Known without opening anything."""

    def ids(self) -> Sequence[str]:
        """Identifiers of the scans, in a fixed order."""
        ...

    def patient(self, scan: str) -> str:
        """Whose scan it is: what splits and bootstraps keep together."""
        ...

    def classes(self, scan: str) -> Sequence[str]:
        """Image classes that slices of the scan have; empty where only lesions are marked."""
        ...

    def split(self, scan: str) -> str:
        """As `LabelledSource.split`."""
        ...

    def load_slices(self, scan: str) -> LabelledSlices:
        """The labelled slices of a scan.

        Raises:
            InputError: they cannot be read; the text names the file and the reason.
        """
        ...
