"""Studies that a table lists: known without opening anything, loaded one by one when asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done
from ctviewer.core.files import reason
from ctviewer.core.reading import content_digest
from ctviewer.core.series import Catalog, Notice, Series, Severity
from ctviewer.core.volume import Volume
from ctviewer.datasets.label_table import LABELS_NAME, MASKS_NAME, LabelRow, read_labels
from ctviewer.datasets.stating import Statement, joined, read_statement, require_window_fits
from ctviewer.dicom import SlicesFailed, VolumeTold, analysis_candidate, by_preference, interpret, load, scan

_ENDINGS = (".zip", ".nii.gz", ".nii", ".mha", ".mhd", ".hdr", ".dcm", ".tif", ".tiff", ".png")
_PART_OF_KEY = re.compile(r"[#@+].*")
_QUESTIONS = {"values": "what its values mean", "spacing": "its distances", "orientation": "the order of its slices"}


class ListedStudies:
    """Labelled studies of a list; meets the training layer's `LabelledSource` protocol by structure.

    A study is a folder, a ZIP archive or a file (DICOM, NIfTI, MetaImage, pictures). Its name in the table may leave
    the ending of the file away.

    Args:
        rows: what there is, each study once.
        folder: in which the studies lie whose row gives no path; None where all rows do. Nothing is written there.
        stated: what holds for all studies whose files do not say it and whose row does not either.
    """

    def __init__(self, rows: Iterable[LabelRow], folder: Path | None = None, stated: Statement | None = None) -> None:
        self.folder = folder
        self._stated = read_statement() if stated is None else stated
        self._rows = {row.study: row for row in rows}

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
        """The split that the table gives: "train", "train-only", "val", "test", "external:NAME" or ""."""
        return self._rows[study].split

    def unlisted(self) -> tuple[str, ...]:
        """Names in the folder that may be studies and that the table does not name; none without a folder.

        Raises:
            InputError: the folder cannot be listed.
        """
        if self.folder is None:
            return ()
        tops = {MASKS_NAME, *(study.partition("/")[0] for study in self._rows)}
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
        row = self._rows[study]
        exact = Path(row.path) if row.path or self.folder is None else self.folder / study
        if exact.exists():
            return exact
        near = [path for path in (exact.with_name(exact.name + ending) for ending in _ENDINGS) if path.exists()]
        if len(near) == 1:
            return near[0]
        told = f"The study {study}" + (f" (line {row.line} of the labels)" if row.line else "")
        if near:
            names = " and ".join(path.name for path in near)
            raise InputError(f"{told} may be {names}: name its file in full.")
        where = f"is not there any more: there is no {exact}" if row.path else f"is not in {self.folder}"
        raise InputError(f"{told} {where}.")

    def series(self, study: str) -> Series:
        """The series that `load` loads: the one the table names, else the one an analysis would take.

        Its notices begin with what was chosen and why, and what of the study could not be read.

        Raises:
            InputError: nothing in the study can be read, or the table states something that does not fit.
        """
        row, path = self._rows[study], self.path(study)
        catalog = _scanned(path)
        if not row.content:  # what was read was understood then: only what its files leave open is applied
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
            InputError: nothing in the study can be read or shown, what is stated of it does not fit, or its slices are
                not those that the label is of.
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
        row = self._rows[study]
        require_window_fits(volume, joined(row.stated, self._stated), study)
        _require_content(volume, row)
        return replace(volume, series=replace(series, notices=(*series.notices, *told))), None


class StudyFolder(ListedStudies):
    """A folder of studies with `labels.csv`, or a table of absolute paths.

    Args:
        folder: in which the studies lie; None where the table gives an absolute path for each.
        stated: as of `ListedStudies`.
        labels: the table; `labels.csv` of the folder by default.
        classless: whether the class of a study may be left open.

    Raises:
        InputError: the folder or the table cannot be used; the text names the file, the line and the reason.
    """

    def __init__(
        self,
        folder: Path | None,
        stated: Statement | None = None,
        labels: Path | None = None,
        *,
        classless: bool = False,
    ) -> None:
        if folder is not None and not folder.is_dir():
            raise InputError(f"{folder} is not a folder.")
        if labels is None:
            if folder is None:
                raise InputError("Neither a folder of studies nor a table of labels was given.")
            labels = folder / LABELS_NAME
        super().__init__(read_labels(labels, in_folder=folder is not None, classless=classless), folder, stated)


def _require_content(volume: Volume, row: LabelRow) -> None:
    """What a label is of, and nothing else, is learned under it.

    Raises:
        InputError: the slices are others than when the label was given.
    """
    if row.content and row.content != content_digest(
        tuple(volume.slice_digest(index) for index in range(volume.slice_count))
    ):
        raise InputError(f"The slices of the study {row.study} changed since its class was stated: read it again.")


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
    # a series whose values were stated has another key than the scan gave it
    found = [one for one in catalog.series if row.series in (one.uid, one.key, one.key.partition("~")[0])]
    if not found and row.content:  # its parts are called otherwise where files came or went; the content will tell
        uid = _PART_OF_KEY.sub("", row.series)
        found = [series for series in catalog.series if series.uid == uid]
    if len(found) != 1:
        what = "no series" if not found else f"{len(found)} parts of the series"
        line = f" (line {row.line} of the labels)" if row.line else ""
        raise InputError(f"The study {row.study} holds {what} {row.series}{line}.")
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
