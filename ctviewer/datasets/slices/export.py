"""Writing corrected findings as a training set: a folder that `open_slice_source("studies", folder)` reads."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import StorageError
from ctviewer.core.files import reason, refuse_inside, write_bytes
from ctviewer.core.marked import MarkedSlice, MarkedStudy
from ctviewer.core.slices import BACKGROUND
from ctviewer.datasets.class_names import CONSOLIDATION, GROUND_GLASS, INFECTION, LUNG, lesion_class
from ctviewer.datasets.label_table import LABELS_NAME, MASKS_NAME, LabelRow, write_labels
from ctviewer.datasets.masks import LEGEND_NAME, Legend, write_legend
from ctviewer.datasets.png import png_bytes
from ctviewer.datasets.read_studies import statement_of
from ctviewer.datasets.slices.slice_table import SLICES_NAME, SliceRow, write_slice_table

_ORDER = (LUNG, GROUND_GLASS, CONSOLIDATION, INFECTION)  # where outlines overlap the later class holds
_MOST_CLASSES = 255


def write_training_set(folder: Path, studies: Iterable[MarkedStudy], opened: Iterable[Path] = ()) -> Path:
    """Write marked studies as a training set: the table, the masks as PNG by slice, and what was reviewed completely.

    The images stay where they are: the table names their places on this computer. Studies and patients are called by
    digests. All appears at once, or nothing does.

    Args:
        folder: where to; it must not be there yet, or be empty.
        studies: what was marked; those without a marked slice are left out.
        opened: folders and files that are open for reading: nothing is written into them, nor where a study lies.

    Returns:
        The table of labels.

    Raises:
        StorageError: the folder holds something, lies inside an opened one or cannot be written, or nothing is marked.
    """
    found = [study for study in studies if study.slices]
    if not found:
        raise StorageError(
            "There is nothing to export: no finding was accepted or drawn, and nothing was reviewed completely."
        )
    for place in (*opened, *(study.place for study in found)):
        refuse_inside(folder, place)
    legend = _legend(found)
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise StorageError(f"{folder} is not empty: choose a new folder.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name[:40]}.", suffix=".part", dir=folder.parent) as scratch:
            made = Path(scratch) / "finished"
            _write(made, found, legend)
            if folder.exists():
                folder.rmdir()
            made.rename(folder)
    except OSError as error:
        raise StorageError(f"{folder} could not be written: {reason(error)}.") from error
    return folder / LABELS_NAME


def _legend(studies: Sequence[MarkedStudy]) -> Legend:
    """A value for each class that occurs, the known ones first.

    Raises:
        StorageError: there are more than a label map can hold.
    """
    names = {lesion_class(label) for study in studies for one in study.slices for label, _ in one.outlines}
    known = [name for name in _ORDER if name in names]
    classes = (BACKGROUND, *known, *sorted(names - set(known)))
    if len(classes) > _MOST_CLASSES:
        raise StorageError(f"The findings are of {len(classes) - 1} classes, more than a label map can hold.")
    return Legend(dict(enumerate(classes if len(classes) > 1 else (BACKGROUND, *_ORDER[:3]))))


def _write(folder: Path, studies: Sequence[MarkedStudy], legend: Legend) -> None:
    rows: dict[str, LabelRow] = {}
    for study in studies:
        row = _row(study)
        if row.study in rows:
            raise StorageError("A study is to be exported twice.")
        rows[row.study] = row
        _write_slices(folder / row.masks, study.slices, legend)
    write_legend(folder / LEGEND_NAME, legend)
    write_labels(folder / LABELS_NAME, rows.values())


def _row(study: MarkedStudy) -> LabelRow:
    told = f"{study.content}\n{study.patient}\n{study.series_key}".encode("utf-8", "surrogatepass")
    name = f"read-{hashlib.sha256(told).hexdigest()[:12]}"
    return LabelRow(
        study=name,
        patient=study.patient,
        classes=study.classes,
        series=study.series_key,
        stated=statement_of(study.stated),
        path=str(study.place.absolute()),
        origin=study.class_origin,
        content=study.content,
        masks=f"{MASKS_NAME}/{name}",
    )


def _write_slices(folder: Path, slices: Sequence[MarkedSlice], legend: Legend) -> None:
    rows = []
    for one in slices:
        name = one.sop_instance_uid or one.digest
        rows.append(SliceRow(name, one.complete, one.image_class, one.origin, bool(one.outlines)))
        if one.outlines:
            write_bytes(folder / f"{name}.png", png_bytes(_label_map(one, legend)))
    write_slice_table(folder / SLICES_NAME, rows)


def _label_map(one: MarkedSlice, legend: Legend) -> NDArray[np.uint8]:
    labels = np.zeros(one.shape, np.uint8)
    for label, mask in one.outlines:
        value = np.uint8(legend.classes.index(lesion_class(label)))
        np.maximum(labels, mask.full(one.shape) * value, out=labels)
    return labels
