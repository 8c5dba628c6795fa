"""Eight generated slices learned by heart: what must work before any figure on other slices means something.

Phantoms, ResNet18, pyramid, the recipe from scratch without augmentation, on the engine of every run. Of each phantom the slice
with most lesion (of a control with most lung), small components and all. Each has both kinds of labels: its lesions are outlined,
and its class is known.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from harness import Row

SLICES, SIZE, EPOCHS, BATCH = 8, 128, 150, 4
NET = {
    "backbone": "resnet18",
    "levels": "pyramid",
    "size": SIZE,
    "width": 32,
    "channels": 64,
    "hidden": 64,
    "class_hidden": 64,
    "anchors": [4, 8, 16, 32, 64],  # those of 512 pixels, for slices a quarter as wide
}
CLASSES = ("background", "lung", "ground glass", "consolidation")
IMAGE_CLASSES = ("control", "common pneumonia", "COVID-19")


def overfit(work: Path, epochs: int = EPOCHS) -> Iterator[Row]:
    """Learn, then ask for the same slices again."""
    from ctviewer.training.scores.detection import figures

    store, scans = _store(work)
    began = time.perf_counter()
    net = _learned(store, scans, work, epochs)
    seconds = time.perf_counter() - began
    predictions = _predictions(net, store, scans)
    found = {one.name: one for one in figures.slice_figures(predictions)}
    patients = len(predictions.patients)

    def value(kind: str, of: str) -> float:
        return found[f"{kind}, {of}"].value(patients)

    what = f"{SLICES} phantom slices, {SIZE} px, ResNet18 pyramid from scratch, {epochs} epochs"
    yield Row(f"overfit, {what}: COCO AP at IoU .5, mean over classes", value(figures.AP50, figures.ALL), "", "> 0.9")
    yield Row("overfit, per_image_ap at IoU .5", value(figures.PER_IMAGE, "at .5"), "")
    yield Row("overfit, slices whose class is right", value(figures.SENSITIVITY, figures.WEIGHTED), "", "1")
    yield Row(f"overfit, training on {os.cpu_count()} cores", seconds / 60, "min", "minutes")


class _Slices:
    """Meets `SliceSource`: one scan for each slice, of eight patients and three classes."""

    def __init__(self) -> None:
        from ctviewer.datasets.phantom import TRAINING_FAMILIES, PhantomSpec, Variant, generate

        variants = (Variant.COVID, Variant.PNEUMONIA, Variant.CONTROL)
        specs = [
            PhantomSpec(90_000 + i, variants[i % 3], TRAINING_FAMILIES[i // 3], matrix=2 * SIZE, slices=16)
            for i in range(SLICES)
        ]
        self._phantoms = {f"s{i}": generate(spec, workers=1) for i, spec in enumerate(specs)}
        self._class = {name: IMAGE_CLASSES[2 - i % 3] for i, name in enumerate(self._phantoms)}

    def ids(self):
        return tuple(self._phantoms)

    def patient(self, scan):
        return scan

    def classes(self, scan):
        return (self._class[scan],)

    def split(self, scan):
        return ""

    def load_slices(self, scan):
        from ctviewer.core.slices import HU, LabelledSlices

        phantom = self._phantoms[scan]
        shown = max(range(len(phantom.labels)), key=lambda i: (_size(phantom.labels[i]), (phantom.labels[i] > 0).sum()))
        part = slice(shown, shown + 1)
        return LabelledSlices(
            (str(shown),), phantom.hu[part].astype(np.float32), HU, None, phantom.labels[part], CLASSES, np.ones(1, bool),
            (self._class[scan],),
        )  # fmt: skip


def _size(labels) -> int:
    """Pixels of lesion."""
    return int((labels > 1).sum())


def _store(work: Path):
    """The slices on disk as a run has them, and their ids of both kinds."""
    from ctviewer.models.metadata import Preprocessing
    from ctviewer.training.engine.slice_store import SliceStore
    from ctviewer.training.slices.two_sources import Part, TwoSources

    both = TwoSources([Part(source := _Slices())], [Part(source)])
    preprocessing = Preprocessing(-600.0, 1500.0, SIZE, SIZE, (0.5,), (0.3,), per_image=True)
    store = SliceStore(both, preprocessing, CLASSES, IMAGE_CLASSES, work / "slices")
    for _ in store.prepare(both.ids()):
        pass
    return store, both.ids()


def _learned(store, scans, work: Path, epochs: int):
    """Of the recipe from scratch; nothing is varied, and nothing held back to judge by."""
    import torch

    from ctviewer.nets.one_shot import OneShot
    from ctviewer.training.config import DataConfig, ModelConfig, RunConfig
    from ctviewer.training.control import never
    from ctviewer.training.engine.features import Draws
    from ctviewer.training.engine.fold import Fold, FoldPlan, Setting
    from ctviewer.training.engine.one_shot.batches import make_slice_batches
    from ctviewer.training.engine.one_shot.judging import SliceJudge
    from ctviewer.training.engine.one_shot.learner import OneShotLearner
    from ctviewer.training.engine.parallel import SINGLE
    from ctviewer.training.recipes import RECIPES

    recipe = dataclasses.replace(
        RECIPES["one-shot-scratch"],
        epochs=epochs,
        augmentation="none",
        sampling="even",
        precision="float32",
        keep="last",
        batch=BATCH,
    )
    config = RunConfig(DataConfig(""), ModelConfig(start="scratch"), recipe, task="one_shot")
    torch.manual_seed(0)
    net = OneShot(len(CLASSES), image_classes=len(IMAGE_CLASSES), negative=0, **NET)
    learner = OneShotLearner(net, store, Draws(), "float32", None, SliceJudge(store, False, 0), True)
    slices = [(scan, info) for scan in scans for info in store.slices_of(scan)]
    lesions = [one for one in slices if one[0].startswith("lesions/")]
    batches = make_slice_batches(lesions, [one for one in slices if one not in lesions], recipe, 0, 0)
    plan = FoldPlan(0, scans, (), epochs, epochs, work / "checkpoints", {})
    for _ in Fold(Setting(config, never, SINGLE), plan, learner, batches).train():
        pass
    return net.eval()


def _predictions(net, store, scans):
    """What the net says of the slices, as evaluation keeps it."""
    import torch

    from ctviewer.models.placement import Placement, Upright
    from ctviewer.training.slice_cases import Mark, MarkedSlice, lesions_of
    from ctviewer.training.slice_predictions import SlicePrediction, SlicePredictions

    place = Placement(SIZE, SIZE, Upright(False, False, False), SIZE)
    cases = []
    for scan in scans:
        name = store.slices_of(scan)[0].name
        image, truth = store.lesion_item(scan, name) if scan.startswith("lesions/") else store.image_item(scan, name)
        (answer,) = net.analyse(image[None], 0.05)
        rows = zip(*(t.numpy() for t in (answer.detections.labels, answer.detections.scores)), strict=True)
        masks = [
            place.paste(box.numpy(), mask.numpy())
            for box, mask in zip(answer.detections.boxes, answer.detections.masks, strict=True)
        ]
        marks = tuple(
            Mark(int(label), float(score), mask) for (label, score), mask in zip(rows, masks, strict=True) if mask
        )
        if scan.startswith("lesions/"):
            marked = MarkedSlice(store.truth(scan, name), True, marks)
            (lesions,) = lesions_of([marked], CLASSES, CLASSES[2:], neighbours=False)
            cases.append(SlicePrediction(scan, name, scan[-2:], "test", lesions=lesions))
        else:
            logits = tuple(torch.as_tensor(answer.logits).tolist())
            cases.append(SlicePrediction(scan, name, scan[-2:], "test", IMAGE_CLASSES[truth], logits))
    return SlicePredictions("overfit", CLASSES, CLASSES[2:], IMAGE_CLASSES, IMAGE_CLASSES[0], 0.5, tuple(cases))
