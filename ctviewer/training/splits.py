"""Who is learned from and who is judged by: pure functions that never part the studies of a patient."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ctviewer.core.errors import InputError

TRAIN, VALIDATION, TEST = "train", "val", "test"
PARTS = (TRAIN, VALIDATION, TEST)
EXTERNAL = "external:"
TRAIN_ONLY = "train-only"
"""Given for studies that must never judge, in no fold either: their labels repeat a model's output, say."""


@dataclass(frozen=True)
class Case:
    """What splitting needs to know of a study.

    Attributes:
        study, patient: as the source names them.
        classes: at least one.
        split: one of `PARTS`, "external:NAME", `TRAIN_ONLY`, or "" where it is open.
        date: ISO 8601, "" where it is not known.
    """

    study: str
    patient: str
    classes: tuple[str, ...]
    split: str = ""
    date: str = ""


@dataclass(frozen=True)
class Split:
    """Studies by what they are for, in the order of the cases.

    Attributes:
        train, validation, test: ids.
        external: ids by the name of the set.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    external: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """All parts that hold studies, by "train", "val", "test" and "external:NAME"."""
        named = {TRAIN: self.train, VALIDATION: self.validation, TEST: self.test}
        named |= {EXTERNAL + name: studies for name, studies in self.external.items()}
        return {name: studies for name, studies in named.items() if studies}


def conflicts(cases: Iterable[Case]) -> dict[str, tuple[str, ...]]:
    """Patients whose studies are given to different parts, with these studies."""
    given: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if case.split:
            given[case.patient].append(case)
    torn = {patient: found for patient, found in given.items() if len({_part(case) for case in found}) > 1}
    return {patient: tuple(case.study for case in found) for patient, found in torn.items()}


def split_stratified(cases: Sequence[Case], shares: Sequence[float] = (0.7, 0.15, 0.15), seed: int = 0) -> Split:
    """Split patients at random so that each class is shared out alike; what is given stays as it is.

    Studies whose part is open follow those of the same patient. The result depends on seed and patients, not on the
    order of the cases. A class of at least as many patients as there are parts is in each of them.

    Args:
        cases: all studies.
        shares: of the patients, for train, validation and test; they sum to 1.
        seed: of the draw.

    Raises:
        InputError: a patient is given to two parts, or the shares are not usable.
    """
    _require_shares(shares)
    part = _given(cases)
    classes = _classes_of(cases)
    taken = {patient: PARTS.index(name) for patient, name in part.items() if name in PARTS}
    open_ones = [patient for patient in classes if patient not in part]
    drawn = _share_out({p: classes[p] for p in (*taken, *open_ones)}, taken, shares, seed)
    return _made(cases, part | {patient: PARTS[drawn[patient]] for patient in open_ones})


def split_by_time(cases: Sequence[Case], shares: Sequence[float] = (0.7, 0.15, 0.15)) -> Split:
    """Older patients to train, newer ones to test: no study is learned from that is newer than any patient judged by.

    Patients stand in the order of their newest study, those of one day in one part; given parts are respected.

    Raises:
        InputError: a date is not known, a patient is given to two parts, or the shares are not usable.
    """
    _require_shares(shares)
    part = _given(cases)
    newest: dict[str, str] = {}
    for case in cases:
        if case.patient in part:
            continue
        if not case.date:
            raise InputError(f"The date of study {case.study} is not known, so that it cannot be split by time.")
        newest[case.patient] = max(newest.get(case.patient, ""), case.date)
    order = sorted(newest, key=lambda patient: (newest[patient], patient))
    ends = [round(sum(shares[: i + 1]) * len(order)) for i in range(len(PARTS))]
    previous, number = "", 0
    for index, patient in enumerate(order):
        if newest[patient] != previous:
            number = next((i for i, end in enumerate(ends) if index < end), len(PARTS) - 1)
        previous = newest[patient]
        part[patient] = PARTS[number]
    return _made(cases, part)


def repeated_folds(cases: Sequence[Case], folds: int = 5, repeats: int = 3, seed: int = 0) -> tuple[Split, ...]:
    """Cross-validation grouped by patient and stratified by class, drawn anew for each repeat.

    Each patient is tested once a repeat; the next fold is what the epoch is chosen by, the rest is learned from. Given
    parts do not matter, but external sets stay outside, and patients with a study that is `TRAIN_ONLY` are learned from
    in every fold.

    Returns:
        `folds * repeats` splits, repeat by repeat.

    Raises:
        InputError: fewer than three folds, fewer patients than folds, or a patient is in an external set and not.
    """
    inside = [case for case in cases if not case.split.startswith(EXTERNAL)]
    classes = _classes_of(inside)
    outside = {case.patient: case.split for case in cases if case.split.startswith(EXTERNAL)}
    if shared := sorted(set(classes) & set(outside)):
        study = next(case.study for case in inside if case.patient == shared[0])
        raise InputError(f"The patient of study {study} is also in an external set.")
    fixed = dict.fromkeys((case.patient for case in inside if case.split == TRAIN_ONLY), TRAIN)
    judged = {patient: found for patient, found in classes.items() if patient not in fixed}
    if not 3 <= folds <= len(judged) or repeats < 1:
        others = f" ({len(fixed)} more are for training only)" if fixed else ""
        raise InputError(f"{len(judged)} patients{others} cannot be shared out over {folds} folds, {repeats} times.")
    made = []
    for repeat in range(repeats):
        drawn = _share_out(judged, {}, [1 / folds] * folds, seed * 1_000_003 + repeat)
        for fold in range(folds):
            names = {fold: TEST, (fold + 1) % folds: VALIDATION}
            made.append(_made(cases, outside | fixed | {p: names.get(number, TRAIN) for p, number in drawn.items()}))
    return tuple(made)


def _require_shares(shares: Sequence[float]) -> None:
    if len(shares) != len(PARTS) or min(shares) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        raise InputError("The shares of train, validation and test must be three numbers from 0 on that sum to 1.")


def _given(cases: Sequence[Case]) -> dict[str, str]:
    """Part by patient, where one is given."""
    if torn := conflicts(cases):
        study = next(iter(torn.values()))[0]
        raise InputError(f"The patient of study {study} is on both sides of a split.")
    for case in cases:
        if case.split and case.split not in (*PARTS, TRAIN_ONLY) and not case.split.startswith(EXTERNAL):
            raise InputError(f"The split {case.split!r} of study {case.study} is not known.")
    return {case.patient: _part(case) for case in cases if case.split}


def _part(case: Case) -> str:
    return TRAIN if case.split == TRAIN_ONLY else case.split


def _classes_of(cases: Iterable[Case]) -> dict[str, frozenset[str]]:
    """What the studies of each patient show together."""
    found: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        found[case.patient].update(case.classes)
    return {patient: frozenset(classes) for patient, classes in found.items()}


def _share_out(
    classes: Mapping[str, frozenset[str]], taken: Mapping[str, int], shares: Sequence[float], seed: int
) -> dict[str, int]:
    """Number of the part of each patient: greedily, rarest classes first (after Sechidis and others, 2011).

    Args:
        classes: by patient.
        taken: parts that are fixed.
        shares: of the parts.
        seed: of the order in which patients of one class come.
    """
    sizes = Counter(name for found in classes.values() for name in found)
    wanted = {name: _wanted(count, shares) for name, count in sizes.items()}
    room = _wanted(len(classes), shares)

    def put(patient: str, part: int) -> None:
        room[part] -= 1
        for name in classes[patient]:
            wanted[name][part] -= 1

    for patient, part in taken.items():
        put(patient, part)
    open_ones = sorted(set(classes) - set(taken))
    np.random.default_rng(seed).shuffle(open_ones)
    rarest = {patient: min(classes[patient], key=lambda name: (sizes[name], name)) for patient in open_ones}
    drawn = dict(taken)
    usable = [part for part, share in enumerate(shares) if share > 0]
    for patient in sorted(open_ones, key=lambda one: (sizes[rarest[one]], rarest[one])):
        needs = wanted[rarest[patient]]
        part = max(usable, key=lambda i: (round(needs[i], 9), round(room[i], 9), -i))
        put(patient, part)
        drawn[patient] = part
    return drawn


def _wanted(count: int, shares: Sequence[float]) -> list[float]:
    """How many of `count` each part should have; one at least, where there are enough."""
    used = sum(share > 0 for share in shares)
    least = 1.0 if count >= used else 0.0
    wanted = [max(least, share * count) if share > 0 else 0.0 for share in shares]
    largest = max(range(len(shares)), key=lambda i: shares[i])
    wanted[largest] -= sum(wanted) - count
    return wanted


def _made(cases: Sequence[Case], part: Mapping[str, str]) -> Split:
    studies: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        studies[part[case.patient]].append(case.study)
    outside = {name[len(EXTERNAL) :]: tuple(ids) for name, ids in studies.items() if name.startswith(EXTERNAL)}
    return Split(tuple(studies[TRAIN]), tuple(studies[VALIDATION]), tuple(studies[TEST]), outside)
