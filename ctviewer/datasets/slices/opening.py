"""Labelled slices of every format, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ctviewer.core.errors import InputError
from ctviewer.core.slices import LabelledSlices
from ctviewer.datasets.slices.cncb import open_cncb
from ctviewer.datasets.slices.covid19_ct_seg import RecoveredSource, open_covid19_ct_seg
from ctviewer.datasets.slices.covidx import open_covidx
from ctviewer.datasets.slices.ictcf import open_ictcf
from ctviewer.datasets.slices.lidc import LidcScans
from ctviewer.datasets.slices.prefixed import open_prefixed
from ctviewer.datasets.slices.studies import MarkedStudies
from ctviewer.datasets.stating import Statement, asks_recovery, read_statement

_COMPLETE = {"": None, "yes": True, "no": False}
_LISTED = ("studies", "covidx", "prefixed", "ictcf")  # formats that a table or list may name scans or slices of


class Source(Protocol):
    """What `open_slice_source` gives: the training layer's `SliceSource`."""

    def ids(self) -> Sequence[str]:
        """Identifiers of the scans, in a fixed order."""
        ...

    def patient(self, scan: str) -> str:
        """Whose scan it is."""
        ...

    def classes(self, scan: str) -> Sequence[str]:
        """Image classes that slices of the scan have."""
        ...

    def split(self, scan: str) -> str:
        """The part that the set gives the scan; "" where it gives none."""
        ...

    def load_slices(self, scan: str) -> LabelledSlices:
        """The labelled slices of a scan."""
        ...


@dataclass(frozen=True)
class _Asked:
    """What was asked for.

    Attributes:
        folder, split: as given.
        table: the list; None where none was given.
        complete: None where the format decides.
        stated: what the values of pictures mean.
        recovered: whether Hounsfield units are to be recovered instead.
    """

    folder: Path
    table: Path | None
    split: str
    complete: bool | None
    stated: Statement
    recovered: bool = False

    def marked(self, default: bool) -> bool:
        """Whether all lesions are marked."""
        return default if self.complete is None else self.complete


def _cncb(asked: _Asked) -> Source:
    return open_cncb(asked.folder, asked.stated, asked.marked(True), asked.split)


def _covidx(asked: _Asked) -> Source:
    return open_covidx(asked.folder, asked.stated, asked.table, asked.split)


def _prefixed(asked: _Asked) -> Source:
    return open_prefixed(asked.folder, asked.stated, asked.table, asked.split)


def _ictcf(asked: _Asked) -> Source:
    return open_ictcf(asked.folder, asked.stated, asked.table, asked.split)


def _lidc(asked: _Asked) -> Source:
    return LidcScans(asked.folder, asked.complete, asked.split)


def _studies(asked: _Asked) -> Source:
    return MarkedStudies(asked.folder, asked.stated, asked.table, asked.complete, asked.split)


def _covid19_ct_seg(asked: _Asked) -> Source:
    source = open_covid19_ct_seg(asked.folder, asked.stated, asked.marked(True), asked.split)
    return RecoveredSource(source) if asked.recovered else source


_FORMATS: dict[str, Callable[[_Asked], Source]] = {
    "studies": _studies,
    "cncb": _cncb,
    "covidx": _covidx,
    "prefixed": _prefixed,
    "ictcf": _ictcf,
    "lidc": _lidc,
    "covid19_ct_seg": _covid19_ct_seg,
}


def open_slice_source(
    format: str,
    folder: Path,
    table: Path | None = None,
    split: str = "",
    complete: str = "",
    values: str = "",
) -> Source:
    """Labelled slices, known without opening a picture.

    Args:
        format: one of `training.config.FORMATS`.
        folder: of the pictures or studies. Nothing is written there.
        table: file that lists them, where the format has one.
        split: part that all scans are in ("train", "val", "test", "external:NAME"); "" where the set says it, or not.
        complete: "yes": all lesions of its slices are marked; "no": what is unmarked is unknown; "": as the format says.
        values: what the values of pictures mean (`datasets.stating`); "" for grey from black to white. "recovered":
            Hounsfield units recovered from the pictures of COVID-19-CT-Seg (`datasets.recovered`).

    Raises:
        InputError: it cannot be used; the text names the file and the reason.
    """
    if format not in _FORMATS:
        raise InputError(f"The format {format!r} of labelled slices is none of {', '.join(_FORMATS)}.")
    if complete not in _COMPLETE:
        raise InputError(f"Whether all lesions are marked is stated by yes or no, not by {complete!r}.")
    if table is not None and format not in _LISTED:
        raise InputError(
            f"Slices of the format {format!r} are taken as they lie in {folder}: {table} cannot list them."
        )
    recovered = asks_recovery(format, values)
    stated = read_statement("" if recovered else values)
    return _FORMATS[format](_Asked(folder, table, split, _COMPLETE[complete], stated, recovered))
