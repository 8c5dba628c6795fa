"""Chests that the shipped models learn from: upright slices in Hounsfield units with their label maps, whatever their source."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LUNG, INFECTION = 1, 2
CLASSES = ("background", "lung", "infection")
"""Of label maps: the lung is marked where no infection is."""

RECOVERED, SCANNED, PHANTOM = "recovered", "scanned", "phantom"
KINDS = (RECOVERED, SCANNED, PHANTOM)
"""HU recovered from pictures; HU as scanned; generated."""


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
