"""A slice classifier on the engine: a step against a plain loop, a run that is left and taken up, and its predictions."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from training.engine.one_shot.conftest import CLASSES, INPUT, two_sources

from ctviewer.core.events import Message
from ctviewer.nets.slice_classifier import SliceClassifier
from ctviewer.training.augment import Pose
from ctviewer.training.config import DataConfig, ModelConfig, RunConfig
from ctviewer.training.control import Wish, never
from ctviewer.training.engine.features import Draws
from ctviewer.training.engine.learner import Place
from ctviewer.training.engine.one_shot.batches import Drawn, SliceBatch
from ctviewer.training.engine.parallel import SINGLE, World
from ctviewer.training.engine.slice_store import SliceStore
from ctviewer.training.predictions import patient_digest
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.recipes import RECIPES
from ctviewer.training.reproduction.slice_baseline import BaselineInputs, train_baseline
from ctviewer.training.reproduction.slice_learner import SliceLearner, classed
from ctviewer.training.slices.task import SliceTask
from ctviewer.training.splits import Split

IMAGES = ("control", "pneumonia", "COVID-19")
TASK = SliceTask(CLASSES, CLASSES[2:], IMAGES, "control")
SPLIT = Split(
    tuple(f"images/0/i{i}" for i in range(3)), ("images/0/i3",), ("images/0/i4",), {"other": ("images/0/i5",)}
)


class _Tiny(SliceClassifier):
    """A narrow ResNet18 in place of the paper's."""

    def __init__(self, classes, encoder="resnet18", norm="group"):
        from ctviewer.nets.encoders import build_encoder

        torch.nn.Module.__init__(self)
        self.encoder = build_encoder("resnet18", width=16, norm=norm)
        self.head = torch.nn.Linear(self.encoder.out_features, classes)


@pytest.fixture
def source():
    return two_sources(1, 6)


@pytest.fixture
def store(source, tmp_path):
    made = SliceStore(source, INPUT, CLASSES, IMAGES, tmp_path / "slices")
    for _ in made.prepare(source.ids()):
        pass
    return made


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr("ctviewer.training.reproduction.slice_baseline.SliceClassifier", _Tiny)


def _learner(store, **changes):
    torch.manual_seed(0)
    usual = {"draws": Draws(), "balanced": False, "precision": "float32", "chunk": 2}
    return SliceLearner(net=_Tiny(3).train(), store=store, **{**usual, **changes})


def _batch(store, count):
    items = classed(store, store_scans(store))[:count]
    return SliceBatch(images=tuple(Drawn(one.ref, 0) for one in items)), items


def store_scans(store):
    return tuple(scan for scan in store._source.ids() if scan.startswith("images/"))


def _learn(learner, batch, scale=1.0, world=SINGLE):
    work, passed = learner.learn(batch, Place(0, 0, 0, 0), scale, world), []
    while True:
        try:
            passed.append(next(work))
        except StopIteration as end:
            return end.value, passed


def test_gradients_of_a_step_are_those_of_one_pass(store):
    learner = _learner(store)
    batch, items = _batch(store, 5)
    loss, passed = _learn(learner, batch, scale=4.0)
    assert passed == [2, 2, 1] and learner.amount(batch, SINGLE) == 5
    found = {name: p.grad / 4.0 for name, p in learner.net.named_parameters()}
    learner.net.zero_grad(set_to_none=True)
    images = torch.stack([store.image_item(one.ref.scan, one.ref.name)[0] for one in items])
    expected = cross_entropy(learner.net(images), torch.tensor([one.number for one in items]))
    expected.backward()
    assert loss == pytest.approx(float(expected.detach()), rel=1e-5)
    for name, p in learner.net.named_parameters():
        torch.testing.assert_close(found[name], p.grad, rtol=1e-3, atol=1e-6)


def test_processes_share_a_step(store):
    learner = _learner(store)
    batch, _ = _batch(store, 5)
    whole, _ = _learn(learner, batch)
    parts = [_learn(_learner(store), batch, world=World(rank, 2))[0] for rank in range(2)]
    assert sum(parts) == pytest.approx(whole, rel=1e-5)


