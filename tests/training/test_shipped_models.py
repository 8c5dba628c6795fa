"""The models that come with the program are intact, modest in their words, and right on a phantom they never saw."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ctviewer.core.paths import resources
from ctviewer.core.volume import Volume
from ctviewer.datasets.phantom import Family, PhantomSpec, Variant, generate
from ctviewer.datasets.sources import phantom_volume
from ctviewer.models.bundle import Bundle
from ctviewer.models.card import card
from ctviewer.models.metrics import auc_roc, dice
from ctviewer.models.placement import Placement
from ctviewer.models.postprocess import instances
from ctviewer.models.preprocess import net_input, study_order
from ctviewer.models.probabilities import softmax
from ctviewer.models.registry import Registry


def shipped(task: str) -> Bundle:
    registry = Registry([resources() / "bundles"], resources() / "no-choice.json")
    assert registry.scan()[1] == ()
    bundle = registry.active(task)
    assert bundle is not None
    return bundle


def phantom(variant: Variant) -> tuple[Volume, np.ndarray]:
    made = generate(PhantomSpec(31, variant, Family.D, matrix=256, slices=32), workers=1)
    return phantom_volume(made), made.labels


def lesion_pixels(volume: Volume, bundle: Bundle, net: torch.nn.Module) -> np.ndarray:
    m = bundle.metadata
    placement = Placement.of(volume.geometry, m.preprocessing.size)
    marked = np.zeros(volume.stored.shape, bool)
    for i in range(volume.slice_count):
        with torch.inference_mode():
            (answer,) = net.analyse(net_input(volume, [i], m.preprocessing), m.thresholds.detection_score)
        for x in instances(answer.detections, i, m.classes, placement, m.thresholds.detection_score):
            if x.label in m.lesion_classes:
                marked[i] |= x.mask.full(volume.stored.shape[1:])
    return marked


@pytest.mark.parametrize("task", ["study_classifier", "one_shot"])
def test_bundles_say_what_they_are(task: str) -> None:
    bundle = shipped(task)
    m = bundle.metadata
    assert m.trained_on == "trained on phantoms only" and "never seen a patient" in m.limits
    assert m.metrics and all("phantom" in metric.data and metric.low is not None for metric in m.metrics)
    assert (bundle.folder / "model.safetensors").stat().st_size < 15_000_000
    assert (bundle.folder / "README.md").read_text(encoding="utf-8") == card(m), "the card says what the metadata says"


@pytest.mark.parametrize("variant", [Variant.CONTROL, Variant.COVID])
def test_the_classifier_on_a_held_out_phantom(variant: Variant) -> None:
    bundle = shipped("study_classifier")
    m, net = bundle.metadata, bundle.build()
    volume, labels = phantom(variant)
    order = study_order(volume)
    with torch.inference_mode():
        out = net.aggregate(net.encode(net_input(volume, order, m.preprocessing))[None])
    finding = 1.0 - softmax(out.logits[0].numpy())[m.classes.index(m.negative_class)]
    assert (finding >= m.thresholds.finding_probability) == (variant is not Variant.CONTROL)
    if variant is not Variant.CONTROL:
        infected = (labels[order] >= 2).any(axis=(1, 2))
        assert auc_roc(out.attention[0].numpy(), infected) > 0.9


def test_the_detector_on_held_out_phantoms() -> None:
    bundle = shipped("one_shot")
    net = bundle.build()
    volume, labels = phantom(Variant.COVID)
    assert dice(lesion_pixels(volume, bundle, net), labels >= 2) > 0.5
    volume, _ = phantom(Variant.CONTROL)
    marked = lesion_pixels(volume, bundle, net).any(axis=(1, 2))
    assert marked.mean() < 0.2
