"""COVIDx-CT, versions 1 to 3: lists of `file class xmin ymin xmax ymax`, one each for training, validation and test.

The lists are called `train_COVIDx-CT.txt` (version 1) or `train_COVIDx_CT-2A.txt` and so on; the pictures lie beside them
or in a folder `images`, `2A_images` or `3A_images`. `metadata.csv` names the patients, where it is there.
Source: the documentation of the set (github.com/haydengunraj/COVIDNet-CT, docs/dataset.md).
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from ctviewer.core.errors import InputError
from ctviewer.datasets.class_names import IMAGE_CLASSES
from ctviewer.datasets.listing import by_name, lines_of, listed_file, require_folder
from ctviewer.datasets.slices.picture_scans import Box, PictureScan, PictureSlice, PictureSource
from ctviewer.datasets.stating import Statement

_LIST = re.compile(r"(?P<split>train|val|test)_(?P<version>covidx[-_]ct.*)\.txt", re.IGNORECASE)
_PARTS = re.compile(r"[^_\-.]+[_\-.]*")
_SLICE = re.compile(r"(?P<scan>.+?)[_-](?P<slice>(?:IM)?\d+)\.[a-z]+", re.IGNORECASE)
_PATIENTS = (
    re.compile(r"(?:NCP|CP|Normal)_\d+(?=_)"),  # CNCB: class_patient_scan_slice
    re.compile(r"LIDC-IDRI-\d+(?=-)"),
    re.compile(r"radiopaedia-\d+(?=-)"),  # number of the case; study and stack follow
    re.compile(r".+patient\d+(?=_)"),  # COVID-CTset
)
_METADATA = "metadata.csv"


@dataclass
class _Found:
    """A scan while lists are read."""

    patient: str
    split: str
    slices: dict[str, PictureSlice] = field(default_factory=dict)


def open_covidx(folder: Path, stated: Statement, table: Path | None = None, split: str = "") -> PictureSource:
    """Slices with an image class, by the lists of COVIDx-CT.

    Args:
        folder: holds the pictures, in itself or in sub-folders.
        stated: what their values mean.
        table: one list; None takes those of the folder, which must be of one version.
        split: part that all scans are in; "" for what the name of the list says.

    Raises:
        InputError: a list or the folder cannot be used; the text names the file, the line and the reason.
    """
    require_folder(folder)
    lists = [table] if table is not None else _lists(folder)
    files = by_name(folder)
    patients = _patients(folder if table is None else table.parent)
    scans: dict[str, _Found] = {}
    for one in lists:
        named = _LIST.fullmatch(one.name)
        part = split or (named["split"].lower() if named else "")
        for number, line in lines_of(one):
            name, image_class, box = _line(line, one, number)
            path = listed_file(files, name, one, number, folder)
            _add(scans, PictureSlice(path.stem, path, image_class, box=box), patients, part, f"{one}, line {number}")
    if not scans:
        raise InputError(f"{lists[0]} lists no pictures.")
    made = [PictureScan(name, scan.patient, tuple(scan.slices.values()), scan.split) for name, scan in scans.items()]
    return PictureSource(made, stated)


def _lists(folder: Path) -> list[Path]:
    """The lists of a folder, of one version.

    Raises:
        InputError: there are none, or several versions.
    """
    found = {path: match for path in sorted(folder.glob("*.txt")) if (match := _LIST.fullmatch(path.name))}
    if not found:
        raise InputError(f"{folder} has no lists of COVIDx-CT (train_COVIDx_CT-2A.txt for instance): name one.")
    versions: dict[str, list[Path]] = defaultdict(list)
    for path, match in found.items():
        versions[match["version"].casefold()].append(path)
    if len(versions) > 1:
        names = " and ".join(paths[0].name for paths in versions.values())
        raise InputError(f"{folder} has lists of several versions ({names}): name the one to take.")
    return list(found)


def _line(line: str, table: Path, number: int) -> tuple[str, str, Box]:
    """File name, class and box of a line.

    Raises:
        InputError: it is none.
    """
    parts = line.rsplit(None, 5)
    try:
        if len(parts) != 6:
            raise ValueError
        label, x1, y1, x2, y2 = (int(part) for part in parts[1:])
    except ValueError:
        raise InputError(f"{table}, line {number}: it is not of the form file class xmin ymin xmax ymax.") from None
    if not 0 <= label < len(IMAGE_CLASSES):
        raise InputError(f"{table}, line {number}: the class {label} is none of 0, 1 and 2.")
    if not (0 <= x1 < x2 and 0 <= y1 < y2):
        raise InputError(f"{table}, line {number}: the box {x1} {y1} {x2} {y2} is empty.")
    return parts[0], IMAGE_CLASSES[label], (x1, y1, x2, y2)


def _add(scans: dict[str, _Found], one: PictureSlice, patients: frozenset[str], split: str, where: str) -> None:
    """Put a slice into its scan.

    Raises:
        InputError: it is there already, or its scan is in two parts.
    """
    found = _SLICE.fullmatch(one.image.name)
    name = found["scan"] if found else one.image.stem
    if name not in scans:
        scans[name] = _Found(_patient(one.image.stem, name, patients), split)
    scan = scans[name]
    if one.name in scan.slices:
        raise InputError(f"{where}: {one.image.name} is listed twice.")
    if scan.split != split:
        raise InputError(f"{where}: the scan of {one.image.name} is in two parts, {scan.split} and {split}.")
    scan.slices[one.name] = one


def _patient(stem: str, scan: str, patients: frozenset[str]) -> str:
    """By `metadata.csv`, else by how the sets within COVIDx-CT name their files, else each scan is a patient."""
    prefixes: list[str] = [prefix.rstrip("_-.") for prefix in accumulate(_PARTS.findall(stem))]
    if known := [prefix for prefix in prefixes if prefix in patients]:
        return known[-1]
    for pattern in _PATIENTS:
        if match := pattern.match(stem):
            return str(match[0])
    return scan


def _patients(folder: Path) -> frozenset[str]:
    """Patients that `metadata.csv` names; none where there is no such file.

    Raises:
        InputError: it cannot be read.
    """
    path = folder / _METADATA
    return frozenset(_first_column(path, (line for _, line in lines_of(path)))) if path.is_file() else frozenset()


def _first_column(path: Path, lines: Iterable[str]) -> Iterable[str]:
    rows = csv.reader(lines)
    try:
        heading = next(rows, [])
        if "patient id" not in heading:
            raise InputError(f"{path} has no column 'patient id'.")
        place = heading.index("patient id")
        yield from (row[place] for row in rows if len(row) > place)
    except csv.Error as error:
        raise InputError(f"{path} is no table ({error}).") from error
