"""How large the lungs are, by the model's lung masks: the denominators of what lesions take of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ctviewer.core.anatomy import patient_x
from ctviewer.core.findings import Lungs
from ctviewer.core.masks import BoxMask, union
from ctviewer.core.measure import Midline
from ctviewer.core.volume import Volume

_MOST_IN_DOUBT = 0.05  # share of the lungs where the midline may run, from which no side is told


class LungMeter:
    """Adds up the lungs slice by slice, so that the masks of a whole series never lie in memory together.

    Pixels are counted where they lie in the patient (LPS x), whatever a mask calls itself: lungs touch, and a model may
    take both for one. Every slice counts with the extent it stands for; nothing is counted in a hole of the series.

    Args:
        volume: what the masks lie on.
        midline: range of LPS x in mm in which the patient's midline lies; None: no side is told.
    """

    def __init__(self, volume: Volume, midline: Midline = None) -> None:
        g = volume.geometry
        self._volume, self._midline = volume, midline
        self._extents = None if g.pixel_spacing is None else g.slice_extents()
        self._pixel = 0.0 if g.pixel_spacing is None else g.pixel_spacing[0] * g.pixel_spacing[1] / 1000.0
        self._seen = False
        self._total = self._right = self._left = self._doubtful = 0.0

    def add(self, index: int, lungs: Sequence[BoxMask], lesions: Sequence[BoxMask] = ()) -> None:
        """Add one slice; each slice once.

        Args:
            index: volume index.
            lungs: lung masks on it.
            lesions: masks of lesions of the lung on it: a dense one may have been left out of the lung by the model.
        """
        self._seen = self._seen or bool(lungs)
        if self._extents is None or not (lungs or lesions):
            return
        mask, millilitres = union([*lungs, *lesions]), self._pixel * float(self._extents[index])
        rows, columns = np.nonzero(mask.array())
        self._total += rows.size * millilitres
        if self._midline is None:
            return
        x = patient_x(self._volume, index, rows + mask.top, columns + mask.left)
        if x is None:
            return
        low, high = self._midline
        right = int((x < (low + high) / 2).sum())
        self._right += right * millilitres
        self._left += (x.size - right) * millilitres
        self._doubtful += int(((x >= low) & (x <= high)).sum()) * millilitres

    def lungs(self) -> Lungs | None:
        """What was added; None where no slice had a lung mask. Nothing is told of volumes that are not known."""
        if not self._seen:
            return None
        if self._extents is None or math.isnan(self._total):
            return Lungs(None, None, None)
        if self._midline is None or self._doubtful > _MOST_IN_DOUBT * self._total:
            return Lungs(None, None, self._total)
        return Lungs(self._right, self._left, self._total)
