"""Parts that are judged on what models learned from: folds, simulated studies of held-out patients, phantoms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from ctviewer.app.model_evaluation import generated, phantoms
from ctviewer.app.model_evaluation.generated import DATA, SIMULATED, Generated, calibrate, calibration, class_names
from ctviewer.app.model_evaluation.lesions import FoldRun, judge_lesions
from ctviewer.app.model_evaluation.parts import Setting
from ctviewer.app.model_evaluation.phantoms import judge_on_phantoms
from ctviewer.app.model_evaluation.simulated import SimulatedSource
from ctviewer.app.progress import ProgressLine
from ctviewer.app.starter_chests import phantom_chest
from ctviewer.datasets.phantom import Family, PhantomSpec, Variant, generate
from ctviewer.datasets.sources import PhantomStudySource
from ctviewer.models.bundle import save_bundle
from ctviewer.models.metadata import Preprocessing
from ctviewer.nets.one_shot import OneShot, light_options
from ctviewer.training.starter.chests import CLASSES, INFECTION, LUNG, RECOVERED, Chest
from ctviewer.training.starter.lesion_folds import Folds
from ctviewer.training.starter.lesion_split import painted
from ctviewer.training.starter.simulate import material

SIDE = 96
OPTIONS = {**light_options(64, 16, 16), "box_hidden": 16}


def chest(seed, patient, slices=10, infected=True):
    """A body with two lungs, and lesions of haze and consolidation in them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    hu = np.full((slices, SIDE, SIDE), -1000.0)
    hu[:, (x / 0.45) ** 2 + (y / 0.36) ** 2 < 1] = 40
    lung = np.logical_or.reduce([((x - at) / 0.15) ** 2 + (y / 0.26) ** 2 < 1 for at in (-0.19, 0.19)])
    labels = np.zeros(hu.shape, np.uint8)
    hu[:, lung], labels[:, lung] = -850, LUNG
    for i in range(1, slices - 1) if infected else ():
        row, column = rng.integers(40, 56), rng.choice([26, 68])
        lesion = ((y * SIDE + 48 - row) ** 2 + (x * SIDE + 48 - column) ** 2 < 81) & lung
        hu[i, lesion], labels[i, lesion] = (20 if i % 2 else -560) + rng.normal(0, 60, int(lesion.sum())), INFECTION
    hu += rng.normal(0, 20, hu.shape)
    return Chest(f"{patient} {seed}", patient, RECOVERED, hu.round().astype(np.int16), labels)


@pytest.fixture
def setting_of(tmp_path):
    def make(*bundles):
        return Setting(bundles, tmp_path / "data", tmp_path / "out", ProgressLine(quiet=True))

    return make


@pytest.fixture(scope="module")
def simulated():
    clean = [chest(1, "a", infected=False), chest(2, "b", infected=False)]
    donors = [chest(11, "a"), chest(12, "b")]
    return SimulatedSource(material(clean, donors, {one.name: 8.0 for one in (*clean, *donors)}), 1, seed=5)


@pytest.fixture
def lesion_bundle(make_detector, tmp_path):
    """A lesion model of random weights that knows lung and infection."""
    made = make_detector()
    m = dataclasses.replace(made.metadata, name="infection-lesions", classes=CLASSES, lesion_classes=CLASSES[2:])
    return save_bundle(tmp_path / "lesions", m, made.build().state_dict())


def test_simulated_studies_are_upright_volumes_with_their_labels(simulated):
    for study in simulated.ids():
        volume, labels = simulated.load(study)
        assert volume.unit == "HU" and labels.shape == volume.stored.shape
        assert list(volume.geometry.display_order) == list(range(volume.slice_count))[::-1]  # head first
        assert (labels == INFECTION).any() == (simulated.label(study) != "control")
        assert simulated.patient(study) in ("a", "b")  # whose chest it is: mixtures of two people are no third one
        again = simulated.load(study)[0]
        assert np.array_equal(again.stored, volume.stored)
        if (labels == INFECTION).any():
            assert volume.stored[labels == INFECTION].mean() > volume.stored[labels == LUNG].mean() + 100


