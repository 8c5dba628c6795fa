"""Chests in Hounsfield units as they were scanned, with their lungs: what healthy lung looks like to a model that learns lesions.

Public chests at hand come with marks of other disease. Slices with a tumour's box and those beside them are left out: what lies
behind a tumour may look like infection. Nodules outlined by LIDC's readers are lung, unless they are asked for as a class of their
own: they are what a model must not take for infection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done
from ctviewer.core.series import Series
from ctviewer.core.slices import BACKGROUND, LabelledSlices
from ctviewer.core.volume import Volume
from ctviewer.datasets.class_names import LUNG, NODULE
from ctviewer.datasets.label_table import LabelRow
from ctviewer.datasets.listing import files_in, require_folder
from ctviewer.datasets.lung_masks import lung_masks
from ctviewer.datasets.masks import SliceKeys
from ctviewer.datasets.slices.lidc import nodule_labels
from ctviewer.datasets.slices.lidc_xml import ReadMessage, read_message
from ctviewer.datasets.slices.volume_slices import labelled_slices, require_axial_hu, usable_slices
from ctviewer.datasets.study_folder import ListedStudies
from ctviewer.datasets.xml_files import read_xml
from ctviewer.dicom import scan

CLASSES = (BACKGROUND, LUNG, NODULE)
"""Of labels; without nodules the first two."""
_BOXES = "boxes"
_MOST_BYTES = 1 << 20
_AIR_HU = np.float32(-1024.0)


@dataclass(frozen=True, eq=False)
class ScannedChest:
    """One series.

    Attributes:
        name: the folder's name and the kernel, once in a folder.
        patient: the folder's name: all its series are of one patient.
        kernel: ConvolutionKernel as its file says it.
        slices: in HU, upright, head to feet, with labels of `CLASSES`, where the lungs are the program's own work.
        left_out: how many slices were left out for a tumour on them or beside them.
    """

    name: str
    patient: str
    kernel: str
    slices: LabelledSlices
    left_out: int


def scanned_chests(folder: Path, margin: int = 1, *, nodules: bool = False) -> tuple[ScannedChest, ...]:
    """All axial CT series of one patient in a folder.

    Args:
        folder: of Lung-PET-CT-Dx (its tumour boxes as XML in `boxes`, each named by the SOPInstanceUID of its slice), of
            LIDC-IDRI (the readers' contours as XML), or of series without any marks.
        margin: slices beside a boxed one that are left out as well: a tumour does not end with its box. A box holds for the
            slices of all series at its position.
        nodules: whether outlined nodules are a class of their own, and no lung.

    Returns:
        Series in a fixed order, by name.

    Raises:
        InputError: the folder cannot be read, its marks fit no slice, or no series of it shows lungs.
    """
    require_folder(folder)
    contours = _contours(folder) if nodules else {}
    boxed = _boxed(folder / _BOXES)
    volumes = sorted(_volumes(folder), key=lambda volume: (volume.series.kernel, volume.series.uid))
    if not volumes:
        raise InputError(f"{folder} holds no axial CT series in Hounsfield units.")
    heights = _heights(volumes, boxed, folder)
    found = [one for v in volumes if (one := _chest(v, folder.name, heights, contours, margin)) is not None]
    if not found:
        raise InputError(f"No lungs were found in the series of {folder}.")
    names = [one.name for one in found]
    return tuple(
        replace(one, name=f"{one.name} {names[:i].count(one.name) + 1}") if names.count(one.name) > 1 else one
        for i, one in enumerate(found)
    )


def _volumes(folder: Path) -> Iterator[Volume]:
    for series in _series(folder):
        row = LabelRow(folder.name, folder.name, (), series=series.key, path=str(folder.absolute()))
        volume, _ = ListedStudies([row]).load(folder.name)
        try:
            require_axial_hu(volume, folder.name)
        except InputError:  # a localizer, a coronal reconstruction: nothing to learn from, and no fault of the folder
            continue
        yield volume


def _series(folder: Path) -> tuple[Series, ...]:
    *_, last = scan(folder)
    assert isinstance(last, Done)  # a scan ends with its catalog or an error
    series: tuple[Series, ...] = last.value.series
    return tuple(one for one in series if one.readable and one.modality == "CT")


def _contours(folder: Path) -> dict[str, ReadMessage]:
    """LIDC's readings by the series they are of."""
    paths = (path for name, path in files_in(folder, (".xml",)).items() if not name.startswith(f"{_BOXES}/"))
    return {message.series: message for path in paths if (message := read_message(path)) is not None}


def _boxed(folder: Path) -> frozenset[str]:
    """SOPInstanceUIDs of the slices with a box; none where there are no boxes."""
    if not folder.is_dir():
        return frozenset()
    return frozenset(path.stem for path in files_in(folder, (".xml",)).values() if _has_box(path))


def _has_box(path: Path) -> bool:
    """Whether an annotation (PASCAL VOC's form) holds a box.

    Raises:
        InputError: it cannot be read or is none.
    """
    root = read_xml(path, "file of boxes", _MOST_BYTES)
    if root.tag != "annotation":
        raise InputError(f"{path} is no file of boxes: it begins with {root.tag!r}.")
    return root.find("object/bndbox") is not None


def _heights(volumes: Collection[Volume], boxed: frozenset[str], folder: Path) -> NDArray[np.float64]:
    """Positions in mm of the boxed slices.

    Raises:
        InputError: there are boxes, and none is of a slice that is there.
    """
    found = [
        place
        for volume in volumes
        for ref, place in zip(volume.series.slices, _positions(volume), strict=True)
        if ref.sop_instance_uid in boxed
    ]
    if boxed and not found:
        raise InputError(f"The boxes in {folder / _BOXES} are of slices that the series beside them do not have.")
    return np.unique(found)


def _positions(volume: Volume) -> NDArray[np.float64]:
    """Of each slice along the patient, in mm (LPS z); an axial series has them."""
    origins = volume.geometry.origins
    assert origins is not None  # of a plane that is known
    return np.asarray(origins[:, 2], np.float64)


def _chest(
    volume: Volume, patient: str, heights: NDArray[np.float64], contours: dict[str, ReadMessage], margin: int
) -> ScannedChest | None:
    """None where the series shows no lungs."""
    lungs = _lungs(volume)
    if not lungs.any():
        return None
    keys, kernel = SliceKeys(volume), volume.series.kernel
    labels = lungs.astype(np.uint8) * np.uint8(CLASSES.index(LUNG))
    message, name = contours.get(volume.series.uid), f"{patient} {kernel}".strip()
    if message is not None:
        outlined, _ = nodule_labels(volume, keys, message, name)
        labels[outlined > 0] = CLASSES.index(NODULE)
    ill = _beside(_positions(volume), heights, margin * (volume.geometry.slice_spacing or 1.0))
    kept = usable_slices(volume, ~ill)
    classes = CLASSES if message is not None else CLASSES[:2]
    complete = np.ones(volume.slice_count, bool)
    slices = labelled_slices(volume, kept, keys, labels=labels, label_classes=classes, complete=complete)
    return ScannedChest(name, patient, kernel, slices, int(ill.sum()))


def _beside(positions: NDArray[np.float64], heights: NDArray[np.float64], reach: float) -> NDArray[np.bool_]:
    """`[slices]`: which lie at one of the heights or within reach of it, in mm."""
    if not heights.size:
        return np.zeros(positions.shape, bool)
    nearest = np.abs(positions[:, None] - heights).min(axis=1)
    return np.asarray(nearest < reach + 0.5)  # half a millimetre: positions are rounded


def _lungs(volume: Volume) -> NDArray[np.bool_]:
    """`[slices, rows, columns]` by volume index; none where distances are not known."""
    spacing, between = volume.geometry.pixel_spacing, volume.geometry.slice_spacing
    if spacing is None or between is None:
        return np.zeros(volume.geometry.shape, bool)
    hu = [np.where(volume.valid(i), volume.hu(i), _AIR_HU) for i in range(volume.slice_count)]
    return lung_masks(np.stack(hu), (between, *spacing))
