"""Studies read and labelled in the viewer, as a source for training and as a table of labels."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path

from ctviewer.core.interpretation import Interpretation
from ctviewer.core.label import LabelledStudy
from ctviewer.datasets.label_table import TRAIN_ONLY, LabelRow, write_labels
from ctviewer.datasets.stating import Statement
from ctviewer.datasets.study_folder import ListedStudies


class ReadStudies(ListedStudies):
    """Studies whose class the reader stated; meets the training layer's `LabelledSource` protocol by structure.

    Ids and patients are digests: they say nothing of whose studies these are. A study is loaded only with the slices
    that it had when its class was stated.

    What was stated when an answer of a compared model was known learns and never judges, and with it all studies of the
    patient: where the reader agreed, the label is that model's own output; where the reader did not, a hold-out of such
    studies would hold nothing but the model's errors.

    Args:
        studies: as the work store lists them.
        compared: SHA-256 of the weights of the models that will be compared on the hold-out: the base of a run, and
            what it descends from. Empty for a start without a base.
    """

    def __init__(self, studies: Iterable[LabelledStudy], compared: Collection[str] = ()) -> None:
        found = tuple(studies)
        self._learning = {study.patient for study in found if study.label.knows(compared)}
        self._studies = {_id(study): study for study in found}
        super().__init__(self._row_of(study) for study in self._studies.values())

    @property
    def rows(self) -> tuple[LabelRow, ...]:
        """As a table: each with its absolute path, its series, and where its label comes from."""
        return tuple(self._rows.values())

    def _row_of(self, study: LabelledStudy) -> LabelRow:
        return LabelRow(
            study=_id(study),
            patient=study.patient,
            classes=study.label.classes,
            split=TRAIN_ONLY if study.patient in self._learning else "",
            series=study.series_key,
            stated=statement_of(study.stated),
            path=str(study.place),
            origin=study.label.origin,
            content=study.content,
        )


def export_read_studies(studies: ReadStudies, table: Path) -> None:
    """Write them as a table that `StudyFolder(None, labels=table)` reads: the training process needs nothing else.

    The table names places on this computer: it belongs to the run's own folder.

    Raises:
        StorageError: the place cannot be written.
    """
    write_labels(table, studies.rows)


def _id(study: LabelledStudy) -> str:
    """Says nothing of the study, and is the same in every run."""
    told = f"{study.content}\n{study.patient}\n{study.series_key}".encode("utf-8", "surrogatepass")
    return f"read-{hashlib.sha256(told).hexdigest()[:12]}"


def statement_of(stated: Interpretation | None) -> Statement:
    """What the reader stated in the viewer, as the cells of a table say it."""
    if stated is None:
        return Statement(Interpretation())
    values = {None: "", "": "grey", "HU": f"hu={stated.slope!r}*x{stated.intercept:+.17g}"}[stated.unit]
    return Statement(stated, cells=(values, _spacing(stated), stated.order))


def _spacing(stated: Interpretation) -> str:
    pixels, slices = stated.pixel_spacing, stated.slice_spacing
    parts = [*(("", "") if pixels is None else map(repr, pixels)), *(() if slices is None else (repr(slices),))]
    return "x".join(parts) if any(parts) else ""