def test_a_classifier_is_judged_on_phantoms_and_simulated_studies_apart(
    simulated, make_classifier, setting_of, monkeypatch
):
    specs = [PhantomSpec(7, variant, Family.D, matrix=64, slices=8) for variant in Variant]
    monkeypatch.setattr(generated, "phantoms", lambda _effort: PhantomStudySource(specs))
    bundle = make_classifier()
    setting = setting_of(bundle)
    part = calibrate(setting, Generated(setting, simulated))
    sets = {one.data for one in part.figures[bundle.key]}
    assert {one.partition(",")[0] for one in sets} == {"phantom", SIMULATED} and len(part.tables) == 2
    names = [one.name for one in part.figures[bundle.key]]
    assert "ECE, any finding" in names and not any("clear" in name for name in names)
    found = calibration(bundle, part)
    assert set(found.patients.values()) == {1}  # one chest in all three classes, whoever the lesions are of
    assert found.data.startswith(SIMULATED) and not found.real and not found.enough
    assert set(part.card_notes) == sets
    assert DATA in part.tables[0].head[0]


def test_classes_are_matched_by_their_meaning(make_classifier):
    m = make_classifier().metadata
    three = dataclasses.replace(m, classes=("COVID-19", "none", "common pneumonia"), negative_class="none")
    assert class_names(three) == {
        "control": "none", "pneumonia": "common pneumonia", "covid": "COVID-19",
        "common pneumonia": "common pneumonia", "COVID-19": "COVID-19",
    }  # fmt: skip
    two = dataclasses.replace(m, classes=("no opacity", "opacity"), negative_class="no opacity")
    assert {class_names(two)[name] for name in ("pneumonia", "covid")} == {"opacity"}
    assert class_names(dataclasses.replace(m, negative_class="")) == {}


def test_figures_of_folds_go_to_the_lesion_bundle_beside_the_published_one(lesion_bundle, setting_of, tmp_path):
    def train(_net, fold):
        assert {one.patient for one in fold.train}.isdisjoint(one.patient for one in fold.test)
        yield from ()

    def new_net():
        return OneShot(len(CLASSES), **OPTIONS)

    chests = [chest(20 + i, f"p{i}", slices=3) for i in range(5)]
    preprocessing = Preprocessing(-600.0, 1500.0, 64, 64, (0.5,), (0.3,))
    plan = Folds(tmp_path / "folds", new_net, train, preprocessing, count=3)
    part = judge_lesions(setting_of(lesion_bundle), FoldRun(chests, painted(chests), plan, "drawn chests"))
    figures = part.figures[lesion_bundle.key]
    assert {"Dice of infection, patient 1 of 5"} <= {one.name for one in figures}
    (published,) = part.figures[""]
    assert published.value == 0.673 and published.n == 20
    assert any("not like for like" in note for note in part.notes)
    assert len(part.card_notes) == 2
    for data, note in part.card_notes.items():
        assert "fold models" in note and "recovered from equalised pictures" in note
        assert ("0.673" in note) == ("infected slice sets" in data)
        assert ("painted out as it was for training" in note) == ("infection painted out" in data)
    assert len(part.tables[0].rows) == 3
    again = judge_lesions(setting_of(lesion_bundle), FoldRun(chests, painted(chests), plan, "drawn chests"))
    assert again.as_dict() == part.as_dict()


def test_without_data_folds_are_skipped_in_words(setting_of):
    assert judge_lesions(setting_of(), "There is none.").skipped == "There is none."


def test_lesion_models_are_judged_on_phantoms_of_other_families(lesion_bundle, setting_of, monkeypatch):
    specs = [PhantomSpec(7, variant, Family.D, matrix=64, slices=6) for variant in Variant]
    monkeypatch.setattr(phantoms, "phantoms", lambda _effort: PhantomStudySource(specs))
    figures = judge_on_phantoms(setting_of(lesion_bundle)).figures[lesion_bundle.key]
    assert figures and all("phantom" in one.data for one in figures)
    assert not any("patient 1 of" in one.name for one in figures)
    assert "classes background, lung, infection" in judge_on_phantoms(setting_of()).skipped


def test_a_phantom_as_a_chest_runs_from_head_to_feet():
    phantom = generate(PhantomSpec(3, Variant.COVID, Family.A, matrix=64, slices=8))
    made = phantom_chest(phantom, "someone")
    assert list(made.infected) == list(phantom.infected_slices[::-1])
    assert np.array_equal(made.hu, phantom.hu[::-1])
    assert set(np.unique(made.labels)) == {0, LUNG, INFECTION}
    assert torch.from_numpy(made.labels).shape == made.hu.shape  # not a view that torch refuses
