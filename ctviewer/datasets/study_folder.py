"""A folder of studies with `labels.csv`: listed without opening anything, loaded one by one when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done
from ctviewer.core.files import reason
from ctviewer.core.series import Catalog, Notice, Series, Severity
from ctviewer.core.volume import Volume
from ctviewer.datasets.label_table import LABELS_NAME, LabelRow, read_labels
from ctviewer.datasets.stating import Statement, joined, read_statement, require_window_fits
from ctviewer.dicom import SlicesFailed, VolumeTold, analysis_candidate, by_preference, interpret, load, scan

_ENDINGS = (".zip", ".nii.gz", ".nii", ".mha", ".mhd", ".hdr", ".dcm", ".tif", ".tiff", ".png")
_QUESTIONS = {"values": "what its values mean", "spacing": "its distances", "orientation": "the order of its slices"}


class StudyFolder:
    """Labelled studies of a folder; meets the training layer's `LabelledSource` protocol by structure.

    A study is a sub-folder, a ZIP archive or a file of the folder (DICOM, NIfTI, MetaImage, pictures). Its name in
    the table may leave the ending of the file away.

    Args:
        folder: what is opened; nothing is written there.
        stated: what holds for all studies whose files do not say it and whose row does not either.
        labels: the table; `labels.csv` of the folder by default.

    Raises:
        InputError: the folder or the table cannot be used; the text names the file, the line and the reason.
    """

    def __init__(self, folder: Path, stated: Statement | None = None, labels: Path | None = None) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder.")
        self.folder = folder
        self._stated = read_statement() if stated is None else stated
        self._rows = {row.study: row for row in read_labels(folder / LABELS_NAME if labels is None else labels)}

    def ids(self) -> tuple[str, ...]:
        """Names of the studies, in the order of the table."""
        return tuple(self._rows)

    def row(self, study: str) -> LabelRow:
        """All that the table says of a study."""
        return self._rows[study]

    def patient(self, study: str) -> str:
        """Whose study it is, as given in the table."""
        return self._rows[study].patient

    def label(self, study: str) -> str:
        """The class of the study; several are joined by "|"."""
        return "|".join(self._rows[study].classes)

    def classes(self, study: str) -> tuple[str, ...]:
        """The classes of the study."""
        return self._rows[study].classes

    def split(self, study: str) -> str:
        """The split that the table gives: "train", "val", "test", "external:NAME" or ""."""
        return self._rows[study].split

    def unlisted(self) -> tuple[str, ...]:
        """Names in the folder that may be studies and that the table does not name.

        Raises:
            InputError: the folder cannot be listed.
        """
        tops = {study.partition("/")[0] for study in self._rows}
        try:
            found = sorted(self.folder.iterdir(), key=lambda path: path.name)
            names = [p.name for p in found if p.is_dir() or p.name.lower().endswith(_ENDINGS)]
        except OSError as error:
            raise InputError(f"{self.folder} could not be read: {reason(error)}.") from error
        return tuple(name for name in names if not name.startswith(".") and not tops & set(_stems(name)))

    def path(self, study: str) -> Path:
        """Where a study lies.

        Raises:
            InputError: there is no such study, or several.
        """
        exact = self.folder / study
        if exact.exists():
            return exact
        near = [path for path in (exact.with_name(exact.name + ending) for ending in _ENDINGS) if path.exists()]
        if len(near) == 1:
            return near[0]
        line = self._rows[study].line
        if near:
            names = " and ".join(path.name for path in near)
            raise InputError(f"The study {study} (line {line} of the labels) may be {names}: name its file in full.")
        raise InputError(f"The study {study} (line {line} of the labels) is not in {self.folder}.")

    def series(self, study: str) -> Series:
        """The series that `load` loads: the one the table names, else the one an analysis would take.

        Its notices begin with what was chosen and why, and what of the study could not be read.

        Raises:
            InputError: nothing in the study can be read, or the table states something that does not fit.
        """
        row, path = self._rows[study], self.path(study)
        catalog = _scanned(path)
        _require_open(catalog, row.stated, study)
        stated = joined(row.stated, self._stated)
        if not stated.is_empty:
            made = tuple(interpret(series, stated.meaning) for series in catalog.series)
            catalog = by_preference(replace(catalog, series=made))
        chosen = _named(catalog, row) if row.series else _candidate(catalog)
        if not chosen.readable:
            raise InputError(f"The study {study} cannot be read: {chosen.reason}")
        study_module = chosen.study
        if row.date and not study_module.date:
            study_module = replace(study_module, date=row.date.replace("-", ""))
        notices = (*_about_choice(catalog, chosen, bool(row.series)), *chosen.notices)
        return replace(chosen, study=study_module, notices=notices)

    def load(self, study: str) -> tuple[Volume, NDArray[np.uint8] | None]:
        """The volume; there are no label maps.

        Raises:
            InputError: nothing in the study can be read or shown, or what is stated of it does not fit.
            DecodeError: no slice could be decoded.
        """
        series = self.series(study)
        volume: Volume | None = None
        told: list[Notice] = []
        for event in load(series):
            if isinstance(event, Done):
                volume = event.value
            elif isinstance(event, SlicesFailed):
                told.append(event.notice)
            elif isinstance(event, VolumeTold):
                told += event.notices
        assert volume is not None  # load yields one or raises
        require_window_fits(volume, joined(self._rows[study].stated, self._stated), study)
        return replace(volume, series=replace(series, notices=(*series.notices, *told))), None


def _stems(name: str) -> Sequence[str]:
    """A name and what it may be called in the table."""
    lower = name.lower()
    return (name, *(name[: -len(ending)] for ending in _ENDINGS if lower.endswith(ending)))


def _scanned(path: Path) -> Catalog:
    for event in scan(path):
        if isinstance(event, Done):
            catalog: Catalog = event.value
            return catalog
    raise AssertionError("a scan ends with its catalog or an error")


def _require_open(catalog: Catalog, stated: Statement, study: str) -> None:
    """A row states nothing that the files of its study say themselves.

    Raises:
        InputError: it does.
    """
    asked = {question for series in catalog.series for question in series.questions}
    cells = dict(zip(_QUESTIONS, stated.cells, strict=True))
    for question, cell in cells.items():
        if cell and question not in asked:
            raise InputError(f"The study {study} says {_QUESTIONS[question]} itself; the labels state it once more.")


def _candidate(catalog: Catalog) -> Series:
    """As an analysis chooses: the thinnest lung-kernel CT of the study that opens by itself."""
    first = catalog.series[0]  # the scan puts what is readable first, or refuses
    return analysis_candidate(catalog, first) or first


def _named(catalog: Catalog, row: LabelRow) -> Series:
    found = [series for series in catalog.series if row.series in (series.uid, series.key)]
    if len(found) != 1:
        what = "no series" if not found else f"{len(found)} parts of the series"
        raise InputError(f"The study {row.study} holds {what} {row.series} (line {row.line} of the labels).")
    return found[0]


def _about_choice(catalog: Catalog, chosen: Series, named: bool) -> Iterator[Notice]:
    if len(catalog.series) > 1:
        number = f"Se {chosen.number}" if chosen.number is not None else chosen.description or "the first"
        space = f" of {chosen.slice_spacing:.2f} mm" if chosen.slice_spacing is not None else ""
        why = "named in the labels" if named else "chosen as an analysis does"
        text = f"Of {len(catalog.series)} series {number} is taken ({len(chosen.slices)} slices{space}; {why})."
        yield Notice("chosen-series", Severity.INFO, text)
    if len({series.owner for series in catalog.series if series.uid}) > 1:
        yield Notice("several-patients", Severity.DANGER, "The files of this study are of several patients.")
    elif len({series.study_key for series in catalog.series if series.uid}) > 1:
        yield Notice("several-studies", Severity.WARNING, "The files are of several studies of one patient.")
    yield from catalog.notices
