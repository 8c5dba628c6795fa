"""Own studies with marked lesions: a folder with `labels.csv`, masks beside it, and what was reviewed completely.

`labels.csv` as of `label_table`, with the columns masks and complete; `lesions.csv` names the values of label maps; the masks
of a study lie where its row says, else in `masks/<study>`, a folder or a file. `slices.csv` in that folder, or
`<study>.slices.csv` beside that file, speaks of single slices.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.slices import LabelledSlices
from ctviewer.datasets.class_names import CONTROL, NO_LESIONS, negative_of
from ctviewer.datasets.label_table import LABELS_NAME, MASKS_NAME, LabelRow
from ctviewer.datasets.masks import LEGEND_NAME, SliceKeys, find_masks, plain_name, read_legend, read_masks
from ctviewer.datasets.slices.slice_table import SLICES_NAME, SliceRow, read_slice_table
from ctviewer.datasets.slices.volume_slices import labelled_slices, require_axial_hu, usable_slices
from ctviewer.datasets.stating import Statement
from ctviewer.datasets.study_folder import StudyFolder


class MarkedStudies:
    """Own studies; meets the training layer's `SliceSource` protocol by structure.

    A slice with a lesion has the class of its study; one without, reviewed completely, has the negative class; of a study
    of the negative class all slices have it; the class of others is not known, and of no slice of a study without a class.
    `slices.csv` may say it of a slice itself.

    Args:
        folder: of the studies. Nothing is written there.
        stated: what holds for all studies whose files do not say it.
        table: `labels.csv` of the folder by default.
        complete: whether all lesions of all slices are marked; None where the tables say it.
        split: part that all studies are in; "" for what the table says.

    Raises:
        InputError: the folder or a table cannot be used; the text names the file, the line and the reason.
    """

    def __init__(
        self,
        folder: Path,
        stated: Statement,
        table: Path | None = None,
        complete: bool | None = None,
        split: str = "",
    ) -> None:
        self._studies = StudyFolder(folder, stated, table, classless=True)
        self._table = table or folder / LABELS_NAME
        self._base = self._table.parent
        self._legend = read_legend(self._base / LEGEND_NAME)
        self._complete, self._split = complete, split
        rows = [self._studies.row(study) for study in self._studies.ids()]
        self.negative_class = negative_of(tuple(dict.fromkeys(name for row in rows for name in row.classes))) or CONTROL
        self.patients_known = True

    def ids(self) -> tuple[str, ...]:
        """Names of the studies, in the order of the table."""
        return self._studies.ids()

    def patient(self, scan: str) -> str:
        """Whose study it is, as given in the table."""
        return self._studies.patient(scan)

    def classes(self, scan: str) -> tuple[str, ...]:
        """The classes that the table gives the study; empty where only lesions are marked."""
        return self._studies.classes(scan)

    def split(self, scan: str) -> str:
        """The part of the study."""
        return self._split or self._studies.split(scan)

    def paths(self, scan: str) -> tuple[Path, ...]:
        """Where the study and its masks lie, and the tables that speak of them, as far as they are there.

        Raises:
            InputError: the study or its masks are not there, or there are several.
        """
        place = self._masks_of(self._studies.row(scan))
        masks = () if place is None else (place, _slice_table(place))
        told = (self._studies.path(scan), self._table, self._base / LEGEND_NAME, *masks)
        return tuple(dict.fromkeys(path for path in told if path.exists()))

    def load_slices(self, scan: str) -> LabelledSlices:
        """The slices of which something is known, head to feet, with their labels; none where nothing is.

        Raises:
            InputError: the study or its masks cannot be read or do not fit each other.
        """
        volume, _ = self._studies.load(scan)
        require_axial_hu(volume, scan)
        row, keys = self._studies.row(scan), SliceKeys(volume)
        place = self._masks_of(row)
        rows = _by_index(place, keys) if place is not None else {}
        complete = np.array([self._is_complete(rows.get(index), row) for index in range(volume.slice_count)])
        labels = None
        if place is not None:
            labels = read_masks(place, volume, keys, self._legend)
            _require_outlines(rows, labels, _slice_table(place))
        elif complete.any():
            self._require_without(row)
            labels = np.zeros(volume.geometry.shape, np.uint8)
        classes = self._slice_classes(row, labels, complete, rows)
        told = np.array([bool(name) for name in classes])
        marked = np.zeros(volume.slice_count, bool) if labels is None else labels.any(axis=(1, 2))
        kept = usable_slices(volume, marked | complete | told)
        origins = [rows[index].origin if index in rows else "" for index in range(volume.slice_count)]
        return labelled_slices(
            volume,
            kept,
            keys,
            labels=labels,
            label_classes=self._legend.classes,
            complete=complete,
            image_classes=classes,
            origins=origins,
        )

    def _masks_of(self, row: LabelRow) -> Path | None:
        """Where the masks of a study lie."""
        if not row.masks:
            return None if row.study == row.path else find_masks(self._base / MASKS_NAME / row.study)
        found = find_masks(self._base / row.masks)
        if found is None:
            raise InputError(f"The masks of the study {row.study} are not there: there is no {self._base / row.masks}.")
        return found

    def _require_without(self, row: LabelRow) -> None:
        """A study of a finding does not count as free of lesions only because its masks got lost.

        Raises:
            InputError: it would.
        """
        if row.classes and row.classes != (self.negative_class,):
            raise InputError(
                f"The study {row.study} is of the class {'|'.join(row.classes)} and said to be marked completely, and has no "
                f"masks: there is no {self._base / MASKS_NAME / row.study}. If nothing is to be marked on it, that is an "
                "empty folder."
            )

    def _is_complete(self, known: SliceRow | None, row: LabelRow) -> bool:
        said = known.complete if known is not None else None
        return bool(next((one for one in (self._complete, said, row.complete) if one is not None), False))

    def _slice_classes(
        self, row: LabelRow, labels: NDArray[np.uint8] | None, complete: NDArray[np.bool_], rows: dict[int, SliceRow]
    ) -> list[str]:
        """The class of each slice of the volume; "" where it is not known."""
        lesion = _with_lesion(labels, self._legend.classes, len(complete))
        own = row.classes[0] if len(row.classes) == 1 else ""
        found = np.full(len(complete), "", object)
        if row.classes:
            found[complete | (own == self.negative_class)] = self.negative_class
            found[lesion] = "" if own == self.negative_class else own  # where table and masks disagree nobody knows
        for index, one in rows.items():
            found[index] = one.image_class or found[index]
        return [str(name) for name in found]


def _slice_table(place: Path) -> Path:
    """The table that speaks of single slices of a study whose masks lie at a place."""
    return place / SLICES_NAME if place.is_dir() else place.with_name(f"{plain_name(place)}.{SLICES_NAME}")


def _by_index(place: Path, keys: SliceKeys) -> dict[int, SliceRow]:
    """What `slices.csv` of a folder of masks says, by volume index."""
    table = _slice_table(place)
    found: dict[int, SliceRow] = {}
    for row in read_slice_table(table):
        index = keys.find(row.name)
        if index is None:
            raise InputError(f"{table}, line {row.line}: the study has no slice {row.name}.")
        found[index] = row
    return found


def _require_outlines(rows: dict[int, SliceRow], labels: NDArray[np.uint8], table: Path) -> None:
    """Slices that were written with outlines have them still.

    Raises:
        InputError: one has none.
    """
    for index, row in rows.items():
        if row.outlined and not labels[index].any():
            raise InputError(f"{table}, line {row.line}: the mask of the slice {row.name} is missing or empty.")


def _with_lesion(labels: NDArray[np.uint8] | None, classes: tuple[str, ...], count: int) -> NDArray[np.bool_]:
    """`[slices]`: whether a lesion is marked."""
    if labels is None:
        return np.zeros(count, bool)
    lesions = [index for index, name in enumerate(classes) if name not in NO_LESIONS]
    return np.asarray(np.isin(labels, lesions).any(axis=(1, 2)))
