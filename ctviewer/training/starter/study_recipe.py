"""The recipes of the study models that learn from patients: infection present or absent, and three simulated classes.

Both start from a lesion model of the cross-validation and never meet the patients that it never met: what is said of them is said
of the shipped models themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ctviewer.core.events import Event, Progress
from ctviewer.nets.one_shot import OneShot
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.starter.aggregator_stage import Study, train_aggregator
from ctviewer.training.starter.chests import PHANTOM, RECOVERED, SCANNED, Chest
from ctviewer.training.starter.encoder_stage import start_from, train_encoder
from ctviewer.training.starter.lesion_split import thinned
from ctviewer.training.starter.lesion_stage import LESION_INPUT
from ctviewer.training.starter.loop import Plan
from ctviewer.training.starter.painting import painted_out
from ctviewer.training.starter.recipe import CHANNELS, WIDTH
from ctviewer.training.starter.sequences import Encoded, clean_study, encode_chests, study
from ctviewer.training.starter.simulate import Material, material, studies
from ctviewer.training.starter.simulation.patterns import CLASSES as SIMULATED

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
        real: share of the studies put together from patients' chests; the rest are phantoms and clean scanned chests.
        simulated: studies of each simulated class.
    """

    seed: int = 0
    encoder: Plan = dataclasses.field(default_factory=lambda: Plan(4, 75, 4e-4, warm_up=30))
    aggregator: Plan = dataclasses.field(default_factory=lambda: Plan(4, 150, 1e-3, warm_up=40))
    slices: int = 64
    draws: int = 3
    real: float = 0.65
    simulated: int = 110

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


def train_infection(
    net: StudyClassifier, lesions: OneShot, chests: Sequence[Chest], settings: StudySettings
) -> Iterator[Event]:
    """Train the model of two classes, its encoder first.

    Args:
        net: of `new_study_net(2, ...)`.
        lesions: a lesion model that has met no other patients.
        chests: to learn from.
        settings: see there.
    """
    of_encoder, of_aggregator = settings.plans()
    start_from(net.encoder, lesions)
    yield from train_encoder(net.encoder, chests, of_encoder)
    encoded: list[Encoded] = []
    few = [thinned(chest, settings.slices) for chest in chests]
    yield from encode_chests(net, few, encoded, preprocessing=STUDY_INPUT, draws=settings.draws, seed=settings.seed)
    kinds = [chest.kind for chest in few]
    yield from train_aggregator(net, 2, Drawn(encoded, kinds, settings.real).study, of_aggregator)


class Drawn:
    """Studies with and without infection, put together from encoded chests.

    Args:
        encoded: chests.
        kinds: of each, as `Chest.kind`.
        real: share of patients' chests among those drawn.
    """

    def __init__(self, encoded: Sequence[Encoded], kinds: Sequence[str], real: float) -> None:
        self._all, self._real = encoded, real
        pairs = list(zip(encoded, kinds, strict=True))
        self._ill = (
            [e for e, kind in pairs if kind == RECOVERED],
            [e for e, kind in pairs if kind == PHANTOM and e.infected.any()],
        )
        self._clean = [e for e in self._ill[0] if e.clean is not None], [e for e in encoded if not e.infected.any()]

    def study(self, rng: np.random.Generator, label: int) -> Study:
        """A study of a class: 0 without infection, 1 with."""
        pools = self._ill if label else self._clean
        pool = pools[0 if (rng.random() < self._real and pools[0]) or not pools[1] else 1]
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


def train_simulated(
    net: StudyClassifier, encoder_of: StudyClassifier, source: Material, settings: StudySettings
) -> Iterator[Event]:
    """Train the model of three classes on simulated studies, with the encoder of the model of two.

    Args:
        net: of `new_study_net(3, ...)`.
        encoder_of: whose encoder it takes, as it is.
        source: chests and lesions of the same patients.
        settings: see there.
    """
    net.encoder.load_state_dict(encoder_of.encoder.state_dict())
    by_class: dict[str, list[Encoded]] = {label: [] for label in SIMULATED}
    total = len(SIMULATED) * settings.simulated
    for done, one in enumerate(studies(source, settings.simulated, settings.seed)):
        yield Progress("Simulating and encoding studies", done, total)
        for _ in encode_chests(
            net,
            [dataclasses.replace(one.chest, kind=SCANNED)],
            by_class[one.label],
            preprocessing=STUDY_INPUT,
            draws=0,
            seed=0,
        ):
            pass  # of one chest there is nothing to tell

    def drawn(rng: np.random.Generator, label: int) -> Study:
        pool = by_class[SIMULATED[label]]
        chest = pool[int(rng.integers(len(pool)))]
        return chest.features[0], chest.infected.astype(np.float32), label

    yield from train_aggregator(net, len(SIMULATED), drawn, settings.plans()[1])
