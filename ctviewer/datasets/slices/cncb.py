"""CNCB-NCOV lesion slices: pictures and their label maps (background, lung, ground glass, consolidation).

`imgs/<patient>_<slice>.jpg` with `masks/<patient>_<slice>.png`, or as the archive is published,
`image/<patient>/<slice>.jpg` with `mask/<patient>/<slice>.png`. In these label maps the lung leaves the lesions out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.datasets.class_names import LESION_CLASSES
from ctviewer.datasets.listing import files_in, require_folder, sub_folder
from ctviewer.datasets.masks.legend import DEFAULT
from ctviewer.datasets.pictures import read_labels
from ctviewer.datasets.slices.picture_scans import PictureScan, PictureSlice, PictureSource
from ctviewer.datasets.stating import Statement

_FLAT = re.compile(r"(?P<patient>[^/]+)_(?P<slice>[^_/]+)")
_NESTED = re.compile(r"(?P<patient>[^/]+)/(?P<slice>[^/]+)")


def open_cncb(folder: Path, stated: Statement, complete: bool = True, split: str = "") -> PictureSource:
    """The lesion slices of CNCB-NCOV in a folder.

    Args:
        folder: holds the pictures and the masks.
        stated: what the values of the pictures mean.
        complete: whether all lesions of its slices are marked, as its makers say.
        split: part that all its scans are in; "" for none.

    Raises:
        InputError: the folder cannot be used, a mask has no picture, or a picture no mask.
    """
    require_folder(folder)
    images = _by_stem(sub_folder(folder, ("imgs", "images", "image"), "pictures of slices"))
    masks = _by_stem(sub_folder(folder, ("masks", "mask"), "label maps"))
    for stem, path in masks.items():
        if stem not in images:
            raise InputError(f"{path} is a label map without its picture.")
    slices: dict[str, list[PictureSlice]] = defaultdict(list)
    for stem, path in images.items():
        if stem not in masks:
            raise InputError(f"{path} has no label map: it cannot be known what it shows.")
        found = _FLAT.fullmatch(stem) or _NESTED.fullmatch(stem)
        if found is None:
            raise InputError(f"{path} is not named as CNCB-NCOV's slices are (<patient>_<slice>).")
        slices[found["patient"]].append(PictureSlice(found["slice"], path, masks=(masks[stem],)))
    if not slices:
        raise InputError(f"{folder} holds no slices of CNCB-NCOV.")
    scans = [PictureScan(patient, f"cncb:{patient}", tuple(found), split) for patient, found in slices.items()]
    return PictureSource(scans, stated, label_classes=LESION_CLASSES, labeller=_labels, complete=complete)


def _by_stem(folder: Path) -> dict[str, Path]:
    """Files by their place without the ending.

    Raises:
        InputError: two differ in the ending alone.
    """
    found: dict[str, Path] = {}
    for name, path in files_in(folder).items():
        stem = name.rpartition(".")[0]
        if stem in found:
            raise InputError(f"{found[stem]} and {path} differ in the ending alone: which one is meant cannot be told.")
        found[stem] = path
    return found


def _labels(one: PictureSlice) -> NDArray[np.uint8]:
    return DEFAULT.mapped(read_labels(one.masks[0]), str(one.masks[0]))
