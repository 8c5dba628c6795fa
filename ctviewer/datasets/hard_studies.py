"""Generated studies of three classes made hard: the lesion is on a few slices only, and nothing else tells the class.

For the comparison of aggregators and for tests. Phantoms: figures made with them say nothing of patients.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.files import reason, write_bytes
from ctviewer.core.series import Patient, Study
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import PRESETS
from ctviewer.datasets.label_table import LABELS_NAME, LabelRow, write_labels
from ctviewer.datasets.phantom import (
    GENERATOR_VERSION,
    GROUND_GLASS,
    HELD_OUT_FAMILIES,
    TRAINING_FAMILIES,
    Family,
    PhantomSpec,
    Variant,
    generate,
)
from ctviewer.datasets.phantom.families import FAMILIES
from ctviewer.datasets.sources import phantom_volume
from ctviewer.dicom.write import SeriesAttributes, write_ct_series

CLASS_OF = {
    Variant.CONTROL: "no finding",
    Variant.PNEUMONIA: "pneumonia-like",
    Variant.COVID: "COVID-19-like",
}
STAGE, TRUTH_NAME = "Making phantom studies", "phantom.json"
_FIRST_SEED = 20_000  # no shipped model was trained on patients from here on
_SEEDS = 1_000  # of one set
_VISIBLE = 0.4  # share of the largest cross-section that each slice of the lesion has at least
_DAYS = 365


@dataclass(frozen=True)
class HardSettings:
    """What is made; equal settings give equal bytes.

    Attributes:
        seed: of all draws, below 1000.
        matrix: rows and columns.
        slices: least and most slices of a study.
        spacing_mm: least and most mm between them, as the shipped models take them; None covers the chest.
        lesion_slices: neighbouring slices on which the lesion is.
        train, val, test: patients for each class and each of the three families that a model may learn from.
        external: patients for each class in each of two external sets, of families (anatomy and scanner) of their own.
    """

    seed: int = 0
    matrix: int = 256
    slices: tuple[int, int] = (17, 20)
    spacing_mm: tuple[float, float] | None = (10.5, 11.5)
    lesion_slices: int = 3
    train: int = 3
    val: int = 1
    test: int = 1
    external: int = 2

    def __post_init__(self) -> None:
        low, high = self.slices
        if not 0 <= self.seed < 1000 or min(self.train, self.val, self.test, self.external) < 0:
            raise InputError("The seed of phantom studies is from 0 to 999, and their numbers are not negative.")
        if not 1 <= self.lesion_slices <= low <= high:
            raise InputError(
                "A phantom study needs at least as many slices as its lesion, and a range from low to high."
            )


SMALL = HardSettings(matrix=48, slices=(5, 6), spacing_mm=None, lesion_slices=2, train=1, external=1)
"""Quick to make, for tests: 33 studies of 5 or 6 slices, too small to show anything."""


@dataclass(frozen=True)
class HardCase:
    """One study.

    Attributes:
        study: its name; it says nothing of the class.
        patient: whose it is; each patient has one study.
        spec: of the phantom; its variant is the class.
        split: "train", "val", "test" or "external:phantom D".
        date: DICOM DA.
        lesion_slices: neighbouring slices on which the lesion is.
        place: from 0 to 1, where among the possible slices it begins.
    """

    study: str
    patient: str
    spec: PhantomSpec
    split: str
    date: str
    lesion_slices: int
    place: float

    @property
    def label(self) -> str:
        """The class."""
        return CLASS_OF[self.spec.variant]


def hard_cases(settings: HardSettings = HardSettings()) -> tuple[HardCase, ...]:
    """The studies of a set, in an order that does not follow the classes.

    Families (anatomy, kernel, noise, couch, thickness) are shared out evenly. Number of slices, their distance, field
    of view, direction of scanning, contrast medium and date are drawn once for three patients, one of each class. So
    none of them tells a class.
    """
    rng = np.random.default_rng([settings.seed, 7])
    made: list[HardCase] = []
    for split, family in _cells(settings):
        slices = int(rng.integers(settings.slices[0], settings.slices[1] + 1))
        field = round(float(rng.uniform(*FAMILIES[family].scanner.field_of_view)), 1)
        spacing = settings.spacing_mm and round(float(rng.uniform(*settings.spacing_mm)), 1)
        head_first, contrast = bool(rng.random() < 0.5), bool(rng.random() < 0.3)
        date = str(np.datetime64("2025-01-01") + int(rng.integers(_DAYS))).replace("-", "")
        for variant in Variant:
            seed = _FIRST_SEED + settings.seed * _SEEDS + len(made)
            spec = PhantomSpec(
                seed, variant, family, settings.matrix, slices, field, spacing, head_first=head_first, contrast=contrast
            )
            made.append(HardCase("", "", spec, split, date, settings.lesion_slices, float(rng.random())))
    if not 0 < len(made) <= _SEEDS:
        raise InputError(f"A set of phantom studies has 1 to {_SEEDS} of them.")
    order = rng.permutation(len(made))
    return tuple(
        replace(made[int(i)], study=f"S{n:03d}", patient=f"PHANTOM-{n:03d}") for n, i in enumerate(order, start=1)
    )


def _cells(settings: HardSettings) -> Iterator[tuple[str, Family]]:
    for split, family in product(("train", "val", "test"), TRAINING_FAMILIES):
        for _ in range(getattr(settings, split)):
            yield split, family
    for family in HELD_OUT_FAMILIES:
        for _ in range(settings.external):
            yield f"external:phantom {family.value}", family


class HardStudies:
    """Such studies, made when asked for; meets the training layer's `LabelledSource` protocol by structure.

    Args:
        cases: of `hard_cases`.
        workers: threads for one study.
    """

    def __init__(self, cases: Iterable[HardCase], workers: int | None = 1) -> None:
        self._cases = {case.study: case for case in cases}
        self._workers = workers

    def ids(self) -> tuple[str, ...]:
        """Names of the studies."""
        return tuple(self._cases)

    def case(self, study: str) -> HardCase:
        """All that a study is made from."""
        return self._cases[study]

    def patient(self, study: str) -> str:
        """Whose study it is."""
        return self._cases[study].patient

    def label(self, study: str) -> str:
        """The class."""
        return self._cases[study].label

    def classes(self, study: str) -> tuple[str, ...]:
        """The class, alone."""
        return (self.label(study),)

    def split(self, study: str) -> str:
        """Which part it belongs to."""
        return self._cases[study].split

    def load(self, study: str) -> tuple[Volume, NDArray[np.uint8] | None]:
        """The volume, and labels `[slices, rows, columns]`: 0 background, 1 lung, 2 ground glass, 3 consolidation."""
        case = self._cases[study]
        healthy = generate(replace(case.spec, variant=Variant.CONTROL), self._workers)
        volume, labels = phantom_volume(healthy), healthy.labels
        series = replace(
            volume.series,
            patient=Patient(f"PHANTOM^{case.patient}", case.patient),
            study=Study(volume.series.study.uid, case.date, description="Generated chest phantom"),
            description="Generated chest phantom",
            manufacturer=f"ctviewer phantom {case.spec.family.value}",
            slices=tuple(
                replace(r, path=Path(f"{case.study}-{i:04d}.dcm")) for i, r in enumerate(volume.series.slices)
            ),
        )
        if case.spec.variant is Variant.CONTROL:
            return replace(volume, series=series), labels
        ill = generate(case.spec, self._workers)  # the same patient and noise: only the lesions differ
        shown = _lesion_slices(ill.labels, case.lesion_slices, case.place)
        stored, labels = volume.stored.copy(), labels.copy()
        stored[shown], labels[shown] = ill.hu[shown], ill.labels[shown]
        return replace(volume, series=series, stored=stored), labels


def _lesion_slices(labels: NDArray[np.uint8], count: int, place: float) -> slice:
    """Neighbouring slices that keep their lesion, each with a good part of the largest cross-section."""
    area = (labels >= GROUND_GLASS).sum(axis=(1, 2))
    least = np.lib.stride_tricks.sliding_window_view(area, count).min(axis=1)
    starts = np.flatnonzero(least >= _VISIBLE * area.max())
    first = int(starts[int(place * len(starts))]) if len(starts) else int(least.argmax())
    return slice(first, first + count)


def write_hard_studies(folder: Path, settings: HardSettings = HardSettings()) -> Iterator[Event]:
    """Write a set as a folder of DICOM studies with `labels.csv`, or find it there.

    `phantom.json` is written last: it says that these are phantoms, how they were made, and on which slices the
    lesions are (InstanceNumber, which counts from the head).

    Args:
        folder: absent, empty, or with such a set in it.
        settings: what is made.

    Yields:
        `Progress`, last `Done` with the folder.

    Raises:
        StorageError: the folder holds something else, or cannot be written.
    """
    cases = hard_cases(settings)
    if _told(folder) != _telling(settings):
        _require_empty(folder)
        source, lesions = HardStudies(cases, workers=None), {}
        for done, case in enumerate(cases):
            yield Progress(STAGE, done, len(cases))
            volume, labels = source.load(case.study)
            assert labels is not None  # phantoms have them
            _write_study(folder / case.study, volume)
            lesions[case.study] = _images_with_lesion(volume, labels)
        write_labels(folder / LABELS_NAME, (LabelRow(c.study, c.patient, (c.label,), c.split) for c in cases))
        truth = {**_telling(settings), "studies": {c.study: _truth(c, lesions[c.study]) for c in cases}}
        write_bytes(folder / TRUTH_NAME, (json.dumps(truth, indent=1) + "\n").encode())
    yield Progress(STAGE, len(cases), len(cases))
    yield Done(folder)


def _images_with_lesion(volume: Volume, labels: NDArray[np.uint8]) -> list[int]:
    """Numbers of the images, from 1 at the head, as they are written."""
    places = enumerate(volume.geometry.display_order, start=1)
    return [number for number, index in places if bool((labels[index] >= GROUND_GLASS).any())]


def _telling(settings: HardSettings) -> dict[str, object]:
    plain = json.loads(json.dumps(asdict(settings)))
    return {"phantom": "Generated, no patients.", "generator": GENERATOR_VERSION, "settings": plain}


def _told(folder: Path) -> dict[str, object]:
    """What a set that is there says of itself; nothing where there is none."""
    try:
        told = json.loads((folder / TRUTH_NAME).read_bytes())
        return {name: told[name] for name in ("phantom", "generator", "settings")}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}


def _truth(case: HardCase, lesion: list[int]) -> dict[str, object]:
    spec = case.spec
    return {"class": case.label, "family": spec.family.value, "seed": spec.seed, "lesion_on_images": lesion}


def _require_empty(folder: Path) -> None:
    try:
        if folder.exists() and any(folder.iterdir()):
            raise StorageError(f"{folder} is not empty and holds no such set of phantom studies; choose a new folder.")
    except OSError as error:
        raise StorageError(f"{folder} could not be read: {reason(error)}.") from error


def _write_study(folder: Path, volume: Volume) -> None:
    series = volume.series
    attributes = SeriesAttributes(
        patient_name=series.patient.name,
        patient_id=series.patient.patient_id,
        study_uid=series.study.uid,
        series_uid=series.uid,
        date=series.study.date,
        study_description=series.study.description,
        description=series.description,
        kernel=series.kernel.upper(),
        manufacturer=series.manufacturer,
        model_name=f"generator {GENERATOR_VERSION}",
        thickness=None if series.thickness is None else round(series.thickness, 3),
        windows=PRESETS[:2],
    )
    stored = np.ascontiguousarray(volume.stored, np.int16)
    write_ct_series(folder, stored, geometry=volume.geometry, attributes=attributes)
