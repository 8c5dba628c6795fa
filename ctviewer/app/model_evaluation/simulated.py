"""Simulated studies of held-out patients as labelled studies, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.geometry import Geometry, Plane
from ctviewer.core.series import Patient, Series, SliceRef, Study
from ctviewer.core.volume import Volume
from ctviewer.training.starter.simulate import Material, SimulatedStudy, simulate
from ctviewer.training.starter.simulation.patterns import CLASSES

_PIXEL_MM = 350.0 / 256  # nobody measures on them: nets resize whatever they are given


class SimulatedSource:
    """Studies of three classes; meets the training layer's `LabelledSource` protocol by structure.

    Args:
        material: of patients that no training learned from, neither as chest nor as origin of lesions.
        per_class: studies of each class.
        seed: of all draws.
    """

    def __init__(self, material: Material, per_class: int, seed: int) -> None:
        self._material, self._seed = material, seed
        self._hosts = {chest.name: chest.patient for chest in material.clean}
        self._studies = {f"{label} {n}": (label, n) for n in range(per_class) for label in CLASSES}
        self._patients: dict[str, str] = {}

    def ids(self) -> Sequence[str]:
        """Names of all studies."""
        return tuple(self._studies)

    def patient(self, study: str) -> str:
        """Whose chest it is.

        The lesions may be another's. To count each mixture of the same few people as one more would make a sample of them.
        """
        if study not in self._patients:
            self._made(study)
        return self._patients[study]

    def label(self, study: str) -> str:
        """One of `simulation.patterns.CLASSES`."""
        return self._studies[study][0]

    def classes(self, study: str) -> Sequence[str]:
        """Its class, alone."""
        return (self.label(study),)

    def split(self, _study: str) -> str:
        """None is given."""
        return ""

    def load(self, study: str) -> tuple[Volume, NDArray[np.uint8] | None]:
        """The volume, and the label map by volume index."""
        made = self._made(study)
        return volume_of(made), np.ascontiguousarray(made.chest.labels[::-1])

    def _made(self, study: str) -> SimulatedStudy:
        label, number = self._studies[study]
        made = simulate(self._material, label, number, self._seed)
        self._patients[study] = self._hosts[made.host]
        return made


def volume_of(study: SimulatedStudy) -> Volume:
    """A simulated study as the pipeline takes it: axial, slice 0 nearest the feet."""
    chest = study.chest
    count, rows, columns = chest.hu.shape
    half = _PIXEL_MM * (columns - 1) / 2
    origins = np.column_stack([np.full(count, -half), np.full(count, -half), np.arange(count) * study.spacing])
    geometry = Geometry((count, rows, columns), origins, pixel_spacing=(_PIXEL_MM, _PIXEL_MM))
    series = Series(
        key=chest.name,
        uid="",
        modality="CT",
        patient=Patient(),
        study=Study(),
        slices=tuple(SliceRef(Path(chest.name), instance_number=count - i) for i in range(count)),
        rows=rows,
        columns=columns,
        body_part="CHEST",
        plane=Plane.AXIAL,
        pixel_spacing=geometry.pixel_spacing,
        slice_spacing=study.spacing,
        thickness=study.thickness,
    )
    return Volume(series, geometry, np.ascontiguousarray(chest.hu[::-1]), np.ones(count), np.zeros(count))
