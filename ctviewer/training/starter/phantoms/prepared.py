"""Studies as training reads them: windowed squares and label maps in memory, prepared by the bundle's preprocessing."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ctviewer.core.errors import InputError
from ctviewer.core.events import Event, Progress
from ctviewer.core.files import atomic_path
from ctviewer.models.metadata import Preprocessing
from ctviewer.models.placement import Placement
from ctviewer.models.preprocess import net_input, study_order
from ctviewer.training.source import StudySource

LUNG, GROUND_GLASS, CONSOLIDATION = 1, 2, 3
LABEL_CLASSES = ("background", "lung", "ground glass", "consolidation")
LESION_CLASSES = LABEL_CLASSES[GROUND_GLASS:]

_SMALLEST_AT_256 = 25
_JOINED = np.ones((3, 3), bool)


@dataclass(frozen=True, eq=False)
class PreparedStudy:
    """One study, slices head to feet, in patient axes.

    Attributes:
        study, patient, label: as the source names them.
        grey: `[n, size, size]` float16, windowed to 0..1, not yet normalised.
        labels: `[n, size, size]` uint8.
    """

    study: str
    patient: str
    label: str
    grey: NDArray[np.float16]
    labels: NDArray[np.uint8]

    @property
    def lesion_pixels(self) -> NDArray[np.intp]:
        """`[n, 2]`: pixels of ground glass and of consolidation on each slice."""
        counts = [(self.labels == value).sum(axis=(1, 2)) for value in (GROUND_GLASS, CONSOLIDATION)]
        return np.asarray(np.stack(counts, axis=1))


@dataclass(frozen=True)
class Splits:
    """What a stage learns from and what it chooses its epoch by."""

    train: Sequence[PreparedStudy]
    validation: Sequence[PreparedStudy]


def components(labels: NDArray[np.uint8]) -> list[tuple[int, NDArray[np.bool_]]]:
    """Instances of a label map `[S, S]`: connected components by value, lesions counted as lung first.

    Components of fewer than 25 pixels at 256 (in proportion at other sizes) are left out.

    Returns:
        Pairs of class index and mask.
    """
    least = _SMALLEST_AT_256 * (labels.shape[0] / 256) ** 2
    found = []
    for value in (LUNG, GROUND_GLASS, CONSOLIDATION):
        mask = labels >= LUNG if value == LUNG else labels == value
        numbered, _ = ndimage.label(mask, structure=_JOINED)
        areas = np.bincount(numbered.ravel())
        found += [(value, numbered == i) for i in range(1, len(areas)) if areas[i] >= least]
    return found


def windowed_only(p: Preprocessing) -> Preprocessing:
    """The same preprocessing up to the resized square: what augmentation works on, before crop and statistics."""
    return dataclasses.replace(p, crop=p.size, mean=(0.0,), std=(1.0,))


def prepare(
    source: StudySource, preprocessing: Preprocessing, into: list[PreparedStudy], cache: Path | None = None
) -> Iterator[Event]:
    """Load and prepare all studies of a source, appending to `into`.

    Args:
        source: must have labels for every study.
        preprocessing: of the bundle to be trained.
        into: filled in the source's order.
        cache: folder for prepared studies; None: nothing is kept. One source and preprocessing per folder.

    Raises:
        InputError: a study without labels.
    """
    ids = source.ids()
    for done, study in enumerate(ids, 1):
        path = cache / f"{study}.npz" if cache is not None else None
        if path is not None and path.exists():
            with np.load(path, allow_pickle=False) as stored:
                grey, labels = stored["grey"], stored["labels"]
        else:
            grey, labels = _prepare_one(source, study, preprocessing)
            if path is not None:
                with atomic_path(path) as temporary, temporary.open("wb") as file:
                    np.savez(file, grey=grey, labels=labels)
        into.append(PreparedStudy(study, source.patient(study), source.label(study), grey, labels))
        yield Progress("Preparing studies", done, len(ids))


def _prepare_one(
    source: StudySource, study: str, preprocessing: Preprocessing
) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
    volume, labels = source.load(study)
    if labels is None:
        raise InputError(f"The study {study} has no label maps.")
    order = study_order(volume)
    with torch.inference_mode():
        grey = net_input(volume, order, windowed_only(preprocessing))
    placement = Placement.of(volume.geometry, preprocessing.size)
    maps = np.stack([placement.labels(labels[i]) for i in order])
    return grey[:, 0].numpy().astype(np.float16), maps


def thinned(study: PreparedStudy, step: int) -> PreparedStudy:
    """Every `step`-th slice of a study."""
    return dataclasses.replace(study, grey=study.grey[::step], labels=study.labels[::step])


def check_split(*splits: Sequence[PreparedStudy]) -> None:
    """Refuse splits that share a patient.

    Raises:
        InputError: names one of them.
    """
    seen: dict[str, int] = {}
    for number, split in enumerate(splits):
        for study in split:
            if seen.setdefault(study.patient, number) != number:
                raise InputError(f"The patient of study {study.study} is on both sides of a split.")


def digest(studies: Sequence[PreparedStudy]) -> str:
    """SHA-256 over ids, classes, pixels and label maps: what the card names as the data used."""
    total = hashlib.sha256()
    for study in studies:
        total.update(f"{study.study}\0{study.label}\0".encode())
        total.update(np.ascontiguousarray(study.grey).data)
        total.update(np.ascontiguousarray(study.labels).data)
    return total.hexdigest()
