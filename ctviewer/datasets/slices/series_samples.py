"""Generated samples of the formats whose images are DICOM series: own studies, and LIDC-IDRI's contours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.events import Done
from ctviewer.core.files import write_bytes
from ctviewer.core.series import Series
from ctviewer.datasets.class_names import CONTROL, COVID, PNEUMONIA
from ctviewer.datasets.label_table import LABELS_NAME, MASKS_NAME, LabelRow, write_labels
from ctviewer.datasets.masks import LEGEND_NAME, write_legend
from ctviewer.datasets.masks.legend import DEFAULT
from ctviewer.datasets.phantom import GROUND_GLASS, Phantom, Variant
from ctviewer.datasets.png import png_bytes
from ctviewer.dicom import SeriesAttributes, scan, write_ct_series

CLASS_OF = {Variant.CONTROL: CONTROL, Variant.PNEUMONIA: PNEUMONIA, Variant.COVID: COVID}
_READERS = 4


def write_studies(folder: Path, phantoms: Sequence[Phantom]) -> None:
    """Own studies: DICOM series, `labels.csv`, `lesions.csv` and PNG label maps of all slices with lung, all complete.

    Raises:
        StorageError: the folder cannot be written.
    """
    rows = []
    for number, phantom in enumerate(phantoms):
        name = phantom.spec.name
        series = _written(folder / name, phantom, number)
        for index, ref in enumerate(series.slices):
            path = folder / MASKS_NAME / name / f"{ref.sop_instance_uid}.png"
            write_bytes(path, png_bytes(phantom.labels[index]))
        rows.append(LabelRow(name, f"patient-{number}", (CLASS_OF[phantom.spec.variant],), complete=True))
    write_legend(folder / LEGEND_NAME, DEFAULT)
    write_labels(folder / LABELS_NAME, rows)


def write_lidc(folder: Path, phantoms: Iterable[Phantom]) -> None:
    """Series with contours of four readers as of LIDC-IDRI: the outer border of what each calls a nodule.

    Three readers outline a disc on the slice with the most of a lesion and on its neighbours, the fourth on that slice a
    smaller one beside it; the first marks a point on the lowest slice.

    Raises:
        StorageError: the folder cannot be written.
    """
    for number, phantom in enumerate(phantoms):
        place = folder / f"LIDC-IDRI-{number + 1:04d}"
        series = _written(place / "series", phantom, number)
        write_bytes(place / f"{number:03d}.xml", _message(phantom, series).encode())


def disc_border(row: int, column: int, radius: int) -> list[tuple[int, int]]:
    """Column and row of the pixels around a disc, in order."""
    angles = np.linspace(0, 2 * np.pi, 16 * radius, endpoint=False)
    points = np.rint(np.column_stack([column + radius * np.cos(angles), row + radius * np.sin(angles)])).astype(int)
    return list(dict.fromkeys((int(x), int(y)) for x, y in points))


def lidc_place(phantom: Phantom) -> tuple[int, int, int]:
    """Slice, row and column of the middle of the discs of `write_lidc`."""
    lesion: NDArray[np.bool_] = phantom.labels >= GROUND_GLASS
    side = phantom.labels.shape[1]
    index = int(np.argmax(lesion.sum(axis=(1, 2))))
    rows, columns = np.nonzero(lesion[index]) if lesion.any() else (np.array([side // 2]),) * 2
    margin = side // 4
    row, column = (int(np.clip(np.median(values), margin, side - margin)) for values in (rows, columns))
    return int(np.clip(index, 1, len(phantom.labels) - 2)), row, column


def _written(folder: Path, phantom: Phantom, number: int) -> Series:
    attributes = SeriesAttributes(
        patient_name="SAMPLE^PHANTOM",
        patient_id=f"PHANTOM-{number}",
        accession=phantom.spec.name,
        study_description="Generated chest phantom",
        kernel=phantom.kernel.upper(),
        manufacturer="ctviewer phantom",
        thickness=round(phantom.thickness_mm, 3),
    )
    origins = None if phantom.geometry.origins is None else np.round(phantom.geometry.origins, 4)
    write_ct_series(folder, phantom.hu, geometry=replace(phantom.geometry, origins=origins), attributes=attributes)
    *_, done = scan(folder)
    assert isinstance(done, Done)  # what was just written can be read
    series: Series = done.value.series[0]
    return series


def _message(phantom: Phantom, series: Series) -> str:
    index, row, column = lidc_place(phantom)
    radius = max(4, phantom.labels.shape[1] // 12)
    sessions = []
    for reader in range(_READERS):
        if reader < _READERS - 1:
            rois = [_roi(series, index + step, disc_border(row, column, radius)) for step in (-1, 0, 1)]
        else:
            rois = [_roi(series, index, disc_border(row, column + 2, radius - 2))]
        nodules = [_nodule("1", rois)]
        if reader == 0:
            nodules.append(_nodule("2", [_roi(series, 0, [(row, column)])]))
        sessions.append(f"<readingSession>{''.join(nodules)}</readingSession>")
    head = (
        f"<ResponseHeader><SeriesInstanceUid>{escape(series.uid)}</SeriesInstanceUid>"
        f"<StudyInstanceUID>{escape(series.study.uid)}</StudyInstanceUID></ResponseHeader>"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<LidcReadMessage xmlns="http://www.nih.gov">'
        f"{head}{''.join(sessions)}</LidcReadMessage>\n"
    )


def _nodule(name: str, rois: Iterable[str]) -> str:
    return f"<unblindedReadNodule><noduleID>{name}</noduleID>{''.join(rois)}</unblindedReadNodule>"


def _roi(series: Series, index: int, points: Iterable[tuple[int, int]]) -> str:
    ref = series.slices[index]
    assert ref.position is not None  # of a series with positions
    edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points)
    return (
        f"<roi><imageZposition>{ref.position[2]:f}</imageZposition><imageSOP_UID>{ref.sop_instance_uid}</imageSOP_UID>"
        f"<inclusion>TRUE</inclusion>{edges}</roi>"
    )
