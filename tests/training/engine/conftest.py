"""Small runs: toy studies of a few slices, a narrow net, and what a run says collected into one object."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from training.conftest import ToySource

from ctviewer.core.events import Event
from ctviewer.models.bundle import Bundle, save_bundle
from ctviewer.models.metadata import InputLimits, Metadata, Preprocessing, Thresholds, TrainingData
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.config import DataConfig, ModelConfig, RunConfig
from ctviewer.training.control import Wish
from ctviewer.training.engine.run import RunInputs, run
from ctviewer.training.events import EpochDone, StepDone
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.recipes import RECIPES
from ctviewer.training.splits import Split

SIDE = 32


class LabelledToys:
    """Meets `LabelledSource`: toy studies, each of its own patient unless `patients` says otherwise."""

    def __init__(self, toys, classes=None, patients=None) -> None:
        self._toys, self._classes, self._patients = toys, classes or {}, patients or {}

    def ids(self) -> tuple[str, ...]:
        return self._toys.ids()

    def patient(self, study: str) -> str:
        return self._patients.get(study, f"patient of {study}")

    def label(self, study: str) -> str:
        return "+".join(self.classes(study))

    def classes(self, study: str) -> tuple[str, ...]:
        return self._classes.get(study, (self._toys.label(study),))

    def split(self, study: str) -> str:
        return ""

    def load(self, study: str):
        return self._toys.load(study)


@dataclass
class Said:
    """Everything that a run said, in order."""

    events: list[Event] = field(default_factory=list)

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def last(self) -> Event:
        return self.events[-1]

    @property
    def losses(self) -> list[tuple[int, int, float]]:
        """Fold, step and loss of every step."""
        return [(event.fold, event.step, event.loss) for event in self.of(StepDone)]

    @property
    def judged(self) -> list[tuple[int, int, float, float | None]]:
        """Fold, epoch, loss and validation loss of every epoch; None without validation studies."""
        return [
            (e.fold, e.epoch, e.loss, e.validation_loss if math.isfinite(e.validation_loss) else None)
            for e in self.of(EpochDone)
        ]


class After:
    """A control that says something once it was asked so often, and then goes on saying it."""

    def __init__(self, asked: int, wish: Wish) -> None:
        self.left, self.wish = asked, wish

    def __call__(self) -> Wish:
        self.left -= 1
        return self.wish if self.left < 0 else Wish.GO_ON


@pytest.fixture
def after() -> type[After]:
    return After


def labelled_toys(count: int, slices: int = 5, classes=None, patients=None) -> LabelledToys:
    """Studies "s0", "s1"...; odd ones are sick."""
    return LabelledToys(ToySource("s", count, slices), classes, patients)


@pytest.fixture
def labelled() -> Callable[..., LabelledToys]:
    """See `labelled_toys`."""
    return labelled_toys


def small_run_config(
    data=None, model=None, seed: int = 3, chunk: int = 2, minutes: float = 1e9, recipe="scratch", **changes
):
    """A run of a narrow net, from scratch by default; keywords change its recipe, `data` and `model` the others."""
    wanted = {"name": "toy", "start": "scratch", "encoder": "resnet18", "encoder_options": {"width": 16}}
    wanted |= {"size": SIDE + 4, "crop": SIDE, "negative_class": "well", **(model or {})}
    settings = {"epochs": 2, "batch": 3, "precision": "float32", "patience": 0} if recipe == "scratch" else {}
    return RunConfig(
        data=DataConfig(folder="toys", **({"cross_validation": "never"} | (data or {}))),
        model=ModelConfig(**wanted),
        recipe=dataclasses.replace(RECIPES[recipe], **(settings | changes)),
        seed=seed,
        chunk=chunk,
        checkpoint_minutes=minutes,
        device="cpu",
    )


@pytest.fixture
def small_config() -> Callable[..., RunConfig]:
    """See `small_run_config`."""
    return small_run_config


def report_on(source, split: Split) -> PreflightReport:
    """What pre-flight would say of a source, without looking at pixels."""
    ids = source.ids()
    digests = dict.fromkeys(split.parts, "0" * 64)
    return PreflightReport(len(ids), len({source.patient(s) for s in ids}), (), split, data_sha256=digests)


@pytest.fixture
def report_of() -> Callable[..., PreflightReport]:
    """See `report_on`."""
    return report_on


def inputs_in(place: Path, config=None, source=None, split=None, name: str = "run", **others) -> RunInputs:
    """Of a run in a folder of `place`; six studies to learn from, two and two to judge."""
    source = labelled_toys(10) if source is None else source
    ids = source.ids()
    split = split or Split(ids[:6], ids[6:8], ids[8:10])
    folder = place / name
    folder.mkdir(exist_ok=True)
    settings = {"base": None, "bundles": place / "bundles", **others}
    return RunInputs(config or small_run_config(), source, folder, report_on(source, split), **settings)


@pytest.fixture
def inputs(tmp_path) -> Callable[..., RunInputs]:
    """`inputs(config=..., source=..., split=..., name="run", **others)`: see `inputs_in`."""
    return functools.partial(inputs_in, tmp_path)


def collected(events: Iterable[Event] | RunInputs, into: Said | None = None) -> Said:
    """Run to the end and collect; what was said before an error is in `.events` of the object passed as `into`."""
    found = Said() if into is None else into
    for event in run(events) if isinstance(events, RunInputs) else events:
        found.events.append(event)
    return found


@pytest.fixture
def said() -> Callable[[Iterable[Event] | RunInputs], Said]:
    """See `collected`."""
    return collected


@pytest.fixture
def no_figures(monkeypatch) -> None:
    """The figures of the card and their intervals take a second; they are tested where they are made."""
    monkeypatch.setattr("ctviewer.training.engine.finish.evaluate", lambda predictions, data: ())


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory) -> Bundle:
    """A study classifier of random weights that knows "well" and "sick"."""
    torch.manual_seed(1)
    options = {
        "encoder": "resnet18",
        "encoder_options": {"width": 16},
        "aggregator": "lstm_attention",
        "head": "binary",
    }
    net = StudyClassifier(2, **options)
    described = Metadata(
        name="toy",
        version="0.9.0",
        task="study_classifier",
        title="Toy",
        classes=("well", "sick"),
        negative_class="well",
        net=options,
        preprocessing=Preprocessing(-600.0, 1500.0, SIDE + 4, SIDE, (0.5,), (0.3,)),
        thresholds=Thresholds(),
        input_limits=InputLimits(
            ("CT",), ("axial",), True, (1, 40), (0.5, 9.0), (1.0, 600.0), (-1100, -700), (-150, 150)
        ),
        training_data=TrainingData("nothing", {}, {}),
        licence="Apache-2.0",
        intended_use="Tests.",
        out_of_scope="Patients.",
        trained_on="random weights",
        limits="Says nothing.",
    )
    return save_bundle(tmp_path_factory.mktemp("base") / "toy-0.9.0", described, net.state_dict())
