"""What a phantom is asked to be, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.geometry import Geometry

GENERATOR_VERSION = 2
"""Raised whenever the same spec gives other voxels, so that cached studies are made again."""

BACKGROUND, LUNG, GROUND_GLASS, CONSOLIDATION = range(4)
LABEL_NAMES = ("background", "lung", "ground glass", "consolidation")


class Variant(Enum):
    """The class of a study."""

    CONTROL = "control"
    PNEUMONIA = "pneumonia"
    COVID = "covid"


class Family(Enum):
    """Who the patients are and which scanner took them: see `families`. D and E are held out from training."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"


TRAINING_FAMILIES = (Family.A, Family.B, Family.C)
HELD_OUT_FAMILIES = (Family.D, Family.E)


@dataclass(frozen=True)
class PhantomSpec:
    """One phantom, in full: equal specs give equal bytes.

    Attributes:
        seed: draws anatomy, vessels, lesions and noise.
        variant: class of the study.
        family: parameter ranges of anatomy, texture and scanner.
        matrix: rows and columns.
        slices: number of slices.
        field_of_view_mm: side of the square image in mm; None: the family's scanner chooses.
        slice_spacing_mm: mm between slices; None: the slices cover the chest.
        head_first: the series is numbered from the head; the arrays run from feet to head in any case.
        contrast: contrast medium in the blood.
    """

    seed: int
    variant: Variant
    family: Family
    matrix: int = 512
    slices: int = 120
    field_of_view_mm: float | None = None
    slice_spacing_mm: float | None = None
    head_first: bool = True
    contrast: bool = False

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError("The seed of a phantom must not be negative.")
        if not 32 <= self.matrix <= 2048 or not 2 <= self.slices <= 2000:
            raise InputError("A phantom needs 32 to 2048 pixels a side and 2 to 2000 slices.")
        for name, value in (("field of view", self.field_of_view_mm), ("slice spacing", self.slice_spacing_mm)):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise InputError(f"The {name} of a phantom must be a positive number of millimetres.")

    @property
    def name(self) -> str:
        """Identifies the study in lists and files, e.g. `D-covid-0007`."""
        return f"{self.family.value}-{self.variant.value}-{self.seed:04d}"


@dataclass(frozen=True)
class Lesion:
    """One lesion as the truth has it.

    Attributes:
        lesion_id: from 1, in the order of placement; the two parts of a mixed lesion share it.
        label: `GROUND_GLASS` or `CONSOLIDATION`.
        side: "right" or "left" lung.
        slices: volume indices on which it is marked, ascending.
        volume_ml: volume of its mask.
    """

    lesion_id: int
    label: int
    side: str
    slices: tuple[int, ...]
    volume_ml: float


@dataclass(frozen=True, eq=False)
class Phantom:
    """A generated chest CT with its truth. Arrays are `[slices, rows, columns]`, slice 0 nearest the feet.

    Attributes:
        spec: what was asked for.
        hu: int16 Hounsfield units.
        labels: uint8: 0 background, 1 lung without lesions, 2 ground glass, 3 consolidation.
        geometry: axial, LPS mm, row cosines to the patient's left: the right lung lies at low column indices.
        lesions: with exactly known masks.
        midline: `[slices, rows]` float32 column index that divides right from left lung.
        thickness_mm: slice thickness.
        kernel: name of the reconstruction kernel.
    """

    spec: PhantomSpec
    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    geometry: Geometry
    lesions: tuple[Lesion, ...]
    midline: NDArray[np.float32]
    thickness_mm: float
    kernel: str

    @property
    def infected_slices(self) -> NDArray[np.bool_]:
        """`[slices]`: whether a lesion is marked on the slice."""
        return np.asarray((self.labels >= GROUND_GLASS).any(axis=(1, 2)))

    @property
    def right_lung(self) -> NDArray[np.bool_]:
        """The right lung, lesions included."""
        columns = np.arange(self.labels.shape[2])
        return np.asarray((self.labels > 0) & (columns < self.midline[:, :, None]))

    @property
    def left_lung(self) -> NDArray[np.bool_]:
        """The left lung, lesions included."""
        return np.asarray((self.labels > 0) & ~self.right_lung)
