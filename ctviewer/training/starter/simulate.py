"""Simulated studies of three classes: control, common pneumonia, COVID-19.

The real studies at hand show one disease. These put its lesions' outlines and grain into clean chests, spread as the
literature describes each class (`simulation.patterns`), so that slices are labelled by construction. What a model learns from
them is that description, not a diagnosis: such a model says "trained on simulated studies, not for differential diagnosis".

A study mixes patients: the chest's and those its lesions come from. Patients are therefore divided first
(`lesion_split.folds_of`), and each part simulates its own studies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ctviewer.core.errors import InputError
from ctviewer.training.starter.chests import INFECTION, Chest
from ctviewer.training.starter.scanner import Scanner, draw, scanned
from ctviewer.training.starter.simulation.composing import compose
from ctviewer.training.starter.simulation.host import Host, host_of, resampled, spacing_of
from ctviewer.training.starter.simulation.library import Library, library_of
from ctviewer.training.starter.simulation.patterns import CLASSES, CONTROL, draw_finding
from ctviewer.training.starter.simulation.shapes import place
from ctviewer.training.starter.simulation.surroundings import add_fluid, add_surroundings

_LEAST_SLICES = 8
_SPACINGS = (2.0, 10.0)  # mm between slices of simulated studies
_PARTIAL = 0.3  # of studies are cut at the top, and at the bottom
_SCANNER = Scanner(
    degrees=5.0, zoom=(0.9, 1.1), mirrored=(0.0, 0.0), dependent=(0.0, 0.0), noise=(2.0, 35.0), coarse=0.1
)
"""One for a whole study. What lies low in the lungs is drawn with the other findings that every class may show."""
_TRIES = 8  # until disease is seen: lesions may fall where a chest shows no lung


@dataclass(frozen=True, eq=False)
class SimulatedStudy:
    """One study.

    Attributes:
        chest: pixels and labels, infection where a reader would mark it; `patient` names all patients in it.
        label: one of `CLASSES`.
        patients: whose chest it is, and whose lesions it has.
        host: name of the clean chest.
        spacing, thickness: mm, as far as known.
    """

    chest: Chest
    label: str
    patients: frozenset[str]
    host: str
    spacing: float
    thickness: float


@dataclass(frozen=True, eq=False)
class Material:
    """What studies are simulated from.

    Attributes:
        clean: chests without infection: painted out, scanned or generated.
        spacings: mm between slices by the chest's name.
        library: real lesions.
    """

    clean: tuple[Chest, ...]
    spacings: Mapping[str, float]
    library: Library


def material(
    clean: Sequence[Chest], donors: Sequence[Chest], spacings: Mapping[str, float] | None = None, seed: int = 0
) -> Material:
    """Collect chests and lesions.

    Args:
        clean: chests without infection.
        donors: chests with infection marked, of which outlines and textures are taken.
        spacings: mm between slices by the chest's name, where known.
        seed: of the choice among lesions.

    Raises:
        InputError: no clean chest, one that shows infection, or no lesion to learn from.
    """
    if not clean:
        raise InputError("No chest without infection was given to simulate studies in.")
    if shown := [chest.name for chest in clean if chest.infected.any()]:
        raise InputError(f"The chest {shown[0]} shows infection: disease is simulated in clean chests.")
    known = {chest.name: spacing_of(chest) for chest in (*clean, *donors)} | dict(spacings or {})
    library = library_of(donors, known, seed)
    if not (library.outlines and library.haze and library.dense):
        raise InputError("The chests with infection show too little of it to simulate disease from.")
    return Material(tuple(clean), known, library)


def studies(source: Material, per_class: int, seed: int = 0) -> Iterator[SimulatedStudy]:
    """Simulate studies, the classes in turn: each class has the same chests, spacings, cuts and scanners.

    Args:
        source: chests and lesions.
        per_class: studies of each class.
        seed: of all draws; each study depends on it and on its own number alone.

    Yields:
        `3 * per_class` studies, each as soon as it is made.
    """
    for number in range(per_class):
        for label in CLASSES:
            yield simulate(source, label, number, seed)


def simulate(source: Material, label: str, number: int, seed: int = 0) -> SimulatedStudy:
    """One study.

    Args:
        source: chests and lesions.
        label: one of `CLASSES`.
        number: which one. Studies of the same number have the same chest, cut, spacing and scanner in every class.
        seed: of all draws.
    """
    rng = np.random.default_rng([seed, number])  # of what the classes have in common
    host, thickness = _host(source, rng)
    ill = np.random.default_rng([seed, number, 1 + CLASSES.index(label)])
    chest, donors = _with_finding(host, label, source.library, ill)
    patients = donors | {host.chest.patient}
    named = replace(chest, name=f"simulated {label} {number}", patient=" + ".join(sorted(patients)))
    return SimulatedStudy(_scanned(named, rng), label, patients, host.chest.name, host.spacing, thickness)


def _with_finding(host: Host, label: str, library: Library, rng: np.random.Generator) -> tuple[Chest, frozenset[str]]:
    """The chest with what its class shows, and whose lesions those are."""
    for _ in range(_TRIES):
        finding, hu = draw_finding(label, rng), host.chest.hu.astype(np.float32)
        placed = [found for one in finding.lesions if (found := place(one, host, library, rng)) is not None]
        add_surroundings(hu, finding, host, rng)
        labels, donors = compose(hu, host, placed, library, rng)
        add_fluid(hu, labels, finding, host, rng)
        if label == CONTROL or (labels == INFECTION).any():
            return replace(host.chest, hu=hu.round().astype(np.int16), labels=labels), donors
    raise InputError(f"The chest {host.chest.name} shows too little lung to simulate disease in.")


def _scanned(chest: Chest, rng: np.random.Generator) -> Chest:
    """All its slices by one scanner, in one pose."""
    drawn = draw(_SCANNER, rng, chest.hu.shape[1])
    slices = [scanned(hu, labels, drawn, rng) for hu, labels in zip(chest.hu, chest.labels, strict=True)]
    hu = np.clip(np.stack([hu for hu, _ in slices]).round(), -1024, 3071).astype(np.int16)
    return replace(chest, hu=hu, labels=np.stack([labels for _, labels in slices]))


def _host(source: Material, rng: np.random.Generator) -> tuple[Host, float]:
    """A chest as one scan of it may be: slices as far apart and as thick as drawn, cut at the top or at the bottom."""
    chest = _drawn(source.clean, rng)
    spacing, n = source.spacings[chest.name], len(chest.hu)
    wanted = np.exp(rng.uniform(*np.log(_SPACINGS)))
    step = int(np.clip(round(wanted / spacing), 1, max(1, n // _LEAST_SLICES)))
    thickness = int(rng.integers(1, step + 1))
    thin = resampled(chest, step, thickness, int(rng.integers(step)))
    top, bottom = (rng.uniform(0, 0.35) * (rng.random() < _PARTIAL) for _ in range(2))
    kept = len(thin.hu)
    first, last = int(top * kept), kept - int(bottom * kept)
    if last - first < _LEAST_SLICES or not (thin.labels[first:last] > 0).any():
        first, last = 0, kept
    whole = host_of(thin, spacing * step)
    return _cut(whole, slice(first, last)), spacing * thickness


def _drawn(clean: Sequence[Chest], rng: np.random.Generator) -> Chest:
    """One of the chests: a kind by the root of its patients (few are not met too often), a patient of it, a chest of theirs."""
    patients = {chest.kind: sorted({c.patient for c in clean if c.kind == chest.kind}) for chest in clean}
    kinds, weights = sorted(patients), np.sqrt([len(patients[kind]) for kind in sorted(patients)])
    kind = str(rng.choice(kinds, p=weights / weights.sum()))
    patient = str(rng.choice(patients[kind]))
    pool = [chest for chest in clean if chest.kind == kind and chest.patient == patient]
    return pool[int(rng.integers(len(pool)))]


def _cut(host: Host, kept: slice) -> Host:
    """Some slices of a host, each where it lay in the whole chest."""
    parts = {name: getattr(host, name)[kept] for name in ("room", "side", "depth", "height")}
    return replace(host, chest=host.chest.taken(kept), **parts)