def test_a_draw_depends_on_its_slice_and_turn_alone(store):
    learner = _learner(store, draws=Draws(Pose(), 3, 4))
    batch, _ = _batch(store, 1)
    (one,) = batch.images
    first, _ = learner._drawn([one])
    again, _ = learner._drawn([one])
    later, _ = learner._drawn([dataclasses.replace(one, turn=1)])
    assert torch.equal(first, again) and not torch.equal(first, later)
    assert torch.equal(first, learner._drawn([dataclasses.replace(one, turn=4)])[0])  # four draws, then again


def test_the_validation_loss_may_count_classes_alike(store):
    scans = store_scans(store)[:2]
    items = classed(store, scans)
    plain = _judged(_learner(store), scans)
    balanced = _judged(_learner(store, balanced=True), scans)
    learner = _learner(store)
    with torch.no_grad():
        images = torch.stack([store.image_item(one.ref.scan, one.ref.name)[0] for one in items])
        truth = torch.tensor([one.number for one in items])
        losses = cross_entropy(learner.net.eval()(images), truth, reduction="none").numpy()
    assert plain.loss == pytest.approx(losses.mean(), rel=1e-5)
    means = [losses[truth.numpy() == k].mean() for k in sorted(set(truth.tolist()))]
    assert balanced.loss == pytest.approx(np.mean(means), rel=1e-5)
    assert math.isnan(_judged(learner, ()).loss)


def _judged(learner, scans, control=never):
    work = learner.judge_epoch(scans, SINGLE, control)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def test_a_wish_ends_judging(store):
    assert _judged(_learner(store), store_scans(store), lambda: Wish.PAUSE) is Wish.PAUSE


def _inputs(source, store, folder, control=never):
    recipe = dataclasses.replace(RECIPES["one-shot-scratch"], epochs=2, batch=2, precision="float32")
    config = RunConfig(
        DataConfig(""), ModelConfig(start="scratch", encoder="resnet18"), recipe, seed=1, task="one_shot",
        checkpoint_minutes=0.0,
    )  # fmt: skip
    report = PreflightReport(6, 6, (), split=SPLIT, study_sha256={"images/0/i4": "a" * 64})
    return BaselineInputs("resnet18", config, source, report, store, TASK, folder, control)


def _run(inputs):
    work, said = train_baseline(inputs), []
    while True:
        try:
            said.append(next(work))
        except StopIteration as end:
            return end.value, said


def test_a_run_that_is_left_goes_on_to_the_same_result(tiny, source, store, tmp_path):
    whole, said = _run(_inputs(source, store, tmp_path / "whole"))
    assert next(one.text for one in said if isinstance(one, Message)).startswith("All weights start from random values")
    asked = []

    def control():
        asked.append(1)
        return Wish.PAUSE if len(asked) > 9 else Wish.GO_ON

    assert _run(_inputs(source, store, tmp_path / "parts", control))[0] is None
    parts, _ = _run(_inputs(source, store, tmp_path / "parts"))
    assert dataclasses.replace(parts.run, seconds=0) == dataclasses.replace(whole.run, seconds=0)
    assert parts.predictions == whole.predictions


def test_predictions_are_of_what_was_not_learned_from(tiny, source, store, tmp_path):
    judged, _ = _run(_inputs(source, store, tmp_path / "run"))
    cases = judged.predictions.cases
    assert [(case.scan, case.split) for case in cases] == [("images/0/i4", "test")] * 3 + [
        ("images/0/i5", "external:other")
    ] * 3
    assert [case.truth for case in cases] == [*IMAGES, *IMAGES]
    assert {case.patient for case in cases} == {patient_digest(source.patient(f"images/0/i{i}")) for i in (4, 5)}
    assert cases[0].content == "a" * 64 and cases[3].content == ""
    assert len(judged.run.losses) == len(judged.run.validation_losses) == 2
    assert judged.run.parameters == sum(p.numel() for p in _Tiny(3).parameters())
