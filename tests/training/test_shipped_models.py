"""The models that come with the program are intact, modest in their words, small, and right on a phantom they never saw.

All of them are to be: the sample study that shows the program is a phantom.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ctviewer.core.paths import resources
from ctviewer.core.volume import Volume
from ctviewer.datasets.phantom import Family, PhantomSpec, Variant, generate
from ctviewer.datasets.sources import phantom_volume
from ctviewer.models.bundle import Bundle, load_bundle
from ctviewer.models.card import card
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT, TASKS
from ctviewer.models.metrics import auc_roc
from ctviewer.models.placement import Placement
from ctviewer.models.postprocess import instances
from ctviewer.models.preprocess import net_input, study_order
from ctviewer.models.probabilities import softmax
from ctviewer.models.registry import Registry

FOLDERS = sorted(path.parent for path in (resources() / "bundles").glob("*/metadata.json"))
PHANTOM = "trained on phantoms only"
SIMULATED = "trained on simulated studies, not for differential diagnosis"
MOST_BYTES = 60_000_000


def of_task(task: str) -> list[Path]:
    return [folder for folder in FOLDERS if load_bundle(folder).metadata.task == task]


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


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_bundles_say_what_they_are(folder: Path) -> None:
    m = load_bundle(folder).metadata
    assert folder.name == f"{m.name}-{m.version}" and m.limits and m.out_of_scope and m.training_data.summary
    assert m.metrics and all(metric.n > 0 and metric.unit and metric.data for metric in m.metrics), (
        "no figure without its n"
    )
    assert all(metric.low is None for metric in m.metrics if metric.n < 5), "no interval of so few"
    assert (folder / "README.md").read_text(encoding="utf-8") == card(m), "the card says what the metadata says"
    learned = " ".join((*m.training_data.counts, *m.training_data.sha256))
    assert "P001" not in learned and "normal001" not in learned, "chests that are measured on are not learned from"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_licences_follow_what_was_learned_from(folder: Path) -> None:
    m = load_bundle(folder).metadata
    if m.trained_on == PHANTOM:
        assert "never seen a patient" in m.limits and all("phantom" in metric.data for metric in m.metrics)
        assert m.licence == "Apache-2.0" and not m.restriction
    else:
        assert "NC" in m.licence and "commercial" in m.restriction, "COVID-19-CT-Seg allows no commercial use"
        assert any(not load_bundle(other).metadata.restriction for other in of_task(m.task)), (
            "a way out, one click away"
        )
    if len(m.classes) > 2 and m.task == CLASSIFIER and m.trained_on != PHANTOM:
        assert m.trained_on == SIMULATED and not m.default


def test_the_list_of_shipped_models_names_each_with_its_licence() -> None:
    rows = (resources() / "bundles" / "README.md").read_text(encoding="utf-8").splitlines()
    for folder in FOLDERS:
        m = load_bundle(folder).metadata
        (row,) = [line for line in rows if line.startswith(f"| [`{folder.name}`]({folder.name}/README.md) |")]
        assert f"| {m.licence} | {'yes' if m.default else 'no'} |" in row


def test_what_is_shipped_is_small_and_has_one_default_for_each_task(tmp_path: Path) -> None:
    registry = Registry([resources() / "bundles"], tmp_path / "no-choice.json")
    bundles, problems = registry.scan()
    assert problems == () and len(bundles) == len(FOLDERS)
    assert sum(path.stat().st_size for folder in FOLDERS for path in folder.iterdir()) < MOST_BYTES
    for task in TASKS:
        defaults = [bundle for bundle in bundles if bundle.metadata.default and bundle.metadata.task == task]
        assert len(defaults) == 1
        assert registry.active(task) == defaults[0]


@pytest.mark.parametrize("variant", [Variant.CONTROL, Variant.COVID])
@pytest.mark.parametrize("folder", of_task(CLASSIFIER), ids=lambda f: f.name)
def test_classifiers_on_a_held_out_phantom(folder: Path, variant: Variant) -> None:
    bundle = load_bundle(folder)
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


@pytest.mark.parametrize("folder", of_task(ONE_SHOT), ids=lambda f: f.name)
def test_detectors_on_held_out_phantoms(folder: Path) -> None:
    bundle = load_bundle(folder)
    net = bundle.build()
    volume, labels = phantom(Variant.COVID)
    marked, truth = lesion_pixels(volume, bundle, net), labels >= 2
    assert 2 * (marked & truth).sum() > 0.5 * (marked.sum() + truth.sum()), "Dice"
    volume, _ = phantom(Variant.CONTROL)
    marked = lesion_pixels(volume, bundle, net).any(axis=(1, 2))
    assert marked.mean() < 0.2
