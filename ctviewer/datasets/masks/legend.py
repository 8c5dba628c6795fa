"""What the values of label maps mean: `lesions.csv` beside the table of labels, a value and its class a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.files import write_bytes
from ctviewer.core.slices import BACKGROUND
from ctviewer.datasets.class_names import LESION_CLASSES, lesion_class
from ctviewer.datasets.listing import lines_of

LEGEND_NAME = "lesions.csv"
_HIGHEST = 0xFFFF


@dataclass(frozen=True)
class Legend:
    """Values of label maps and their classes.

    Attributes:
        values: value in the file to class; without an entry of its own 0 is the background.
    """

    values: Mapping[int, str]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, background first, then by rising value, each once."""
        named = (self.values[value] for value in sorted(self.values))
        return tuple(dict.fromkeys((BACKGROUND, *named)))

    @property
    def indices(self) -> dict[int, int]:
        """Value in the file to index of `classes`."""
        classes = self.classes
        return {0: 0, **{value: classes.index(name) for value, name in self.values.items()}}

    def index_of(self, label: str, what: str) -> int:
        """The index of a class that a file names.

        Args:
            label: as the file names it ("GGO").
            what: the file, for the text.

        Raises:
            InputError: it is none of the classes.
        """
        name, classes = lesion_class(label), self.classes
        if name not in classes:
            known = ", ".join(classes[1:]) or "none"
            raise InputError(
                f"{what} marks {label!r}, and the lesion classes of the set are {known}: add it to {LEGEND_NAME}."
            )
        return classes.index(name)

    def mapped(self, values: NDArray[np.integer], what: str) -> NDArray[np.uint8]:
        """A label map by index of `classes`: by value, never by rank.

        Args:
            values: whole numbers from 0 to 65,535, of any shape, as in the file.
            what: the file, for the text.

        Raises:
            InputError: a value has no class.
        """
        indices = self.indices
        found = [int(value) for value in np.flatnonzero(np.bincount(values.ravel()))]
        table = np.zeros(found[-1] + 1 if found else 1, np.uint8)
        for value in found:
            if value not in indices:
                known = ", ".join(str(one) for one in sorted(indices))
                raise InputError(f"{what} holds the value {value}, and its labels are {known}.")
            table[value] = indices[value]
        return np.asarray(table[values])


DEFAULT = Legend(dict(enumerate(LESION_CLASSES)))
"""0 background, 1 lung, 2 ground glass, 3 consolidation."""


def read_legend(path: Path) -> Legend:
    """The legend in a file; the default one where there is none.

    Raises:
        InputError: it cannot be used; the text names the file, the line and the reason.
    """
    if not path.is_file():
        return DEFAULT
    values: dict[int, str] = {}
    for number, (line, cells) in enumerate(_rows(path)):
        if number == 0:
            if [cell.casefold() for cell in cells] != ["value", "class"]:
                raise InputError(f"{path}, line {line}: the heading is not value,class.")
            continue
        if len(cells) != 2 or not cells[0].isdecimal() or not cells[1] or int(cells[0]) > _HIGHEST:
            raise InputError(f"{path}, line {line}: it is no value and its class.")
        value, name = int(cells[0]), lesion_class(cells[1])
        if value in values:
            raise InputError(f"{path}, line {line}: the value {value} has a class already.")
        if (value == 0) != (name == BACKGROUND):
            raise InputError(f"{path}, line {line}: 0 is the background, and nothing else is.")
        values[value] = name
    if len(set(values) - {0}) == 0 or len(Legend(values).classes) > _HIGHEST >> 8:
        raise InputError(f"{path} names no lesion classes, or more than {_HIGHEST >> 8}.")
    return Legend(values)


def write_legend(path: Path, legend: Legend) -> None:
    """Write a file that `read_legend` reads again.

    Raises:
        StorageError: the place cannot be written.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("value", "class"))
    table.writerows(sorted({0: BACKGROUND, **legend.values}.items()))
    write_bytes(path, text.getvalue().encode())


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Line number and cells of each line."""
    found = list(lines_of(path))
    delimiter = ";" if found and ";" in found[0][1] else ","
    try:
        rows = csv.reader([line for _, line in found], delimiter=delimiter, strict=True)
        return [(line, [cell.strip() for cell in cells]) for (line, _), cells in zip(found, rows, strict=True)]
    except (csv.Error, ValueError) as error:
        raise InputError(f"{path} is no table ({error}).") from error
