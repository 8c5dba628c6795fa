"""From a volume in a file that is not DICOM to a `Series` of core."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.geometry import Geometry
from ctviewer.core.interpretation import ORIENTATION, SPACING, VALUES
from ctviewer.core.layout import layout_of, volume_use
from ctviewer.core.series import Notice, Patient, Series, Severity, SliceRef, Study
from ctviewer.dicom.formats.grid import GridSource, Rounded, after_loading
from ctviewer.dicom.formats.inflate import Inflated
from ctviewer.dicom.formats.placement import NoGeometryError, Placement, place, unplaced
from ctviewer.dicom.formats.rounding import PADDING, is_wide
from ctviewer.dicom.stack import Stack
from ctviewer.dicom.storage import open_file
from ctviewer.dicom.text import clean

MASK = "looks like a mask"
_SAMPLE = 1 << 16
_MOST_VOLUMES = 20
_ENDING = re.compile(r"\.(nii(\.gz)?|hdr|mh[ad])$", re.IGNORECASE)


@dataclass(frozen=True)
class Grid:
    """One volume as its file states it.

    Attributes:
        path: the file that was opened, which names the series.
        kind: "NIfTI", "MetaImage", for the status line.
        dtype: of the values, with its byte order.
        placement: how the array becomes slices.
        planes: for each plane k of the file: the file that holds it and the offset of its first byte.
        inflated: the inflated data of compressed volumes; None where the file is not compressed.
        scale: slope and intercept by which the file scales its values.
        slice_spacing: mm between slices where the file states it without an orientation.
        notices: what the reader of the format has to tell.
        part: "volume 2 of 5"; empty for a file of one volume.
        modality: where the file states it, else "OT".
        is_mask: whether it is probably a mask.
    """

    path: Path
    kind: str
    dtype: np.dtype[Any]
    placement: Placement
    planes: tuple[tuple[Path, int], ...]
    inflated: Inflated | None = None
    scale: tuple[float, float] = (1.0, 0.0)
    slice_spacing: float | None = None
    notices: tuple[Notice, ...] = ()
    part: str = ""
    modality: str = "OT"
    is_mask: bool = False


def file_key(path: Path, prefix: str) -> str:
    """What identifies a file wherever it lies: a hash of its size, beginning, middle and end.

    Raises:
        OSError: it cannot be read.
    """
    with open_file(path) as (file, size):
        digest = hashlib.sha256(str(size).encode())
        for place in sorted({0, max(0, size // 2 - _SAMPLE // 2), max(0, size - _SAMPLE)}):
            file.seek(place)
            digest.update(file.read(_SAMPLE))
    return f"{prefix}:{digest.hexdigest()[:32]}"


def grid_series(grid: Grid, key: str) -> Series:
    """Build the series of one volume."""
    place, geometry = grid.placement, grid.placement.geometry
    planes = [grid.planes[place.file_index(index)] for index in range(geometry.shape[0])]
    rounded = Rounded()
    count = geometry.shape[0]
    stack = Stack(
        geometry=geometry,
        sources=tuple(
            GridSource(path, offset, grid.dtype, place, index, grid.scale, grid.inflated, rounded)
            for index, (path, offset) in enumerate(planes)
        ),
        signed=grid.dtype != np.dtype(grid.dtype.str.replace("i", "u")) or is_wide(grid.dtype),
        slope=np.full(count, grid.scale[0]),
        intercept=np.full(count, grid.scale[1]),
        unit="",
        padding=(PADDING, PADDING) if grid.dtype.kind == "f" else None,
        inverted=False,
        windows=(),
        afterwards=after_loading(rounded) if is_wide(grid.dtype) else None,
    )
    refs = tuple(
        SliceRef(path, place.file_index(index), position=position_of(geometry, index))
        for index, (path, _) in enumerate(planes)
    )
    name = clean(_ENDING.sub("", grid.path.name))
    questions = () if grid.is_mask else questions_of(geometry)
    return series_of(
        stack,
        refs,
        key=key,
        description=", ".join(part for part in (name, grid.part, MASK if grid.is_mask else "") if part),
        kind=grid.kind,
        modality=grid.modality,
        slice_spacing=grid.slice_spacing,
        questions=questions,
        image_type=("DERIVED", "MASK") if grid.is_mask else (),
        notices=(*grid.notices, *geometry_notices(geometry), *value_notices(questions, grid.is_mask)),
    )


def each_volume(grid: Grid, planes: Sequence[tuple[Path, int]], volumes: int, key: str) -> list[Series]:
    """A series for each volume of a file, up to 20.

    Args:
        grid: what they have in common.
        planes: file and offset of all planes, one volume after the other.
        volumes: how many there are.
        key: of the file.
    """
    count = len(planes) // volumes
    if volumes == 1:
        return [grid_series(replace(grid, planes=tuple(planes)), key)]
    text = f"The file holds {volumes} volumes, over time for instance; each is a series of its own."
    told = Notice("several-volumes", Severity.INFO, text)
    if volumes > _MOST_VOLUMES:
        text = f"The file holds {volumes} volumes; the first {_MOST_VOLUMES} are listed, the others are left out."
        told = Notice("several-volumes", Severity.WARNING, text)
    made = []
    for number in range(min(volumes, _MOST_VOLUMES)):
        own = replace(
            grid,
            planes=tuple(planes[number * count : (number + 1) * count]),
            part=f"volume {number + 1} of {volumes}",
            notices=(*grid.notices, told),
        )
        made.append(grid_series(own, f"{key}#{number + 1}"))
    return made


def place_or_tell(shape: tuple[int, int, int], affine: NDArray[np.float64], told: list[Notice]) -> Placement:
    """`place`; where the affine is none, the slices as stored, and the reason is added to `told`."""
    try:
        return place(shape, affine)
    except NoGeometryError as error:
        text = f"The file states where its slices lie, but {error}: orientation and distances are not used."
        told.append(Notice("bad-affine", Severity.WARNING, text))
        return unplaced(shape, None)


def series_of(
    stack: Stack,
    slices: tuple[SliceRef, ...],
    *,
    key: str,
    description: str,
    kind: str,
    notices: tuple[Notice, ...],
    questions: tuple[str, ...],
    modality: str = "OT",
    image_type: tuple[str, ...] = (),
    slice_spacing: float | None = None,
) -> Series:
    """A series without patient, study and UIDs: such files have none."""
    geometry = stack.geometry
    use, why = volume_use(geometry)
    return Series(
        key=key,
        uid="",
        modality=modality,
        patient=Patient(),
        study=Study(),
        slices=slices,
        rows=geometry.shape[1],
        columns=geometry.shape[2],
        description=description,
        image_type=image_type,
        is_original=not image_type,
        plane=geometry.plane,
        shown_from_last=geometry.is_shown_from_last,
        pixel_spacing=geometry.pixel_spacing,
        slice_spacing=geometry.slice_spacing or slice_spacing,
        transfer_syntax=kind,
        notices=notices,
        use=use,
        use_reason=why,
        questions=questions,
        private=stack,
    )


def position_of(geometry: Geometry, index: int) -> tuple[float, float, float] | None:
    """LPS mm of a slice's first pixel."""
    if geometry.origins is None:
        return None
    x, y, z = (float(value) for value in geometry.origins[index])
    return x, y, z


