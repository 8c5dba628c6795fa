"""What pre-flight knows of a study: read once from its volume, small enough to keep for thousands of studies."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import CtviewerError
from ctviewer.core.files import reason
from ctviewer.core.people import date_text
from ctviewer.core.series import Notice, Series
from ctviewer.core.volume import Volume
from ctviewer.models.placement import Upright
from ctviewer.models.preprocess import study_order
from ctviewer.training.source import LabelledSource
from ctviewer.training.splits import Case

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_LEAST_HU = -1024.0  # scanners fill what lies outside their circle with less
_TISSUE_ABOVE_HU = -300.0
_LEAST_TISSUE = 0.05  # of the values of a chest; bone denser than 700 HU is less
_SLICES_LOOKED_AT, _PIXEL_STEP = 24, 4


@dataclass(frozen=True)
class Content:
    """What tells the pixels of a study from those of others.

    Attributes:
        sha256: over all slices head to feet, in patient axes and in the unit of the volume: a copy in another format
            has the same.
        slices: a digest of each slice that is not of one value throughout: parts of a study share them.
    """

    sha256: str
    slices: frozenset[bytes]


@dataclass(frozen=True)
class StudyFacts:
    """One study. What is not known is None or empty.

    Attributes:
        case: its patient, classes, given split and date.
        error: why it cannot be read; all that follows is then empty.
        modality: DICOM Modality.
        plane: of `core.geometry.Plane`, by value.
        unit: of the values.
        slices: how many could be read.
        failed: how many could not.
        owner: a digest of the patient ID and name in the files, "" where there is no ID: it tells whether two studies
            are of one patient, and not of whom.
        manufacturer, kernel: as in the files.
        thickness, slice_spacing, field_of_view: mm; the longer side of the image.
        original: whether the images are original ones, and no localizer.
        contrast: whether an agent is stated; None where the files could not state one.
        air, tissue: the lowest percent of the values, and the median of those above -300 where they are enough for a
            body; in the unit of the values.
        content: of the pixels.
        notices: what reading brought to light.
    """

    case: Case
    error: str = ""
    modality: str = ""
    plane: str = ""
    unit: str = ""
    slices: int = 0
    failed: int = 0
    owner: str = ""
    manufacturer: str = ""
    kernel: str = ""
    thickness: float | None = None
    slice_spacing: float | None = None
    original: bool = True
    field_of_view: float | None = None
    contrast: bool | None = None
    air: float | None = None
    tissue: float | None = None
    content: Content = Content("", frozenset())
    notices: tuple[Notice, ...] = ()

    @property
    def study(self) -> str:
        """Its id."""
        return self.case.study


def read_facts(source: LabelledSource, study: str) -> StudyFacts:
    """Load a study and keep what pre-flight needs; a study that cannot be read says why."""
    patient, classes, split = source.patient(study), tuple(source.classes(study)), source.split(study)
    try:
        volume, _ = source.load(study)
    except CtviewerError as error:
        return StudyFacts(Case(study, patient, classes, split), error=str(error))
    except OSError as error:
        return StudyFacts(Case(study, patient, classes, split), error=f"The study could not be read: {reason(error)}.")
    series, geometry = volume.series, volume.geometry
    spacing, (_, rows, columns) = geometry.pixel_spacing, geometry.shape
    date = date_text(series.study.date)
    air, tissue = _values(volume)
    return StudyFacts(
        Case(study, patient, classes, split, date if _ISO.fullmatch(date) else ""),
        modality=series.modality,
        plane=geometry.plane.value,
        unit=volume.unit,
        slices=int((~volume.failed).sum()),
        failed=int(volume.failed.sum()),
        owner=_owner(series),
        manufacturer=series.manufacturer,
        kernel=series.kernel,
        thickness=series.thickness,
        slice_spacing=geometry.slice_spacing,
        original=series.is_original and not series.is_localizer,
        field_of_view=None if spacing is None else max(rows * spacing[0], columns * spacing[1]),
        contrast=bool(series.contrast_agent) if series.uid else None,
        air=air,
        tissue=tissue,
        content=content_of(volume),
        notices=series.notices,
    )


def _owner(series: Series) -> str:
    if not series.patient.patient_id.strip():
        return ""
    return hashlib.sha256(repr(series.owner).encode("utf-8", "surrogatepass")).hexdigest()


def content_of(volume: Volume) -> Content:
    """Digests of the pixels of a volume, all of whose slices are loaded."""
    upright, total, parts = Upright.of(volume.geometry), hashlib.sha256(), set()
    for index in study_order(volume):
        hu = np.where(volume.valid(int(index)), volume.hu(int(index)), np.float32(_LEAST_HU))
        values = np.ascontiguousarray(upright.apply(np.rint(hu).astype(np.int32)))
        digest = hashlib.sha256(f"{values.shape}".encode())
        digest.update(values.data)
        total.update(digest.digest())
        if values.min() != values.max():
            parts.add(digest.digest()[:16])
    return Content(total.hexdigest(), frozenset(parts))


class Hashed(Protocol):
    """A study, or a scan of labelled slices, whose pixels were read."""

    @property
    def case(self) -> Case:
        """Its id, patient and classes."""
        ...

    @property
    def content(self) -> Content:
        """Of its pixels."""
        ...


def data_sha256(facts: Iterable[Hashed]) -> str:
    """SHA-256 over ids, classes and pixels, whatever the order: what a card and a checkpoint name as the data used."""
    lines = sorted(f"{one.case.study}\0{'|'.join(one.case.classes)}\0{one.content.sha256}" for one in facts)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _values(volume: Volume) -> tuple[float | None, float | None]:
    """Air and tissue from evenly spread slices and pixels; None where there is none."""
    usable = np.flatnonzero(~volume.failed)
    thin = (slice(None, None, _PIXEL_STEP), slice(None, None, _PIXEL_STEP))
    parts: list[NDArray[np.float32]] = [np.zeros(0, np.float32)]
    for index in usable[:: max(1, -(-len(usable) // _SLICES_LOOKED_AT))]:
        parts.append(volume.hu(int(index))[thin][volume.valid(int(index))[thin]])
    values = np.concatenate(parts)
    body = values[values > _TISSUE_ABOVE_HU]
    if body.size < _LEAST_TISSUE * values.size:  # where 1024 were taken off once too often, what is left is bone
        body = body[:0]
    values = values[values >= _LEAST_HU]
    return (
        float(np.percentile(values, 1)) if values.size else None,
        float(np.median(body)) if body.size else None,
    )
