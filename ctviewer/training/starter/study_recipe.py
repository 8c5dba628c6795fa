"""The recipes of the study models that learn from patients: infection present or absent, and three simulated classes.

Both start from a lesion model of the cross-validation and never meet the patients that it never met: what is measured on those
is said of the shipped models themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ctviewer.core.events import Event, Progress
from ctviewer.nets.one_shot import OneShot
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.starter.aggregator_stage import DrawStudy, Study, train_aggregator
from ctviewer.training.starter.chests import RECOVERED, SCANNED, Chest
from ctviewer.training.starter.encoder_stage import start_from, train_encoder
from ctviewer.training.starter.lesion_split import thinned
from ctviewer.training.starter.lesion_stage import LESION_INPUT
from ctviewer.training.starter.loop import Plan
from ctviewer.training.starter.painting import painted_out
from ctviewer.training.starter.recipe import CHANNELS, WIDTH
from ctviewer.training.starter.sequences import Encoded, clean_study, encode_chests, study
from ctviewer.training.starter.simulate import Material, material, studies
from ctviewer.training.starter.simulation.patterns import CLASSES as SIMULATED
from ctviewer.training.starter.simulation.patterns import CONTROL

STUDY_INPUT = LESION_INPUT
"""The whole slice: a centre crop would lose lung at the edge of narrow fields of view."""

STUDY_FOLD = 1
"""The fold of the lesion models' cross-validation whose patients no study model meets."""


@dataclass(frozen=True)
class StudySettings:
    """Lengths and seeds.

    Attributes:
        seed: of all draws.
        encoder, aggregator: how long each learns.
        slices: of a chest, at most, as sequences are made of.
        draws: other scanners that each chest is seen by.
        shares: of studies of patients' chests, of phantoms and clean scanned chests, and of simulated ones.
        simulated: studies of each simulated class.
    """

    seed: int = 0
    encoder: Plan = dataclasses.field(default_factory=lambda: Plan(4, 75, 4e-4, warm_up=30))
    aggregator: Plan = dataclasses.field(default_factory=lambda: Plan(4, 150, 1e-3, warm_up=40))
    slices: int = 64
    draws: int = 3
    shares: tuple[float, float, float] = (0.45, 0.25, 0.3)
    simulated: int = 90

    def plans(self) -> tuple[Plan, Plan]:
        """Encoder's and aggregator's, seeded."""
        return dataclasses.replace(self.encoder, seed=self.seed), dataclasses.replace(self.aggregator, seed=self.seed)


def study_options(classes: int) -> dict[str, Any]:
    """Of the study classifier's net."""
    return {
        "encoder": "resnet18_pyramid",
        "encoder_options": {"width": WIDTH, "channels": CHANNELS},
        "aggregator": "lstm_attention",
        "aggregator_options": {"scale": "sqrt"},
        "head": "binary" if classes == 2 else "multi_class",
    }


def new_study_net(classes: int, seed: int) -> StudyClassifier:
    """With random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return StudyClassifier(classes, **study_options(classes))


def train_studies(
    two: StudyClassifier, three: StudyClassifier, lesions: OneShot, chests: Sequence[Chest], settings: StudySettings
) -> Iterator[Event]:
    """Train both models: the encoder, which they share, then BiLSTM and attention of each.

    Args:
        two: of `new_study_net(2, ...)`.
        three: of `new_study_net(3, ...)`.
        lesions: a lesion model that has met no other patients; the encoder starts as its pyramid.
        chests: to learn from.
        settings: see there.
    """
    of_encoder, of_aggregator = settings.plans()
    start_from(two.encoder, lesions)
    yield from train_encoder(two.encoder, chests, of_encoder)
    three.encoder.load_state_dict(two.encoder.state_dict())
    encoded: list[Encoded] = []
    few = [thinned(chest, settings.slices) for chest in chests]
    yield from encode_chests(two, few, encoded, preprocessing=STUDY_INPUT, draws=settings.draws, seed=settings.seed)
    simulated: dict[str, list[Encoded]] = {label: [] for label in SIMULATED}
    yield from _simulated(two, material_of(chests, settings.seed), settings, simulated)
    yield from train_aggregator(two, 2, TwoClasses(encoded, simulated, settings).study, of_aggregator)
    yield from train_aggregator(three, len(SIMULATED), _three_classes(simulated), of_aggregator)


class TwoClasses:
    """Studies with and without infection: put together from chests, of phantoms, and simulated.

    Args:
        encoded: chests; those with infection that have a version without are patients'.
        simulated: by class.
        settings: how often each is drawn.
    """

    def __init__(
        self, encoded: Sequence[Encoded], simulated: Mapping[str, Sequence[Encoded]], settings: StudySettings
    ) -> None:
        self._all = encoded
        patients = [one for one in encoded if one.clean is not None]
        others = [one for one in encoded if one.clean is None]
        healthy = [one for one in others if not one.infected.any()]
        ill = [one for one in others if one.infected.any()]
        sick = [one for label in SIMULATED if label != CONTROL for one in simulated[label]]
        self._pools = (patients, healthy, list(simulated[CONTROL])), (patients, ill, sick)
        self._shares = np.array(settings.shares)

    def study(self, rng: np.random.Generator, label: int) -> Study:
        """A study of a class: 0 without infection, 1 with."""
        pools = self._pools[label]
        shares = self._shares * [bool(pool) for pool in pools]
        pool = pools[int(rng.choice(len(pools), p=shares / shares.sum()))]
        chest = pool[int(rng.integers(len(pool)))]
        features, shown = (study if label else clean_study)(self._all, chest, rng)
        return features, shown, label


def material_of(chests: Sequence[Chest], seed: int) -> Material:
    """What three classes are simulated from: the lesions of patients, in chests without any.

    Args:
        chests: of one part of a split.
        seed: of the painting and of the choice among lesions.
    """
    donors = [chest for chest in chests if chest.kind == RECOVERED and chest.infected.any()]
    rng = np.random.default_rng([seed, 17])
    clean = [painted_out(chest, rng) for chest in donors] + [c for c in chests if not c.infected.any()]
    return material(clean, donors, seed=seed)


def _simulated(
    net: StudyClassifier, source: Material, settings: StudySettings, into: Mapping[str, list[Encoded]]
) -> Iterator[Event]:
    """Simulate studies and encode them as they come: all of them would fill the memory."""
    total = len(SIMULATED) * settings.simulated
    for done, one in enumerate(studies(source, settings.simulated, settings.seed)):
        yield Progress("Simulating studies", done, total)
        chest = dataclasses.replace(one.chest, kind=SCANNED)  # there is no version of it without its lesions
        for _ in encode_chests(net, [chest], into[one.label], preprocessing=STUDY_INPUT, draws=0, seed=0):
            pass  # of one chest there is nothing to tell


def _three_classes(simulated: Mapping[str, Sequence[Encoded]]) -> DrawStudy:
    def drawn(rng: np.random.Generator, label: int) -> Study:
        pool = simulated[SIMULATED[label]]
        chest = pool[int(rng.integers(len(pool)))]
        return chest.features[0], chest.infected.astype(np.float32), label

    return drawn
