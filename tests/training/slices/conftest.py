"""A set of labelled slices that is made up, and changed at will."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.core.slices import GREY, HU, LabelledSlices

SIDE = 48
CLASSES = ("background", "lung", "ground glass", "consolidation")


def slices_of(
    number=0, count=3, image_classes=(), complete=True, classes=CLASSES, labelled=True, unit=HU, side=SIDE, origin=""
):
    """Lung of -850 HU in a body of 40 HU; on odd slices ground glass of -500 HU and consolidation of 0 HU."""
    rng = np.random.default_rng([7, number])
    pixels = np.full((count, side, side), -1000.0, np.float32)
    labels = np.zeros((count, side, side), np.uint8)
    pixels[:, 4:44, 4:44] = 40
    labels[:, 10:38, 8:40] = 1
    for i in range(1, count, 2):
        labels[i, 14:22, 12:20] = 2
        labels[i, 26:34, 28:36] = 3
    for value, hu in ((1, -850), (2, -500), (3, 0)):
        pixels[labels == value] = hu
    pixels += rng.normal(0, 10, pixels.shape).astype(np.float32)
    if unit == GREY:
        pixels = ((pixels + 1350) / 1500).clip(0, 1).astype(np.float32)
    labels = np.minimum(labels, len(classes) - 1).astype(np.uint8)
    return LabelledSlices(
        names=tuple(f"slice {i}" for i in range(count)),
        pixels=pixels,
        unit=unit,
        spacing=(1.5, 1.5) if unit == HU else None,
        labels=labels if labelled else None,
        label_classes=classes if labelled else ("background",),
        complete=np.full(count, complete),
        image_classes=tuple(image_classes) or ("",) * count,
        origins=(origin,) * count,
    )


class MadeUp:
    """Meets `SliceSource`: scans as they are given, by id."""

    def __init__(self, scans, patients=None, splits=None) -> None:
        self.scans, self._patients, self._splits = dict(scans), dict(patients or {}), dict(splits or {})
        self.loads: list[str] = []

    def ids(self):
        return tuple(self.scans)

    def patient(self, scan):
        return self._patients.get(scan, f"patient of {scan}")

    def classes(self, scan):
        found = self.scans[scan]
        return () if isinstance(found, str) else tuple(dict.fromkeys(filter(None, found.image_classes)))

    def split(self, scan):
        return self._splits.get(scan, "")

    def load_slices(self, scan):
        self.loads.append(scan)
        if isinstance(self.scans[scan], str):
            raise InputError(self.scans[scan])
        return self.scans[scan]


@pytest.fixture(scope="session")
def made_slices():
    """`made_slices(number=0, count=3, image_classes=(), complete=True, ...)`: the slices of a scan."""
    return slices_of


@pytest.fixture(scope="session")
def made_set():
    """`made_set({scan: slices, or the text of an error}, patients={}, splits={})`: a `SliceSource`."""
    return MadeUp
