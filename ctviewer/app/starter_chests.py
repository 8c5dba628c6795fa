"""The chests that the shipped models learn from, read from data sets that the caller has: paths are arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.app.model_evaluation.dense_lung import lungs_of
from ctviewer.app.model_evaluation.judged import opened
from ctviewer.app.model_evaluation.phantoms import chest_of as phantom_chest
from ctviewer.app.progress import ProgressLine
from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.files import atomic_path
from ctviewer.core.slices import HU, LabelledSlices
from ctviewer.core.upright import Upright
from ctviewer.core.volume import Volume
from ctviewer.datasets.phantom import TRAINING_FAMILIES, Variant, generate
from ctviewer.datasets.recovered import recover_hu
from ctviewer.datasets.slices.covid19_ct_seg import open_covid19_ct_seg
from ctviewer.datasets.sources import phantom_specs
from ctviewer.datasets.stating import read_statement
from ctviewer.training.starter.chests import CLASSES, RECOVERED, SCANNED, Chest, chest_of

_WHITE = 255
_BOXES = "boxes"
_TUMOUR_MARGIN = 1  # slices beside the outermost boxed one: what grows there is seen on its neighbours
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


def read_chests(sets: Sets, line: ProgressLine) -> Iterator[Event]:
    """All of them; last `Done(tuple of Chest)`: recovered, scanned, generated, in a fixed order.

    Raises:
        InputError: a set cannot be read; the text names the file and the reason.
    """
    found: list[Chest] = []
    yield from _recovered(sets, found)
    found += _scanned(sets, line)
    specs = phantom_specs(TRAINING_FAMILIES, _PHANTOM_SEEDS, variants=tuple(Variant), slices=_PHANTOM_SLICES)
    for done, spec in enumerate(specs):
        yield Progress("Generating phantoms", done, len(specs))
        found.append(phantom_chest(generate(spec), f"phantom-{spec.family.value}-{spec.seed}"))
    yield Done(tuple(found))


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
            hu.append(recover_hu(np.rint(grey * _WHITE).astype(np.uint8), labels > 0))
            done += 1
        upright = LabelledSlices(
            slices.names[::-1], np.stack(hu[::-1]), HU, None, slices.labels[::-1], slices.label_classes
        )
        chest = chest_of(scan, scan, RECOVERED, upright)
        if kept is not None:
            with atomic_path(kept) as part, part.open("wb") as file:
                np.savez(file, hu=chest.hu, labels=chest.labels)
        into.append(chest)


def _scanned(sets: Sets, line: ProgressLine) -> list[Chest]:
    """Chests without infection, in HU as they were scanned; slices with a tumour and those beside them are left out."""
    found = []
    if sets.lung_pet_ct_dx is not None:
        boxed = {path.stem for path in (sets.lung_pet_ct_dx / _BOXES).glob("*.xml")}
        folders = sorted(path for path in sets.lung_pet_ct_dx.iterdir() if path.is_dir() and path.name != _BOXES)
        volumes = [opened(folder, line) for folder in folders]
        ill = _heights([(v, i) for v in volumes for i in range(v.slice_count) if _uid(v, i) in boxed])
        for folder, volume in zip(folders, volumes, strict=True):
            found.append(_clean(volume, f"lung_pet_ct_dx {folder.name}", "lung_pet_ct_dx", ill))
    if sets.lidc is not None:
        found.append(_clean(opened(sets.lidc, line), "lidc", "lidc", None))
    return found


def _uid(volume: Volume, index: int) -> str:
    return volume.series.slices[index].sop_instance_uid


def _heights(places: Sequence[tuple[Volume, int]]) -> tuple[float, float] | None:
    """Lowest and highest LPS z in mm of some slices, and a slice more on either side: series of a study share them."""
    if not places:
        return None
    z = [_height(volume, index) for volume, index in places]
    step = places[0][0].geometry.slice_spacing or 0.0
    return min(z) - step * _TUMOUR_MARGIN, max(z) + step * _TUMOUR_MARGIN


def _height(volume: Volume, index: int) -> float:
    origins = volume.geometry.origins
    assert origins is not None  # of DICOM series that have positions
    return float(origins[index, 2])


def _clean(volume: Volume, name: str, patient: str, left_out: tuple[float, float] | None) -> Chest:
    """Slices head to feet with the lungs found by their HU, but for those between two heights."""
    kept = [int(i) for i in volume.geometry.display_order if not volume.failed[i]]
    if left_out is not None:
        kept = [i for i in kept if not left_out[0] <= _height(volume, i) <= left_out[1]]
    lungs, upright = lungs_of(volume), Upright.of(volume.geometry)
    pixels = np.stack([upright.apply(_values(volume, index)) for index in kept])
    labels = np.stack([upright.apply(lungs[index].astype(np.uint8)) for index in kept])
    names = tuple(str(index) for index in kept)
    return chest_of(name, patient, SCANNED, LabelledSlices(names, pixels, HU, None, labels, CLASSES[:2]))


def _values(volume: Volume, index: int) -> NDArray[np.float32]:
    return np.where(volume.valid(index), volume.hu(index), np.float32(-1024.0))


def licences(chests: Sequence[Chest]) -> str:
    """Which licences the data of these chests have, for a card."""
    told = []
    if any(chest.kind == RECOVERED for chest in chests):
        told.append("COVID-19-CT-Seg: CC BY-NC-SA")
    if any(chest.patient == "lung_pet_ct_dx" for chest in chests):
        told.append("Lung-PET-CT-Dx (TCIA): CC BY 4.0")
    if any(chest.patient == "lidc" for chest in chests):
        told.append("LIDC-IDRI (TCIA): CC BY 3.0")
    return "; ".join(told)