def questions_of(geometry: Geometry) -> tuple[str, ...]:
    """What only the reader can say about a volume of this geometry."""
    asked = [VALUES]
    if geometry.pixel_spacing is None:
        asked.append(SPACING)
    if geometry.origins is None:
        asked.append(ORIENTATION)
    return tuple(asked)


def value_notices(questions: Sequence[str], is_mask: bool = False) -> Iterator[Notice]:
    """That the meaning of the values is not known."""
    if is_mask:
        text = "This looks like a mask: few whole numbers, or a name that says so. Its values are labels, no densities."
        yield Notice("looks-like-mask", Severity.INFO, text)
    elif VALUES in questions:
        text = "The file does not say what its values mean: they are shown as they are, without a unit."
        yield Notice("values-unknown", Severity.WARNING, text)


def geometry_notices(geometry: Geometry) -> Iterator[Notice]:
    """What there is to tell of a geometry, whatever file it comes from."""
    if geometry.origins is None:
        text = "The file states no orientation: sides, and the direction of the slices, are unknown."
        yield Notice("no-positions", Severity.WARNING, text)
    spacing = geometry.pixel_spacing
    if spacing is None:
        text = "The file states no pixel spacing: lengths, areas and volumes are in pixels only."
        yield Notice("no-spacing", Severity.WARNING, text)
    elif abs(spacing[0] - spacing[1]) > 1e-3 * max(spacing):
        text = f"Pixels are not square: {spacing[0]:g} mm between rows, {spacing[1]:g} mm between columns."
        yield Notice("non-square-pixels", Severity.INFO, text)
    angle = layout_of(geometry).tilt
    if angle:
        text = f"The slices are sheared by {angle:.1f} degrees, as by a tilted gantry: each is shifted against the next one."
        yield Notice("gantry-tilt", Severity.WARNING, text)
