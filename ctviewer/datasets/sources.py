"""Phantoms as studies for training: made when asked for, never stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.geometry import Plane
from ctviewer.core.series import Patient, Series, SliceRef, Study
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import PRESETS
from ctviewer.datasets.phantom import Family, Phantom, PhantomSpec, Variant, generate


def _uid(*parts: object) -> str:
    """A UID under 2.25 (ITU-T X.667) that the same parts always give."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def phantom_series(phantom: Phantom) -> Series:
    """A series in memory for a phantom: its files do not exist, its UIDs follow from the spec."""
    spec, geometry = phantom.spec, phantom.geometry
    assert geometry.origins is not None
    count = spec.slices
    slices = tuple(
        SliceRef(
            path=Path(f"{spec.name}-{index:04d}.dcm"),
            sop_instance_uid=_uid(spec, index),
            instance_number=count - index if spec.head_first else index + 1,
            position=tuple(float(v) for v in geometry.origins[index]),  # type: ignore[arg-type]  # a row of three
        )
        for index in range(count)
    )
    return Series(
        key=_uid(spec),
        uid=_uid(spec),
        modality="CT",
        patient=Patient(name="PHANTOM", patient_id=spec.name),
        study=Study(uid=_uid(spec, "study"), description="Generated chest phantom"),
        slices=slices,
        rows=spec.matrix,
        columns=spec.matrix,
        description=f"phantom {spec.name}",
        number=1,
        body_part="CHEST",
        kernel=phantom.kernel,
        manufacturer="ctviewer phantom",
        image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
        plane=Plane.AXIAL,
        shown_from_last=geometry.is_shown_from_last,
        pixel_spacing=geometry.pixel_spacing,
        slice_spacing=geometry.slice_spacing,
        thickness=phantom.thickness_mm,
        kvp=120.0,
    )


def phantom_volume(phantom: Phantom) -> Volume:
    """The phantom as the viewer and the models take it: stored values are Hounsfield units."""
    count = phantom.spec.slices
    return Volume(
        series=phantom_series(phantom),
        geometry=phantom.geometry,
        stored=phantom.hu,
        slope=np.ones(count),
        intercept=np.zeros(count),
        windows=PRESETS[:2],
    )


class PhantomStudySource:
    """Studies for training and tests; meets the training layer's `LabelledSource` protocol by structure.

    Args:
        specs: one per study; their names must differ.
        workers: threads per phantom; 1 where studies are made in parallel.
        splits: part by patient, where it is given: "train", "val", "test", "external:NAME".

    Raises:
        InputError: two specs have one name.
    """

    def __init__(
        self, specs: Iterable[PhantomSpec], workers: int | None = 1, splits: Mapping[str, str] | None = None
    ) -> None:
        specs = tuple(specs)
        self._specs = {spec.name: spec for spec in specs}
        self._workers = workers
        self._splits = dict(splits or {})
        if len(self._specs) != len(specs):
            raise InputError("Two phantoms of one source have the same family, variant and seed.")

    def ids(self) -> tuple[str, ...]:
        """Names of all studies, in the order given."""
        return tuple(self._specs)

    def patient(self, study: str) -> str:
        """Who the study is of: every seed of a family is one patient, whatever the variant."""
        spec = self._specs[study]
        return f"{spec.family.value}-{spec.seed:04d}"

    def label(self, study: str) -> str:
        """Class of the study."""
        return self._specs[study].variant.value

    def classes(self, study: str) -> tuple[str, ...]:
        """The class of the study, alone."""
        return (self.label(study),)

    def split(self, study: str) -> str:
        """The part given to its patient; "" where none is."""
        return self._splits.get(self.patient(study), "")

    def phantom(self, study: str) -> Phantom:
        """The study with all its truth."""
        return generate(self._specs[study], self._workers)

    def load(self, study: str) -> tuple[Volume, NDArray[np.uint8] | None]:
        """The volume, and labels `[slices, rows, columns]`: 0 background, 1 lung, 2 ground glass, 3 consolidation."""
        phantom = self.phantom(study)
        return phantom_volume(phantom), phantom.labels


def phantom_specs(
    families: Iterable[Family],
    seeds: Iterable[int],
    *,
    variants: Iterable[Variant] = tuple(Variant),
    matrix: int = 256,
    slices: int = 32,
) -> tuple[PhantomSpec, ...]:
    """One spec for every family, variant and seed."""
    variants, seeds = tuple(variants), tuple(seeds)
    return tuple(
        PhantomSpec(seed, variant, family, matrix=matrix, slices=slices)
        for family in families
        for seed in seeds
        for variant in variants
    )
