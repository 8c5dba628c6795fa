"""`slices.csv` beside the masks of a study: what is known of single slices."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ctviewer.core.errors import InputError
from ctviewer.core.files import write_bytes
from ctviewer.datasets.listing import lines_of

SLICES_NAME = "slices.csv"
_COLUMNS = ("slice", "complete", "class", "origin", "outlined")
_YES_NO = {"": None, "yes": True, "no": False}
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SliceRow:
    """One slice as the table describes it.

    Attributes:
        name: its SOPInstanceUID, its digest, or the name of its picture.
        complete: whether all its lesions are marked; None where the table does not say.
        image_class: what it shows; "" where the table does not say.
        origin: SHA-256 of the weights whose accepted output its marks are; "" for a person's own.
        outlined: whether a lesion is outlined on it, so that a mask that got lost is missed; None where the table does not say.
        line: where it stands, from 1.
    """

    name: str
    complete: bool | None = None
    image_class: str = ""
    origin: str = ""
    outlined: bool | None = None
    line: int = 0


def read_slice_table(path: Path) -> tuple[SliceRow, ...]:
    """The slices that a table describes; none where there is no such file.

    Raises:
        InputError: it cannot be used; the text names the file, the line and the reason.
    """
    if not path.is_file():
        return ()
    lines = list(lines_of(path))
    delimiter = ";" if lines and ";" in lines[0][1] else ","
    try:
        cells = list(csv.reader([line for _, line in lines], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError(f"{path} is no table ({error}).") from error
    heading = [cell.strip().casefold() for cell in cells[0]] if cells else []
    if "slice" not in heading or not set(heading) <= set(_COLUMNS) or len(set(heading)) < len(heading):
        raise InputError(f"{path}: its heading is not of {', '.join(_COLUMNS)}.")
    rows: dict[str, SliceRow] = {}
    for (number, _), values in zip(lines[1:], cells[1:], strict=False):
        if any(cell.strip() for cell in values[len(heading) :]):
            raise InputError(f"{path}, line {number}: it has {len(values)} cells, and the heading has {len(heading)}.")
        row = _row(dict(zip(heading, (value.strip() for value in values), strict=False)), path, number)
        if row.name in rows:
            raise InputError(f"{path}, line {number}: the slice stands in line {rows[row.name].line} already.")
        rows[row.name] = row
    return tuple(rows.values())


def write_slice_table(path: Path, rows: Iterable[SliceRow]) -> None:
    """Write a table that `read_slice_table` reads again.

    Raises:
        StorageError: the place cannot be written.
    """
    words = {None: "", True: "yes", False: "no"}
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    table.writerows((row.name, words[row.complete], row.image_class, row.origin, words[row.outlined]) for row in rows)
    write_bytes(path, text.getvalue().encode("utf-8"))


def _row(cells: dict[str, str], path: Path, line: int) -> SliceRow:
    origin = cells.get("origin", "").casefold()
    if not cells.get("slice"):
        raise InputError(f"{path}, line {line}: it names no slice.")
    for name in ("complete", "outlined"):
        if cells.get(name, "").casefold() not in _YES_NO:
            raise InputError(f"{path}, line {line}: {cells[name]!r} under {name} is neither yes nor no.")
    complete, outlined = (_YES_NO[cells.get(name, "").casefold()] for name in ("complete", "outlined"))
    if origin and not _HASH.fullmatch(origin):
        raise InputError(f"{path}, line {line}: the origin is no SHA-256 of a model's weights.")
    return SliceRow(cells["slice"], complete, cells.get("class", ""), origin, outlined, line)
