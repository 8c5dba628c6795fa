"""Whose encoder a run starts from that names none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ctviewer.app import models
from ctviewer.app.train_check import base_bundle
from ctviewer.core.errors import BundleError
from ctviewer.models.bundle import Bundle, save_bundle
from ctviewer.models.registry import Registry
from ctviewer.training.config import ModelConfig

Install = Callable[..., Bundle]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classifier: Bundle, detector: Bundle) -> Install:
    """Install a bundle like one of the tiny ones; weights are of no matter here. Nothing else is installed."""
    monkeypatch.setattr(models, "installed", lambda: Registry([tmp_path], tmp_path / "active.json"))
    tiny = {one.metadata.task: one.metadata for one in (classifier, detector)}

    def make(task: str, name: str, **changes: object) -> Bundle:
        told = dataclasses.replace(tiny[task], name=name, **changes)
        return save_bundle(tmp_path / f"{name}-{told.version}", told, {"w": torch.zeros(1)})

    return make


def base_of(start: str, task: str, base: str = "") -> Bundle | None:
    return base_bundle(ModelConfig(start=start, base=base), task)


def test_the_domain_start_takes_the_default_study_classifiers_encoder(install: Install) -> None:
    domain = install("study_classifier", "domain", default=True, net={"encoder": "resnet18_pyramid"})
    other = install("study_classifier", "other", version="2.0.0")
    outlines = install("one_shot", "outlines", version="3.0.0")
    models.installed().activate(other)
    assert base_of("domain", "study_classifier") == base_of("domain", "one_shot") == domain
    assert base_of("domain", "study_classifier", other.key) == other
    assert base_of("domain", "one_shot", outlines.key) == outlines
    assert base_of("base", "study_classifier") == other and base_of("base", "one_shot") == outlines
    assert base_of("scratch", "study_classifier") is None


def test_an_encoder_that_is_no_backbone_is_not_lent_to_a_one_shot_model(install: Install) -> None:
    domain = install("study_classifier", "domain", default=True, net={"encoder": "mobilenet_v3"})
    outlines = install("one_shot", "outlines")
    assert base_of("domain", "study_classifier") == domain
    assert base_of("domain", "one_shot") == outlines


def test_without_a_default_it_is_the_model_in_use(install: Install) -> None:
    used, _ = install("study_classifier", "used"), install("study_classifier", "newer", version="2.0.0")
    models.installed().activate(used)
    assert base_of("domain", "study_classifier") == used
    with pytest.raises(BundleError, match="No one-shot model is in use"):
        base_of("domain", "one_shot")
