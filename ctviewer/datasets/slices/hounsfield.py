"""Slices of a volume as labelled slices need them: axial, in Hounsfield units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.geometry import Plane
from ctviewer.core.volume import Volume

_AIR = -1024.0  # what padding is taken for


def require_axial_hu(volume: Volume, scan: str) -> None:
    """Refuse what cannot be learned from: the axes of the patient and Hounsfield units are never guessed.

    Raises:
        InputError: the volume is no such one; the text names the scan.
    """
    if volume.unit != "HU":
        raise InputError(f"The study {scan} does not hold Hounsfield units: state what its values mean.")
    if volume.geometry.plane is Plane.UNKNOWN:
        raise InputError(f"The study {scan} does not say how its slices lie: state their order and distances.")
    if volume.geometry.plane is not Plane.AXIAL:
        raise InputError(
            f"The slices of the study {scan} are {volume.geometry.plane.value}, and models take axial ones."
        )


def hounsfield(volume: Volume, index: int) -> NDArray[np.float32]:
    """HU of one slice `[rows, columns]` as stored, padding as air."""
    return np.where(volume.valid(index), volume.hu(index), np.float32(_AIR))
