"""Small one-shot runs: drawn chests of 64 pixels, a narrow net, and what a run is given."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import torch
from training.engine.conftest import Said
from training.slices.conftest import MadeUp

from ctviewer.core.slices import HU, LabelledSlices
from ctviewer.models.metadata import ONE_SHOT, Preprocessing
from ctviewer.nets.one_shot import OneShot
from ctviewer.training.config import DataConfig, ModelConfig, RunConfig, SliceSet
from ctviewer.training.engine.fold import Fold, FoldPlan
from ctviewer.training.engine.inputs import RunInputs
from ctviewer.training.engine.one_shot.workshop import OneShotWorkshop
from ctviewer.training.engine.plans import cases_of, checkpoints_of
from ctviewer.training.engine.slice_store import SliceStore
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.recipes import RECIPES
from ctviewer.training.slices.two_sources import Part, TwoSources
from ctviewer.training.splits import Split

SIDE = 64
CLASSES = ("background", "lung", "ground glass", "consolidation")
IMAGES = ("control", "pneumonia", "COVID-19")
NET = {
    "backbone": "resnet18", "width": 16, "channels": 16, "mask_hidden": 16, "box_hidden": 32, "hidden": 16,
    "class_hidden": 16, "beta": 6, "anchors": [8, 16, 32, 64, 64], "pre_nms": [200, 100], "post_nms": [60, 40],
    "roi_batch": 32, "roi_foreground": 0.5,
}  # fmt: skip
INPUT = Preprocessing(-600.0, 1500.0, SIDE, SIDE, (0.0,), (1.0,), per_image=True)


def ellipse(centre, radii):
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2 <= 1


def chest(number: int, kind: str):
    """HU and label map of a slice: two lungs; ground glass in COVID-19, consolidation in pneumonia, nothing in control."""
    rng = np.random.default_rng([5, number])
    hu, labels = np.full((SIDE, SIDE), -1000.0, np.float32), np.zeros((SIDE, SIDE), np.uint8)
    hu[ellipse((32, 32), (28, 31))] = 40
    for centre in ((32, 17), (32, 47)):
        lung = ellipse(centre, (20, 11))
        hu[lung], labels[lung] = -850, 1
        if kind != "control":
            where = ellipse(np.array(centre) + rng.integers(-8, 9, 2) * [1, 0.3], (7, 7)) & lung
            hu[where], labels[where] = (0, 3) if kind == "pneumonia" else (-500, 2)
    return hu + rng.normal(0, 15, hu.shape).astype(np.float32), labels


def chests(number: int, kinds, *, labelled: bool, complete: bool = True) -> LabelledSlices:
    """A scan: a slice of each kind, outlined or with a class."""
    pixels, labels = zip(*(chest(100 * number + i, kind) for i, kind in enumerate(kinds)), strict=True)
    return LabelledSlices(
        names=tuple(f"slice {i}" for i in range(len(kinds))),
        pixels=np.stack(pixels),
        unit=HU,
        spacing=(5.0, 5.0),
        labels=np.stack(labels) if labelled else None,
        label_classes=CLASSES if labelled else ("background",),
        complete=np.full(len(kinds), complete and labelled),
        image_classes=() if labelled else tuple(kinds),
    )


def two_sources(lesion_scans: int, image_scans: int) -> TwoSources:
    """Scans "lesions/0/l0"... of three slices and "images/0/i0"... of three; each of a patient of its own."""
    lesions = {f"l{i}": chests(i, IMAGES, labelled=True) for i in range(lesion_scans)}
    images = {f"i{i}": chests(50 + i, IMAGES, labelled=False) for i in range(image_scans)}
    return TwoSources([Part(MadeUp(lesions))], [Part(MadeUp(images))] if images else ())


@pytest.fixture
def sources():
    """`sources(lesion_scans, image_scans)`: see `two_sources`."""
    return two_sources


def net_of(**options) -> OneShot:
    torch.manual_seed(4)
    return OneShot(len(CLASSES), **{"image_classes": len(IMAGES), "size": SIDE, "negative": 0, **NET, **options})


@pytest.fixture
def net():
    """`net(**options)`: a narrow net of random weights, for 64 px, all classes."""
    return net_of


@pytest.fixture
def store(tmp_path):
    """`store(source)`: prepared slices of a source."""

    def make(source, name="slices"):
        made = SliceStore(source, INPUT, CLASSES, IMAGES, tmp_path / name)
        list(made.prepare(source.ids()))
        return made

    return make


def run_config(seed=3, minutes=1e9, data=None, model=None, recipe="one-shot-scratch", task=ONE_SHOT, **changes):
    """A run from scratch by default; keywords change its recipe."""
    settings = {"epochs": 2, "batch": 2, "precision": "float32", "patience": 0, **changes}
    wanted = {"name": "toy", "start": "scratch", "encoder": "resnet18", "negative_class": "control", "size": SIDE}
    wanted |= {"crop": SIDE, "net": {k: v for k, v in NET.items() if k != "backbone"}, **(model or {})}
    return RunConfig(
        data=DataConfig("", **({"cross_validation": "never"} | (data or {}))),
        model=ModelConfig(**wanted),
        recipe=dataclasses.replace(RECIPES[recipe], **settings),
        seed=seed,
        checkpoint_minutes=minutes,
        device="cpu",
        task=task,
        lesions=(SliceSet("cncb", "lesions"),),
        images=(SliceSet("cncb", "images"),),
    )


@pytest.fixture
def config():
    """See `run_config`."""
    return run_config


def inputs_in(place, config=None, source=None, split=None, name="run", **others) -> RunInputs:
    """Of a run in a folder of `place`; a scan of each kind to learn from, one to validate by, one to test."""
    source = two_sources(3, 3) if source is None else source
    ids = source.ids()
    split = split or Split(*([scan for scan in ids if scan[-1] == number] for number in "012"))
    split = Split(*(tuple(part) for part in (split.train, split.validation, split.test)))
    folder = place / name
    folder.mkdir(exist_ok=True)
    patients = len({source.patient(scan) for scan in ids})
    digests = dict.fromkeys(split.parts, "0" * 64)
    report = PreflightReport(len(ids), patients, (), split, data_sha256=digests, unit="scan")
    settings = {"base": None, "bundles": place / "bundles", "studies": place / "prepared", **others}
    return RunInputs(config or run_config(), source, folder, report, **settings)


@pytest.fixture
def inputs(tmp_path):
    """`inputs(config=..., source=..., split=..., name="run", **others)`: see `inputs_in`."""
    return functools.partial(inputs_in, tmp_path)


def fold_of(wanted: RunInputs) -> Fold:
    """The only fold of a run, ready to learn."""
    split = wanted.report.split
    shop = OneShotWorkshop(wanted, cases_of(wanted.source, split))
    list(shop.prepare(wanted.source.ids()))
    shop.precision = wanted.config.recipe.precision
    epochs = wanted.config.recipe.epochs
    folder = checkpoints_of(wanted.folder)
    return shop.fold(FoldPlan(0, split.train, split.validation, epochs, epochs, folder, wanted.report.data_sha256))


def said_by(events) -> Said:
    found = Said()
    for event in events:
        found.events.append(event)
    return found
