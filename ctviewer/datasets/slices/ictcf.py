"""iCTCF's slices: `0_nCT4521.jpg` (negative) and `2_pCT1297.jpg` (COVID-19), or without the number, and lists of their names.

The numbers of the classes are those of COVIDx-CT, so that logits of three classes stay three. The set does not say which
slices are of one patient: each counts as one of its own, and only its lists can tell training from testing.
"""

from __future__ import annotations

import re
from pathlib import Path

from ctviewer.core.errors import InputError
from ctviewer.datasets.class_names import IMAGE_CLASSES
from ctviewer.datasets.listing import by_name, lines_of, listed_file, require_folder
from ctviewer.datasets.slices.picture_scans import PictureScan, PictureSlice, PictureSource
from ctviewer.datasets.stating import Statement

_NAME = re.compile(r"(?:(?P<number>\d)_)?(?P<slice>(?P<kind>[np])CT\d+)\.[a-z]+", re.IGNORECASE)
_NOT_INFORMATIVE = re.compile(r"(?:\d_)?NiCT\d+\.[a-z]+", re.IGNORECASE)  # slices without lung
_NUMBER = {"n": 0, "p": 2}
_PART = re.compile(r"(train|val|test)(?![a-z])", re.IGNORECASE)


def open_ictcf(folder: Path, stated: Statement, table: Path | None = None, split: str = "") -> PictureSource:
    """Slices of iCTCF with an image class.

    Args:
        folder: holds the pictures, in itself or in sub-folders.
        stated: what their values mean.
        table: a list of names, one a line, with or without the number of the class behind; None takes all pictures.
        split: part that all are in; "" for what the name of the list begins with (train, val, test), if it does.

    Raises:
        InputError: the folder or the list cannot be used; the text names the file, the line and the reason.
    """
    files = by_name(require_folder(folder))
    if table is None:
        taken = [(path, str(path)) for path in files.values() if not _NOT_INFORMATIVE.fullmatch(path.name)]
    else:
        found = _PART.match(table.stem)
        split = split or (found[1].lower() if found else "")
        taken = [_listed(files, line, table, number, folder) for number, line in lines_of(table)]
    scans: dict[str, PictureScan] = {}
    for path, where in taken:
        one = _slice(path, where)
        if one.name in scans:
            raise InputError(f"{where}: the slice {one.name} is there twice.")
        scans[one.name] = PictureScan(one.name, f"ictcf:{one.name}", (one,), split)
    if not scans:
        raise InputError(f"{table or folder} names no slices of iCTCF.")
    return PictureSource(scans.values(), stated, patients_known=False)


def _listed(files: dict[str, Path], line: str, table: Path, number: int, folder: Path) -> tuple[Path, str]:
    """The file of a line, and where it is named; a class behind it must be that of its name."""
    where = f"{table}, line {number}"
    name, *label = line.split()
    path = listed_file(files, name, table, number, folder)
    if label and label != [str(IMAGE_CLASSES.index(_slice(path, where).image_class))]:
        raise InputError(f"{where}: the class {' '.join(label)} is not that of {name}.")
    return path, where


def _slice(path: Path, where: str) -> PictureSlice:
    found = _NAME.fullmatch(path.name)
    if found is None:
        raise InputError(f"{where}: {path.name} is not named as iCTCF's slices are (0_nCT1.jpg, 2_pCT1.jpg).")
    number = _NUMBER[found["kind"].lower()]
    if found["number"] not in (None, str(number)):
        raise InputError(f"{where}: {path.name} says two classes, {found['number']} and {number}.")
    return PictureSlice(found["slice"], path, IMAGE_CLASSES[number])
