"""The marked lesions of one study, from whatever files they are in, as one label map on its own voxels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.volume import Volume
from ctviewer.datasets.listing import files_in
from ctviewer.datasets.masks.legend import Legend
from ctviewer.datasets.masks.slice_keys import SliceKeys
from ctviewer.datasets.masks.volumes import VOLUME_ENDINGS, read_volume_labels
from ctviewer.datasets.pictures import read_labels
from ctviewer.dicom.segmentation import is_segmentation, read_segments

_PICTURE = ".png"
_DICOM = ".dcm"
_ENDINGS = ("", *VOLUME_ENDINGS, _DICOM, _PICTURE)
_NO_MASKS = (".csv", ".txt", ".json", ".md")  # what may lie beside masks


def find_masks(place: Path) -> Path | None:
    """The file or folder of masks at a place, whose ending may be left away; None where there is none.

    Raises:
        InputError: there are several.
    """
    found = [path for path in (place.with_name(place.name + ending) for ending in _ENDINGS) if path.exists()]
    if len(found) > 1:
        raise InputError(f"The masks may be {' or '.join(path.name for path in found)} in {place.parent}: name one.")
    return found[0] if found else None


def plain_name(place: Path) -> str:
    """The name of a file of masks without its ending."""
    ending = next((one for one in _ENDINGS[1:] if place.name.lower().endswith(one)), "")
    return place.name[: len(place.name) - len(ending)]


def read_masks(place: Path, volume: Volume, keys: SliceKeys, legend: Legend) -> NDArray[np.uint8]:
    """All that is marked in a study.

    In a folder there may be one PNG for each slice, named by its SOPInstanceUID, its digest or its picture; one or several
    segmentations; one or several volumes. Where files overlap, the class that stands later in the legend holds.

    Args:
        place: a file, or a folder of them.
        volume: of the study.
        keys: names of its slices.
        legend: the lesion classes of the set.

    Returns:
        `[slices, rows, columns]` by index of `legend.classes`, in the volume's own matrix.

    Raises:
        InputError: a file cannot be read or does not fit the study; the text names the file and the reason.
    """
    paths = [place] if place.is_file() else [path for path in _files(place) if path.suffix.lower() not in _NO_MASKS]
    labels = np.zeros(volume.geometry.shape, np.uint8)
    for path in paths:
        name = path.name.lower()
        if name.endswith(_PICTURE):
            index, values = _picture(path, volume, keys, legend)
            np.maximum(labels[index], values, out=labels[index])
        elif name.endswith(VOLUME_ENDINGS):
            np.maximum(labels, read_volume_labels(path, volume, legend), out=labels)
        elif is_segmentation(path):
            np.maximum(labels, _segments(path, volume, legend), out=labels)
        else:
            raise InputError(f"{path} is no mask: neither a DICOM Segmentation, NIfTI, MetaImage nor PNG.")
    return labels


def _files(folder: Path) -> list[Path]:
    return list(files_in(folder, ("",)).values())


def _picture(path: Path, volume: Volume, keys: SliceKeys, legend: Legend) -> tuple[int, NDArray[np.uint8]]:
    """The slice that a PNG is of, and its labels."""
    index = keys.find(path.stem)
    if index is None:
        raise InputError(f"{path} is named by no slice of the study: neither by its SOPInstanceUID nor by its digest.")
    values = legend.mapped(read_labels(path), str(path))
    rows, columns = volume.geometry.shape[1:]
    if values.shape != (rows, columns):
        raise InputError(f"{path} is {values.shape[0]} x {values.shape[1]} pixels, and its slice {rows} x {columns}.")
    return index, values


def _segments(path: Path, volume: Volume, legend: Legend) -> NDArray[np.uint8]:
    labels = np.zeros(volume.geometry.shape, np.uint8)
    for label, marked in read_segments(path, volume).items():
        index = np.uint8(legend.index_of(label, str(path)))
        np.maximum(labels, marked * index, out=labels)
    return labels
