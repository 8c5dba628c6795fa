"""Who learns, who is held out and who judges in a cross-validation of the lesion model: by patient, and phantoms only learn.

Of the patients that a fold may learn from, some are held out inside it: they decide from which score outlines are shown (and
which state of a training is kept, where one chooses). The patients that a fold is judged by decide nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctviewer.core.errors import InputError
from ctviewer.core.words import counted
from ctviewer.training.splits import TRAIN_ONLY, Case, repeated_folds
from ctviewer.training.starter.chests import PHANTOM, Chest
from ctviewer.training.starter.painting import painted_out

PART = 40
"""Slices of a chest that are enough to choose a threshold by, or to see what is marked on healthy lung."""


@dataclass(frozen=True, eq=False)
class Fold:
    """Who does what; no patient does two things.

    Attributes:
        number: from 1.
        train: learned from.
        holdout: held out of it, to choose a state and a threshold by.
        test: judged by.
    """

    number: int
    train: tuple[Chest, ...]
    holdout: tuple[Chest, ...]
    test: tuple[Chest, ...]


def folds_of(chests: Sequence[Chest], count: int = 5, holdout: int = 1, seed: int = 0) -> tuple[Fold, ...]:
    """Divide chests by patient.

    Patients with infection and those without are shared out evenly, each by itself; phantoms are learned from in every fold.
    Whom a fold could hold out beyond `holdout` patients with infection it learns from.

    Args:
        chests: all.
        count: of folds, 3 or more.
        holdout: patients with infection held out inside each fold, one at least.
        seed: of the draw.

    Raises:
        InputError: too few patients, or nobody with infection is left to hold out or learn from.
    """
    sick = {chest.patient for chest in chests if chest.kind != PHANTOM and chest.infected.any()}
    cases = [_case(chest, chest.patient in sick) for chest in chests]
    made = []
    for number, split in enumerate(repeated_folds(cases, count, 1, seed), 1):
        inside = sorted({c.patient for c in chests if c.name in set(split.validation)} & sick)[: max(1, holdout)]
        parts: tuple[list[Chest], list[Chest], list[Chest]] = ([], [], [])
        for chest in chests:
            parts[2 if chest.name in set(split.test) else int(chest.patient in inside)].append(chest)
        if not inside or not {chest.patient for chest in parts[0]} & sick:
            raise InputError(f"{counted(len(sick), 'patient')} with infection are too few for {count} folds.")
        made.append(Fold(number, tuple(parts[0]), tuple(parts[1]), tuple(parts[2])))
    return tuple(made)


def painted(chests: Sequence[Chest], seed: int = 0, most: int = PART) -> tuple[Chest, ...]:
    """Those with infection, without it: what is judged of healthy lung on the same patients, the same each time.

    Args:
        chests: of any kind; phantoms are left out.
        seed: of the painting.
        most: slices of each, evenly spread.
    """
    sick = [chest for chest in chests if chest.kind != PHANTOM and chest.infected.any()]
    return tuple(painted_out(thinned(c, most), np.random.default_rng([seed, i])) for i, c in enumerate(sick))


def thinned(chest: Chest, most: int = PART) -> Chest:
    """At most so many slices of a chest, evenly spread."""
    count = len(chest.hu)
    return chest.taken(np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp)))


def _case(chest: Chest, sick: bool) -> Case:
    return Case(
        chest.name, chest.patient, ("infection" if sick else "none",), TRAIN_ONLY if chest.kind == PHANTOM else ""
    )
