"""Train the starter models on generated phantoms: `make train-starter`, or `python packaging/train_starter.py --help`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

from ctviewer.core.errors import CtviewerError
from ctviewer.core.events import Event, Message, Progress
from ctviewer.datasets.phantom import HELD_OUT_FAMILIES, TRAINING_FAMILIES, Family, PhantomSpec, Variant
from ctviewer.datasets.sources import PhantomStudySource
from ctviewer.training.starter.loop import EpochDone, Plan
from ctviewer.training.starter.phantoms.build import StarterSettings, StarterSources, train_starter

CLASS_NAMES = {
    Variant.CONTROL.value: "no finding",
    Variant.PNEUMONIA.value: "pneumonia-like",
    Variant.COVID.value: "COVID-19-like",
}
SLICES = (24, 28, 32, 40, 48)
MATRIX = 256
HELD_OUT, LONG = "phantom, held-out families", "phantom, held-out families, 120 slices"


def source(families: tuple[Family, ...], first_seed: int, patients: int, slices: tuple[int, ...]) -> PhantomStudySource:
    """All variants of some patients of each family; the variants of a patient have the same number of slices."""
    specs = [
        PhantomSpec(seed, variant, family, matrix=MATRIX, slices=slices[seed % len(slices)])
        for seed in range(first_seed, first_seed + patients)
        for family in families
        for variant in Variant
    ]
    return PhantomStudySource(specs, workers=None)


def sources(patients: int) -> StarterSources:
    """Training patients per family as asked, a sixth of them for validation, and the held-out families."""
    few = max(2, patients // 6)
    return StarterSources(
        source(TRAINING_FAMILIES, 1000, patients, SLICES),
        source(TRAINING_FAMILIES, 5000, few, SLICES),
        {
            HELD_OUT: source(HELD_OUT_FAMILIES, 8000, max(4, patients // 3), SLICES),
            LONG: source(HELD_OUT_FAMILIES, 9000, max(2, patients // 8), (120,)),
        },
        classifier_only=frozenset({LONG}),
    )


def settings(arguments: argparse.Namespace) -> StarterSettings:
    """The shipped recipe, its steps scaled by `--effort`."""
    effort: float = arguments.effort

    def plan(epochs: int, steps: int, rate: float, warm_up: int) -> Plan:
        return Plan(epochs, max(2, round(steps * effort)), rate, warm_up=warm_up, seed=arguments.seed)

    return StarterSettings(
        CLASS_NAMES,
        Variant.CONTROL.value,
        version=arguments.version,
        encoder=plan(5, 40, 4e-4, 20),
        aggregator=plan(10, 80, 1e-3, 40),
        detector=plan(8, 140, 8e-4, 100),
        cache=arguments.cache,
        tasks=tuple(arguments.task or ("study_classifier", "one_shot")),
    )


def show(event: Event, started: float) -> None:
    """One line per epoch, message and finished tenth of a stage."""
    at = f"{time.monotonic() - started:7.1f} s  "
    if isinstance(event, EpochDone):
        figures = ", ".join(f"{name} {value:.3f}" for name, value in event.metrics.items())
        print(f"{at}{event.stage}: epoch {event.epoch}/{event.epochs}, loss {event.loss:.4f}, {figures}", flush=True)
    elif isinstance(event, Message):
        print(f"{at}{event.text}", flush=True)
    elif isinstance(event, Progress) and event.done % max(1, event.total // 10) == 0:
        print(f"{at}{event.stage}: {event.done}/{event.total}", flush=True)


def main() -> int:
    """Command line; exit code 0, or 2 with one sentence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("resources/bundles"), help="folder of bundles")
    parser.add_argument("--version", default="0.1.0", help="version of the new bundles; must not exist")
    parser.add_argument("--patients", type=int, default=12, help="training patients of each family")
    parser.add_argument("--effort", type=float, default=1.0, help="factor on the number of steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps prepared phantoms")
    parser.add_argument("--task", action="append", choices=("study_classifier", "one_shot"), help="train this only")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    started = time.monotonic()
    try:
        for event in train_starter(sources(arguments.patients), arguments.out, settings(arguments)):
            show(event, started)
    except CtviewerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
