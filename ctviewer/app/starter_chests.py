"""The chests that the shipped models learn from, read from data sets that the caller has: paths are arguments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.files import atomic_path
from ctviewer.core.slices import HU, LabelledSlices
from ctviewer.datasets.phantom import TRAINING_FAMILIES, Phantom, Variant, generate
from ctviewer.datasets.scanned import scanned_chests
from ctviewer.datasets.slices.covid19_ct_seg import open_covid19_ct_seg, recovered
from ctviewer.datasets.sources import phantom_specs
from ctviewer.datasets.stating import read_statement
from ctviewer.training.starter.chests import INFECTION, LUNG, PHANTOM, RECOVERED, SCANNED, Chest, chest_of

_PHANTOM_SEEDS, _PHANTOM_SLICES = range(70_000, 70_003), 28


@dataclass(frozen=True)
class Sets:
    """Where the data sets lie; None for those that are not at hand.

    Attributes:
        covid19_ct_seg: `ct`, `covid` and `lungs` of COVID-19-CT-Seg (CC BY-NC-SA).
        lung_pet_ct_dx: series of one patient and `boxes` around the tumour (CC BY).
        lidc: slices of one chest of LIDC-IDRI (CC BY).
        cache: folder for recovered slices; None: nothing is kept.
    """

    covid19_ct_seg: Path
    lung_pet_ct_dx: Path | None = None
    lidc: Path | None = None
    cache: Path | None = None


def read_chests(sets: Sets) -> Iterator[Event]:
    """All of them; last `Done(tuple of Chest)`: recovered, scanned, generated, in a fixed order.

    Raises:
        InputError: a set cannot be read; the text names the file and the reason.
    """
    found: list[Chest] = []
    yield from _recovered(sets, found)
    found += _scanned(sets)
    specs = phantom_specs(TRAINING_FAMILIES, _PHANTOM_SEEDS, variants=tuple(Variant), slices=_PHANTOM_SLICES)
    for done, spec in enumerate(specs):
        yield Progress("Generating phantoms", done, len(specs))
        found.append(phantom_chest(generate(spec), f"phantom-{spec.family.value}-{spec.seed}"))
    yield Done(tuple(found))


def phantom_chest(phantom: Phantom, patient: str) -> Chest:
    """A phantom as lesion models learn from it: head to feet, ground glass and consolidation as infection.

    Args:
        phantom: its arrays are upright, feet to head.
        patient: whose it is.
    """
    labels = np.where(phantom.labels > LUNG, np.uint8(INFECTION), phantom.labels)[::-1]
    return Chest(phantom.spec.name, patient, PHANTOM, phantom.hu[::-1], np.ascontiguousarray(labels))


def _recovered(sets: Sets, into: list[Chest]) -> Iterator[Event]:
    """The patients of COVID-19-CT-Seg, whose slices are numbered from the feet."""
    source = open_covid19_ct_seg(sets.covid19_ct_seg, read_statement())
    total = sum(source.slice_count(scan) for scan in source.ids())
    done = 0
    for scan in source.ids():
        kept = None if sets.cache is None else sets.cache / f"{scan}.npz"
        if kept is not None and kept.exists():
            with np.load(kept, allow_pickle=False) as stored:
                into.append(Chest(scan, scan, RECOVERED, stored["hu"], stored["labels"]))
            done += source.slice_count(scan)
            continue
        slices = source.load_slices(scan)
        assert slices.labels is not None  # of this set
        hu = []
        for grey, labels in zip(slices.pixels, slices.labels, strict=True):
            yield Progress("Recovering Hounsfield units", done, total)
            hu.append(recovered(grey, labels))
            done += 1
        upright = LabelledSlices(
            slices.names[::-1], np.stack(hu[::-1]), HU, None, slices.labels[::-1], slices.label_classes
        )
        chest = chest_of(scan, scan, RECOVERED, upright)
        if kept is not None:
            with atomic_path(kept) as part, part.open("wb") as file:
                np.savez(file, hu=chest.hu, labels=chest.labels)
        into.append(chest)


def _scanned(sets: Sets) -> list[Chest]:
    """Chests without infection, in HU as they were scanned."""
    found = []
    for folder, patient in ((sets.lung_pet_ct_dx, "lung_pet_ct_dx"), (sets.lidc, "lidc")):
        for one in () if folder is None else scanned_chests(folder):
            name = f"{patient} series_{one.kernel}" if patient == "lung_pet_ct_dx" else patient
            found.append(chest_of(name, patient, SCANNED, one.slices))
    return found
