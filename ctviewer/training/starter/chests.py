"""Chests that the shipped models learn from: upright slices in Hounsfield units with their label maps, whatever their source."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from ctviewer.core.slices import HU, LabelledSlices
from ctviewer.models.placement import Placement, Upright

LUNG, INFECTION = 1, 2
CLASSES = ("background", "lung", "infection")
"""Of label maps: the lung is marked where no infection is."""

RECOVERED, SCANNED, PHANTOM = "recovered", "scanned", "phantom"
KINDS = (RECOVERED, SCANNED, PHANTOM)
"""HU recovered from pictures; HU as scanned; generated."""

SIDE = 256
"""Pixels a side of what is learned from."""
AIR_HU = -1000.0
_RANGE_HU = (-1024, 3000)
_NUMBERS = {name: number for number, name in enumerate(CLASSES)}


@dataclass(frozen=True, eq=False)
class Chest:
    """Slices of one patient, upright in patient axes (columns to the patient's left, rows to posterior), head to feet.

    Attributes:
        name: stable, each once in a set.
        patient: who it is; no patient is on both sides of a split.
        kind: one of `KINDS`.
        hu: `[n, side, side]` int16, padded to a square with air.
        labels: `[n, side, side]` uint8, indices of `CLASSES`.
    """

    name: str
    patient: str
    kind: str
    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]

    @property
    def infected(self) -> NDArray[np.bool_]:
        """`[n]`: which slices show infection."""
        return np.asarray((self.labels == INFECTION).any(axis=(1, 2)))

    def taken(self, indices: NDArray[np.intp] | slice) -> Chest:
        """Some of its slices."""
        return Chest(self.name, self.patient, self.kind, self.hu[indices], self.labels[indices])


def digest(chests: Sequence[Chest]) -> str:
    """SHA-256 (hex) over names, pixels and label maps: what a card names as the data used."""
    total = hashlib.sha256()
    for chest in chests:
        total.update(f"{chest.name}\0{chest.patient}\0{chest.kind}\0".encode())
        total.update(np.ascontiguousarray(chest.hu).data)
        total.update(np.ascontiguousarray(chest.labels).data)
    return total.hexdigest()


def chest_of(name: str, patient: str, kind: str, slices: LabelledSlices) -> Chest:
    """Slices as data sets give them, brought to the side that models learn at.

    Args:
        name: see `Chest`.
        patient: see `Chest`.
        kind: see `Chest`.
        slices: in HU, head to feet; classes that are none of `CLASSES` count as infection where they are lesions.

    Raises:
        ValueError: they are not in HU.
    """
    if slices.unit != HU:
        raise ValueError(f"{name}: chests to learn from are in Hounsfield units")
    rows, columns = slices.pixels.shape[1:]
    placement = Placement(rows, columns, Upright(False, False, False), SIDE)
    square = torch.from_numpy(np.stack([placement.square(one, AIR_HU) for one in slices.pixels]))[:, None]
    if square.shape[-1] != SIDE:
        square = interpolate(square, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    hu = square[:, 0].clamp(*_RANGE_HU).round().to(torch.int16).numpy()
    table = np.array([_NUMBERS.get(label, INFECTION) for label in slices.label_classes], np.uint8)
    maps = np.zeros_like(slices.pixels, np.uint8) if slices.labels is None else table[slices.labels]
    return Chest(name, patient, kind, hu, np.stack([placement.labels(one) for one in maps]))
