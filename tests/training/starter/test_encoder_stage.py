"""What the slice encoder learns to tell, and that it starts from the lesion model's pyramid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ctviewer.models.metadata import Preprocessing
from ctviewer.nets.one_shot import OneShot, light_options
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.starter.chests import CLASSES, INFECTION, LUNG
from ctviewer.training.starter.encoder_stage import FINDINGS, findings, start_from, train_encoder
from ctviewer.training.starter.loop import Plan

P = Preprocessing(-600.0, 1500.0, 64, 64, (0.5,), (0.3,))


def a_slice(infected: int, dense: int, lung: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """The first so many pixels are lung, and infected; a square of so many a side among these is dense."""
    hu, labels = np.full(80 * 80, -850.0, np.float32), np.zeros(80 * 80, np.uint8)
    labels[:lung] = LUNG
    labels[:infected] = INFECTION
    hu[:infected] = -500
    hu = hu.reshape(80, 80)
    hu[1 : 1 + dense, 1 : 1 + dense] = -50
    return hu, labels.reshape(80, 80)


@pytest.mark.parametrize(
    ("infected", "dense", "expected"),
    [
        (0, 0, [0, 0, 0, 1]),
        (11, 0, [np.nan, 0, 0, 1]),
        (12, 0, [1, 0, 0, 1]),
        (199, 0, [1, 0, 0, 1]),
        (200, 0, [1, 1, 0, 1]),
        (400, 1, [1, 1, 0, 1]),
        (400, 3, [1, 1, np.nan, 1]),
        (800, 6, [1, 1, 1, 1]),
    ],
)
def test_findings_of_a_slice(infected, dense, expected) -> None:
    np.testing.assert_array_equal(findings(*a_slice(infected, dense)), np.float32(expected))


def test_noise_alone_makes_nothing_dense() -> None:
    hu, labels = a_slice(1600, 0)
    noise = np.random.default_rng(0).normal(0, 90, hu.shape).astype(np.float32)
    assert (hu + noise > -300).sum() >= 12
    assert findings(hu + noise, labels).tolist() == [1, 1, 0, 1]


def test_a_slice_without_lungs_and_vessels_outside_infection() -> None:
    assert findings(*a_slice(0, 0, lung=99)).tolist() == [0, 0, 0, 0]
    hu, labels = a_slice(0, 0)
    hu[:20] = 40  # vessels of healthy lung are dense, and no finding
    assert findings(hu, labels).tolist() == [0, 0, 0, 1]
    assert len(FINDINGS) == 4


@pytest.fixture
def encoder():
    torch.manual_seed(1)
    return StudyClassifier(2, encoder="resnet18_pyramid", encoder_options={"width": 16, "channels": 16}).encoder


def test_it_starts_from_the_lesion_model(encoder) -> None:
    torch.manual_seed(0)
    lesions = OneShot(len(CLASSES), **{**light_options(64, 16, 16), "box_hidden": 16})
    start_from(encoder, lesions)
    shared = lesions.backbone_state()
    assert shared
    for name, value in shared.items():
        assert torch.equal(encoder.state_dict()[f"trunk.pyramid.{name}"], value)
    assert set(encoder.state_dict()) == {f"trunk.pyramid.{name}" for name in shared}, "nothing stays random"


def test_equal_seeds_give_equal_weights(encoder, chest_of) -> None:
    middle, start = slice(16, 80), {name: value.clone() for name, value in encoder.state_dict().items()}
    chests = [
        replace(c, hu=c.hu[:, middle, middle], labels=c.labels[:, middle, middle]) for c in (chest_of(0), chest_of(1))
    ]

    def trained(seed: int) -> dict[str, torch.Tensor]:
        encoder.load_state_dict(start)
        torch.rand(1)  # what was drawn before does not matter
        list(train_encoder(encoder, chests, Plan(1, 2, 1e-3, warm_up=1, seed=seed), batch=4, preprocessing=P))
        assert not encoder.training
        return {name: value.clone() for name, value in encoder.state_dict().items()}

    one, same, other = trained(0), trained(0), trained(1)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], start[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
