"""Slices of COVID-19-CT-Seg as pictures: `ct/0000.png` with `covid/0000.png` (infection) and `lungs/0000.png`.

Ten patients one after the other; here the lung contains the infection. A window and CLAHE are applied already: values are grey,
unless `RecoveredSource` undoes both.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.slices import BACKGROUND, HU, LabelledSlices
from ctviewer.datasets.class_names import INFECTION, LUNG
from ctviewer.datasets.listing import files_in, require_folder, sub_folder
from ctviewer.datasets.pictures import read_labels
from ctviewer.datasets.recovered import recover_hu
from ctviewer.datasets.slices.picture_scans import PictureScan, PictureSlice, PictureSource
from ctviewer.datasets.stating import Statement

PATIENT_STARTS = (0, 159, 279, 397, 510, 626, 696, 789, 970, 1081)
"""Number of the first slice of each patient."""
_CLASSES = (BACKGROUND, LUNG, INFECTION)
_SET = 255  # what marks a pixel in both kinds of mask
_WHITE = 255  # of the pictures


def open_covid19_ct_seg(folder: Path, stated: Statement, complete: bool = True, split: str = "") -> PictureSource:
    """The slices in a folder, a scan for each patient.

    Args:
        folder: holds `ct`, `covid` and `lungs`.
        stated: what the values of the pictures mean.
        complete: whether all lesions of its slices are marked, as its makers say.
        split: part that all its scans are in; "" for none.

    Raises:
        InputError: the folder cannot be used, or a slice lacks one of its masks.
    """
    require_folder(folder)
    images = files_in(sub_folder(folder, ("ct",), "pictures of slices"), (".png",))
    masks = [files_in(sub_folder(folder, (name,), "masks"), (".png",)) for name in ("lungs", "covid")]
    slices: dict[int, list[PictureSlice]] = defaultdict(list)
    for name, path in images.items():
        stem = name.rpartition(".")[0]
        if not stem.isdecimal():
            raise InputError(f"{path} is not named by a number: its patient cannot be known.")
        if missing := [place for place, found in zip(("lungs", "covid"), masks, strict=True) if name not in found]:
            raise InputError(f"{path} has no mask in {missing[0]}.")
        patient = bisect_right(PATIENT_STARTS, int(stem))
        slices[patient].append(PictureSlice(stem, path, masks=tuple(found[name] for found in masks)))
    for found in masks:
        if strange := [path for name, path in found.items() if name not in images]:
            raise InputError(f"{strange[0]} is a mask without its picture.")
    if not slices:
        raise InputError(f"{folder} holds no slices.")
    scans = [
        PictureScan(f"patient-{number:02d}", f"covid19_ct_seg:{number}", tuple(found), split, _in_a_row(found))
        for number, found in sorted(slices.items())
    ]
    return PictureSource(scans, stated, label_classes=_CLASSES, labeller=_labels, complete=complete)


class RecoveredSource:
    """The same slices in Hounsfield units, as nearly as they can be told: a fifth of a second each.

    Args:
        source: of `open_covid19_ct_seg`, without a statement of values.
    """

    def __init__(self, source: PictureSource) -> None:
        self._source = source
        self.patients_known = source.patients_known

    def ids(self) -> tuple[str, ...]:
        """Identifiers of the scans."""
        return self._source.ids()

    def patient(self, scan: str) -> str:
        """Whose scan it is."""
        return self._source.patient(scan)

    def classes(self, scan: str) -> tuple[str, ...]:
        """None: only lesions are marked."""
        return self._source.classes(scan)

    def split(self, scan: str) -> str:
        """The part that was stated for all."""
        return self._source.split(scan)

    def slice_count(self, scan: str) -> int:
        """How many slices `load_slices` gives."""
        return self._source.slice_count(scan)

    def paths(self, scan: str) -> tuple[Path, ...]:
        """Files of the scan."""
        return self._source.paths(scan)

    def load_slices(self, scan: str) -> LabelledSlices:
        """The labelled slices of a scan, in HU.

        Raises:
            InputError: a file cannot be read or does not fit the others, or the pictures are not of this set's size.
        """
        slices = self._source.load_slices(scan)
        assert slices.labels is not None  # of this set
        try:
            hu = [recovered(grey, labels) for grey, labels in zip(slices.pixels, slices.labels, strict=True)]
        except ValueError as error:
            raise InputError(f"Hounsfield units of {scan} cannot be recovered: {error}.") from error
        return replace(slices, pixels=np.stack(hu), unit=HU)


def recovered(grey: NDArray[np.float32], labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """One slice in HU, as nearly as it can be told.

    Args:
        grey: `[rows, columns]`, 0..1, as `PictureSource` gives it.
        labels: `[rows, columns]`, of the same.

    Raises:
        ValueError: it is not of this set's size.
    """
    return recover_hu(np.rint(grey * np.float32(_WHITE)).astype(np.uint8), labels > 0)


def _in_a_row(slices: list[PictureSlice]) -> bool:
    """Whether no number is missing between them."""
    numbers = [int(one.name) for one in slices]
    return all(b == a + 1 for a, b in pairwise(numbers))


def _labels(one: PictureSlice) -> NDArray[np.uint8]:
    """Infection over lung."""
    lungs, infection = (_marked(path) for path in one.masks)
    if lungs.shape != infection.shape:
        raise InputError(f"{one.masks[0]} and {one.masks[1]} differ in size.")
    labels = lungs.astype(np.uint8) * np.uint8(_CLASSES.index(LUNG))
    labels[infection] = _CLASSES.index(INFECTION)
    return labels


def _marked(path: Path) -> NDArray[np.bool_]:
    values = read_labels(path)
    if strange := [int(value) for value in np.unique(values) if value not in (0, _SET)]:
        raise InputError(f"{path} holds the value {strange[0]}, and a mask of this set holds 0 and {_SET}.")
    return np.asarray(values == _SET)
