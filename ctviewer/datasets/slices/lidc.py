"""LIDC-IDRI: DICOM series and the contours of up to four readers beside them, as one label map of nodules.

A pixel is nodule where at least half of the readers say so. All nodules of the whole scan are outlined, so that slices are
complete, except where a mark stands that fewer readers made, or a nodule under 3 mm, which has no outline.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.slices import BACKGROUND, LabelledSlices
from ctviewer.core.volume import Volume
from ctviewer.datasets.class_names import NODULE
from ctviewer.datasets.label_table import LabelRow
from ctviewer.datasets.listing import files_in, require_folder
from ctviewer.datasets.masks import SliceKeys
from ctviewer.datasets.slices.lidc_xml import Contour, ReadMessage, read_message
from ctviewer.datasets.slices.volume_slices import labelled_slices, require_axial_hu, usable_slices
from ctviewer.datasets.study_folder import ListedStudies

_CLASSES = (BACKGROUND, NODULE)
_PATIENT = re.compile(r"LIDC-IDRI-\d+")
_APART = 0.3  # share of the slice spacing by which the reader's z may differ from the image's


class LidcScans:
    """Series with contours; meets the training layer's `SliceSource` protocol by structure.

    Args:
        folder: holds XML files, each with its series in the same folder or below.
        complete: whether slices without an open mark are complete; None or True for yes.
        split: part that all scans are in; "" for none.

    Raises:
        InputError: the folder or one of its XML files cannot be used.
    """

    def __init__(self, folder: Path, complete: bool | None = None, split: str = "") -> None:
        self._messages: dict[str, ReadMessage] = {}
        rows = []
        for name, path in files_in(require_folder(folder), (".xml",)).items():
            message = read_message(path)
            if message is None:
                continue
            scan = name[: -len(".xml")]
            found = _PATIENT.findall(str(path))
            patient = found[-1] if found else f"lidc:{message.study or message.series}"
            rows.append(LabelRow(scan, patient, (), series=message.series, path=str(path.parent.absolute())))
            self._messages[scan] = message
        if not rows:
            raise InputError(f"{folder} holds no contours of LIDC-IDRI.")
        self._studies = ListedStudies(rows)
        self._complete, self._split = complete is not False, split
        self.patients_known = True

    def ids(self) -> tuple[str, ...]:
        """Names of the XML files, without the ending."""
        return self._studies.ids()

    def patient(self, scan: str) -> str:
        """The patient's number in the set where the folders say it, else the study."""
        return self._studies.patient(scan)

    def classes(self, scan: str) -> tuple[str, ...]:
        """None: only nodules are marked."""
        return ()

    def split(self, scan: str) -> str:
        """The part that was stated for all."""
        return self._split

    def paths(self, scan: str) -> tuple[Path, ...]:
        """Where the series and its contours lie."""
        return (self._studies.path(scan),)

    def load_slices(self, scan: str) -> LabelledSlices:
        """The slices of the series that are there, head to feet; without completeness those with nodules alone.

        Raises:
            InputError: the series cannot be read, or the contours do not fit it.
        """
        volume, _ = self._studies.load(scan)
        require_axial_hu(volume, scan)
        keys = SliceKeys(volume)
        labels, is_open = nodule_labels(volume, keys, self._messages[scan], scan)
        complete = ~is_open if self._complete else np.zeros(volume.slice_count, bool)
        kept = usable_slices(volume, complete | labels.any(axis=(1, 2)))
        if not kept:
            raise InputError(f"No nodule is outlined in the slices of the scan {scan} that are there.")
        return labelled_slices(volume, kept, keys, labels=labels, label_classes=_CLASSES, complete=complete)


def nodule_labels(
    volume: Volume, keys: SliceKeys, message: ReadMessage, scan: str
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Nodules `[slices, rows, columns]`, and `[slices]` where a mark stands that is none.

    Raises:
        InputError: no contour is of an image of the series, or one lies elsewhere than its image.
    """
    labels = np.zeros(volume.geometry.shape, np.uint8)
    is_open = np.zeros(volume.slice_count, bool)
    by_slice: dict[int, list[Contour]] = defaultdict(list)
    for contour in message.contours:
        index = keys.find(contour.image)
        if index is not None:  # images that were not copied along have no place to be wrong in
            _require_place(volume, index, contour, scan)
            by_slice[index].append(contour)
    if message.contours and not by_slice:
        raise InputError(f"The contours of the scan {scan} are of images that its series does not have.")
    for index, contours in by_slice.items():
        try:
            regions = _regions(contours, volume.geometry.shape[1:])
        except ValueError as error:
            raise InputError(f"The contours of the scan {scan} do not fit its images: {error}.") from error
        readers = {reader: np.zeros(volume.geometry.shape[1:], bool) for reader, _ in regions}
        for (reader, _), region in regions.items():
            readers[reader] |= region
        agreed = sum(region.astype(np.int16) for region in readers.values()) * 2 >= message.readers
        labels[index][agreed] = _CLASSES.index(NODULE)
        is_open[index] = any(not (region & agreed).any() for region in regions.values())
    return labels, is_open


def _require_place(volume: Volume, index: int, contour: Contour, scan: str) -> None:
    """Image and position that a contour names are one."""
    position, spacing = volume.series.slices[index].position, volume.geometry.slice_spacing
    if position is None or contour.z is None:
        return
    if abs(position[2] - contour.z) > _APART * (spacing or 1.0):
        raise InputError(
            f"A contour of the scan {scan} says z {contour.z:g} mm, and its image lies at {position[2]:g} mm."
        )


def _regions(contours: Iterable[Contour], shape: tuple[int, ...]) -> dict[tuple[int, int], NDArray[np.bool_]]:
    """What each reader's nodules cover on one slice: outlines without what was cut out of them."""
    found: dict[tuple[int, int], NDArray[np.bool_]] = {}
    for contour in sorted(contours, key=lambda one: not one.included):
        region = found.setdefault((contour.reader, contour.nodule), np.zeros(shape, bool))
        inside = contour.inside((shape[0], shape[1]))
        if contour.included:
            region |= inside
        else:
            region &= ~inside
    return found
