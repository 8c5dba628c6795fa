"""One bundle on one series, through the pipeline of the viewer, so that two runs give the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.app.analyze import choose, load_series
from ctviewer.app.progress import ProgressLine, drain
from ctviewer.core.analysis_events import Abstained
from ctviewer.core.events import Event
from ctviewer.core.findings import AnalysisResult
from ctviewer.core.masks import union
from ctviewer.core.series import Catalog
from ctviewer.core.volume import Volume
from ctviewer.dicom import scan
from ctviewer.inference import AnalysisSettings, NetCache, analyse
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import CLASSIFIER

_CHUNK = 8  # fixed: sums differ in their last digits with the number of slices that pass at once


class Judge:
    """Runs single bundles on volumes; the nets stay for the next one.

    Args:
        device: "cpu", "cuda" or "auto".
        line: where progress goes.
    """

    def __init__(self, device: str, line: ProgressLine) -> None:
        self._settings = AnalysisSettings(device=device, precision="float32", chunk=_CHUNK)
        self._line, self._nets = line, NetCache()

    def result(self, bundle: Bundle, volume: Volume) -> AnalysisResult | str:
        """What a model says by itself, or why it abstains."""
        reasons: list[str] = []

        def other(event: Event) -> None:
            if isinstance(event, Abstained):
                reasons.extend(event.suitability.reasons)

        pair = (bundle, None) if bundle.metadata.task == CLASSIFIER else (None, bundle)
        found = drain(analyse(volume, pair[0], pair[1], self._settings, self._nets), self._line, other)
        return found if isinstance(found, AnalysisResult) else " ".join(reasons)


def opened(folder: Path, line: ProgressLine) -> Volume:
    """The series of a folder that the viewer would analyse.

    Raises:
        InputError: nothing in it can be shown.
    """
    catalog: Catalog = drain(scan(folder), line)
    return load_series(choose(catalog, None), line)[0]


def marked(result: AnalysisResult, volume: Volume) -> Callable[[int], NDArray[np.bool_]]:
    """`[rows, columns]` of a slice by its volume index: what the model marked as a lesion."""
    shape = volume.stored.shape[1:]
    by_slice: dict[int, list[int]] = {}
    instances = [instance for lesion in result.lesions for instance in lesion.instances]
    for place, instance in enumerate(instances):
        by_slice.setdefault(instance.slice_index, []).append(place)

    def mask(index: int) -> NDArray[np.bool_]:
        there = [instances[place].mask for place in by_slice.get(index, ())]
        return union(there).full(shape) if there else np.zeros(shape, bool)

    return mask
