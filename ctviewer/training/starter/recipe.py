"""The recipes of the shipped models that learn from patients: nets, lengths and seeds, in one place.

Nothing here was chosen by a figure of a patient that figures are given of: sizes come from what two CPU cores can train within an
hour, mixtures and ranges from what scanners and patients are like.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ctviewer.core.events import Event
from ctviewer.nets.one_shot import OneShot, light_options
from ctviewer.training.starter.chests import CLASSES, LUNG
from ctviewer.training.starter.lesion_folds import Folds
from ctviewer.training.starter.lesion_split import Fold
from ctviewer.training.starter.lesion_stage import LESION_INPUT, Mixture, train_lesions
from ctviewer.training.starter.loop import Plan
from ctviewer.training.starter.scanner import Scanner

WIDTH, CHANNELS = 40, 80
"""Of the pyramid, which the study models' encoder shares."""
BATCH = 8


def lesion_options() -> dict[str, Any]:
    """Of the one-shot net: light heads, 256 pixels a side, lesions in lungs."""
    return {**light_options(LESION_INPUT.size, WIDTH, CHANNELS), "container": LUNG}


def new_lesion_net() -> OneShot:
    """With random weights."""
    return OneShot(len(CLASSES), **lesion_options())


def lesion_steps(seed: int = 0) -> Plan:
    """How long and how fast the lesion model learns."""
    return Plan(epochs=10, steps=100, rate=1e-3, warm_up=80, seed=seed)


def lesion_settings(seed: int = 0) -> dict[str, Any]:
    """All that decides a training besides its chests, for the card."""
    plan = dataclasses.asdict(lesion_steps(seed))
    mixture = {f"mixture: {key}": value for key, value in dataclasses.asdict(Mixture()).items()}
    scanner = {f"scanner: {key}": value for key, value in dataclasses.asdict(Scanner()).items()}
    return {"batch": BATCH, **plan, **mixture, **scanner}


def lesion_folds(folder: Path, seed: int = 0, device: str = "cpu") -> Folds:
    """The cross-validation of the lesion model.

    Args:
        folder: keeps the fold models.
        seed: of all draws.
        device: that trains; what is kept does not say which one did.
    """

    def train(net: OneShot, fold: Fold) -> Iterator[Event]:
        return train_lesions(net.to(device), fold.train, lesion_steps(seed), batch=BATCH)

    return Folds(folder, new_lesion_net, train, LESION_INPUT, lesion_settings(seed), seed=seed)
