"""Folders of `<class>_<patient>_<scan>_<slice>.png`: the class of a slice stands in its name, as in COVIDx-CT's own."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from ctviewer.core.errors import InputError
from ctviewer.datasets.class_names import class_of_prefix
from ctviewer.datasets.listing import by_name, lines_of, listed_file, require_folder
from ctviewer.datasets.slices.picture_scans import PictureScan, PictureSlice, PictureSource
from ctviewer.datasets.stating import Statement

_NAME = re.compile(r"(?P<scan>(?P<patient>(?P<prefix>[^_]+)_[^_]+)_[^_]+)_(?P<slice>[^_]+)\.[a-z]+", re.IGNORECASE)


def open_prefixed(folder: Path, stated: Statement, table: Path | None = None, split: str = "") -> PictureSource:
    """Slices with an image class in a folder and its sub-folders.

    A patient is one by class and number, because the classes number their patients apart.

    Args:
        folder: holds the pictures.
        stated: what their values mean.
        table: a list of those to take, one file name a line; None takes all.
        split: part that all its scans are in; "" for none.

    Raises:
        InputError: the folder cannot be used, or a name does not say class, patient, scan and slice.
    """
    files = by_name(require_folder(folder))
    taken = list(files.values())
    if table is not None:
        taken = [listed_file(files, line, table, number, folder) for number, line in lines_of(table)]
    patients: dict[str, str] = {}
    slices: dict[str, dict[str, PictureSlice]] = defaultdict(dict)
    for path in taken:
        found = _NAME.fullmatch(path.name)
        if found is None:
            raise InputError(f"{path} is not named <class>_<patient>_<scan>_<slice>: its class cannot be known.")
        scan = found["scan"]
        if slices[scan].setdefault(found["slice"], one := _slice(found, path)) != one:
            raise InputError(f"{slices[scan][found['slice']].image} and {path} are the same slice.")
        patients[scan] = found["patient"]
    if not slices:
        raise InputError(f"{table or folder} {'names' if table else 'holds'} no pictures of slices.")
    scans = [PictureScan(scan, patients[scan], tuple(found.values()), split) for scan, found in slices.items()]
    return PictureSource(scans, stated)


def _slice(found: re.Match[str], path: Path) -> PictureSlice:
    return PictureSlice(found["slice"], path, class_of_prefix(found["prefix"]))
